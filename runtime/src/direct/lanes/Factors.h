//===- Factors.h - The factors of a batch of small matrices -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes do what is done for nearly every matrix, and nothing else: an item that
// is singular, not positive definite, badly scaled, in short whatever asks for
// a second look, is none of theirs. It goes by itself, as a single matrix does.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LANES_FACTORS_H
#define TSGU_SRC_DIRECT_LANES_FACTORS_H

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "direct/Determinant.h"
#include "direct/lanes/Recipe.h"
#include "pattern/Prepared.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace tsgu::runtime::lanewise {

/// Matrices on one pattern, the values of each behind those of the one before:
/// a batch of values on a pattern of rank 2, or the items of one of rank 3,
/// which lanes take where all of them are on the same coordinates.
template <typename T> struct Batch {
  Pattern *pattern;
  const T *values;
  int64_t count;

  int64_t rows() const { return pattern->rows(); }
  int64_t stored() const { return pattern->stored() / pattern->items(); }
  int64_t groups() const { return (count + width - 1) / width; }
  /// Items of a group, the last of which may not be whole.
  int64_t live(int64_t group) const {
    return std::min(width, count - group * width);
  }
  Matrix<T> item(int64_t i) const {
    return {pattern, 0, values + i * stored()};
  }
  /// Where the values of a group's matrices are.
  LanesAt<const T> valuesOf(int64_t group) const {
    return {values + group * width * stored(), stored(), live(group)};
  }
};

/// Entries that are finite, the largest of them within moderate bounds.
template <typename T>
TSGU_INLINE inline void requireModerate(const Vector<T> *entries, int64_t count,
                                        Bits<T> &good) {
  constexpr T small = T(1) / (int64_t{1} << 40), large = int64_t{1} << 41;
  Vector<T> most{}, finite{};
  for (int64_t e = 0; e < count; ++e) {
    Vector<T> size = entries[e];
    finite += size * T(0);
    makePositive<T>(size);
    keepLarger<T>(most, size);
  }
  good &= (finite == T(0)) & (most >= small) & (most < large);
}

template <typename T> class Factors : public AnyPrepared {
public:
  /// Whether this item's are here.
  bool hold(int64_t item) const { return good[item]; }
  int64_t held() const { return std::count(good.begin(), good.end(), 1); }

  /// x = op(A)^-1 b for the matrices of a group, all of them in lanes, row by
  /// row. `memory`: as long as x.
  virtual void solve(Mode mode, int64_t group, const Vector<T> *b, Vector<T> *x,
                     Vector<T> *memory) const = 0;
  /// Of the items of a group.
  virtual void determinants(int64_t group, Determinant<T> *to) const = 0;
  /// Powers of two, the inverse sizes of the rows of op(A).
  virtual const Vector<T> *scales(Mode mode, int64_t group) const = 0;

  int64_t bytes() const override {
    return memoryBytes + static_cast<int64_t>(good.capacity());
  }

protected:
  /// `numbers` for each group.
  Factors(const Batch<T> &batch, int64_t numbers)
      : numbers(numbers),
        memoryBytes(multiply(multiply(batch.groups(), numbers),
                             static_cast<int64_t>(sizeof(Vector<T>)))),
        memory(memoryBytes), good(batch.groups() * width) {}
  Vector<T> *of(int64_t group) const {
    return reinterpret_cast<Vector<T> *>(memory.data()) + group * numbers;
  }

  /// factorise(A, group, good) for the values of each group in lanes, at the
  /// widest vectors; what it leaves in `good` says which lanes are held.
  template <typename F>
  void forGroups(const Batch<T> &batch, const tsgu_executor &executor,
                 const F &factorise) {
    const int64_t stored = batch.stored();
    parallelFor(executor, batch.groups(), [&](int64_t begin, int64_t end) {
      const Scratch room(
          multiply(stored, static_cast<int64_t>(sizeof(Vector<T>))));
      auto *const A = reinterpret_cast<Vector<T> *>(room.data());
      for (int64_t group = begin; group < end; ++group) {
        checkInterrupt();
        const LanesAt<const T> values = batch.valuesOf(group);
        Bits<T> lanes = ~Bits<T>{};
        withVectors([&]() TSGU_INLINE {
          interleave<T>(values, stored, 1, A);
          requireModerate<T>(A, stored, lanes);
          factorise(A, group, lanes);
        });
        for (int64_t lane = 0; lane < batch.live(group); ++lane)
          good[group * width + lane] = lanes[lane] != 0;
      }
    });
  }

  const int64_t numbers, memoryBytes;
  const Scratch memory;
  std::vector<char> good;
};

/// The product of some vectors, with its exponents apart.
struct LaneProduct {
  Vector<double> product;
  Bits<double> exponent{};

  LaneProduct() { product = Vector<double>{} + 1; }
  template <typename T> TSGU_INLINE void multiply(const Vector<T> &by) {
    using Of = LaneOf<double>;
    Vector<double> wide;
    widen<T>(by, wide);
    product *= wide;
    const Bits<double> bits = (Bits<double>)product & ~Of::sign;
    const Bits<double> more = (bits >> Of::digits) - Of::bias;
    exponent += more;
    product = (Vector<double>)((Bits<double>)product - (more << Of::digits));
  }
  template <typename T> TSGU_INLINE void scale(const Vector<T> &powerOfTwo) {
    Vector<double> wide;
    widen<T>(powerOfTwo, wide);
    exponent +=
        ((Bits<double>)wide >> LaneOf<double>::digits) - LaneOf<double>::bias;
  }
  double sign(int64_t lane) const { return product[lane] < 0 ? -1 : 1; }
  double log(int64_t lane) const {
    return std::log(std::abs(product[lane])) +
           double(exponent[lane]) * std::numbers::ln2;
  }
};

/// How a method factorises: about how many numbers a group's factors are, 0
/// where matrices should go item by item; and the factors, NULL for the same.
template <typename T> struct LaneMethod {
  int64_t (*numbers)(const Matrix<T> &A);
  std::shared_ptr<Factors<T>> (*make)(const Batch<T> &batch,
                                      const tsgu_executor &executor);
};
template <typename T> LaneMethod<T> byCholesky();
template <typename T> LaneMethod<T> byLU();

/// Some items of a batch and their factors, found again by the content of their
/// values; NULL: they should go one by one.
template <typename T> struct Factored {
  int64_t first;
  Batch<T> items;
  std::shared_ptr<const Factors<T>> factors;
};

/// The block that begins with this item.
template <typename T>
Factored<T> blockFrom(int64_t first, int64_t method, const Batch<T> &batch,
                      const tsgu_executor &executor);

/// function(block) for the blocks of a batch, one after the other. Throws
/// OutOfMemory, Interrupted. Does nothing if matrices should go one by one.
template <typename T, typename F>
void forBlocks(int64_t method, const Batch<T> &batch,
               const tsgu_executor &executor, F &&function) {
  for (int64_t first = 0; first < batch.count;) {
    const Factored<T> block = blockFrom(first, method, batch, executor);
    if (!block.factors)
      return;
    function(block);
    first += block.items.count;
  }
}
} // namespace tsgu::runtime::lanewise

#endif // TSGU_SRC_DIRECT_LANES_FACTORS_H
