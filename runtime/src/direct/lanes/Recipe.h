//===- Recipe.h - The products that factors are made of ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An entry of L or U is that of A less some products of entries before it:
// listed, they stay in a register until it is done. (A column that takes others
// off itself in memory takes four times as long.)
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LANES_RECIPE_H
#define TSGU_SRC_DIRECT_LANES_RECIPE_H

#include "direct/lanes/Lanes.h"

#include <vector>

namespace tsgu::runtime::lanewise {

/// L and U, or L alone, by columns; rows and columns are numbered as they are
/// eliminated. The factors of a matrix are the inverses of the pivots, then the
/// other entries in this order.
struct Recipe {
  using Index = int32_t;
  /// Of a number in the factors.
  using Place = uint16_t;
  static constexpr int64_t mostPlaces = 1 << 16;

  std::vector<Index> rows, columns; ///< Of A as they are eliminated.
  /// Entries of column k: those of U from starts[k] to middles[k], then those
  /// of L, without the diagonal; the row of each.
  std::vector<Index> starts{0}, middles, rowOf;
  /// In the order of elimination, the pivot between U and L: the entry of A, -1
  /// for none, and the end of the products.
  std::vector<Index> from, ends;
  std::vector<Place> products; ///< Two for each.

  int64_t size() const { return static_cast<int64_t>(rows.size()); }
  int64_t entries() const { return static_cast<int64_t>(rowOf.size()); }
  int64_t numbers() const { return size() + entries(); }
  int64_t bytes() const;
  /// Lists the products, once the rest is there. Returns whether they are at
  /// most so many.
  bool list(bool symmetric, int64_t most);
};

/// The factors of a group. `invert(k, pivot)` makes a pivot its inverse, or
/// what stands for it; `see(number)` is told of every other entry.
template <typename T, typename Invert, typename See>
TSGU_INLINE inline void eliminate(const Recipe &recipe, const Vector<T> *A,
                                  Vector<T> *factors, const Invert &invert,
                                  const See &see) {
  using V = Vector<T>;
  const int64_t n = recipe.size();
  const auto *from = recipe.from.data(), *ends = recipe.ends.data();
  const auto *starts = recipe.starts.data(), *middles = recipe.middles.data();
  const Recipe::Place *product = recipe.products.data();
  const Recipe::Place *const first = product;
  V *entry = factors + n;
  const auto next = [&](V &value) TSGU_INLINE {
    value = *from < 0 ? V{} : A[*from];
    ++from;
    const Recipe::Place *const end = first + 2 * int64_t{*ends++};
    V other{};
    for (; end - product > 2; product += 4) {
      value -= factors[product[0]] * factors[product[1]];
      other -= factors[product[2]] * factors[product[3]];
    }
    value += other;
    if (product < end) {
      value -= factors[product[0]] * factors[product[1]];
      product += 2;
    }
  };
  for (int64_t k = 0; k < n; ++k) {
    V value;
    for (const V *end = factors + n + middles[k]; entry < end; ++entry) {
      next(value);
      *entry = value;
      see(value);
    }
    next(value);
    invert(k, value);
    factors[k] = value;
    const V inverse = value;
    for (const V *end = factors + n + starts[k + 1]; entry < end; ++entry) {
      next(value);
      value *= inverse;
      *entry = value;
      see(value);
    }
  }
}

} // namespace tsgu::runtime::lanewise

#endif // TSGU_SRC_DIRECT_LANES_RECIPE_H
