//===- StaticLU.h - L and U by pivots that are known ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where no pivot is looked for, a column is its entries less multiples of those
// before it, in places that are known, and an order for little fill is at hand.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LU_STATICLU_H
#define TSGU_SRC_DIRECT_LU_STATICLU_H

#include "base/Callbacks.h"
#include "base/Numbers.h"
#include "base/Scratch.h"

#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

namespace tsgu::runtime::lu {

/// Pivots of matrices on one pattern, and where L and U have entries then.
struct Pivots {
  using Index = int32_t;
  std::vector<Index> placeOf; ///< Of a row, when it is eliminated.
  /// Rows of column k, in the order of elimination: those of U from starts[k]
  /// to middles[k], then those of L, without the diagonal.
  std::vector<Index> starts{0}, middles, rowOf;
  int sign = 1; ///< Of placeOf.

  Index size() const { return static_cast<Index>(placeOf.size()); }
  int64_t bytes() const {
    return static_cast<int64_t>((placeOf.capacity() + starts.capacity() +
                                 middles.capacity() + rowOf.capacity()) *
                                sizeof(Index));
  }

  /// Without the entries that no matrix with the columns of M has.
  template <typename Columns> Pivots pruned(const Columns &M) const;

  /// Whether entry by entry is the fastest way.
  bool pay() const {
    double products = 0;
    for (Index k = 0; k < size(); ++k)
      for (Index e = starts[k]; e < middles[k]; ++e)
        products += starts[rowOf[e] + 1] - middles[rowOf[e]];
    return products <=
           mostProducts * static_cast<double>(rowOf.size() + size());
  }
  /// For each entry: twice as fast as finding pivots, or more.
  static constexpr double mostProducts = 400;
};

template <typename T> class StaticLU {
public:
  using Index = Pivots::Index;
  explicit StaticLU(std::shared_ptr<const Pivots> known)
      : by(std::move(known)),
        numbers(static_cast<int64_t>(by->rowOf.size() + by->placeOf.size())),
        memory(multiply(numbers, int64_t{sizeof(T)})),
        pivots(reinterpret_cast<T *>(memory.data())),
        entries(pivots + by->size()) {}

  /// Whether the pivots suit M, which has columns as Eigen has them.
  template <typename Columns> bool factorise(const Columns &M) {
    return eliminate(M) && isAccurate(M);
  }

  /// y = M^-1 y or M^-T y, by columns, in the order of M's rows and columns.
  void solve(bool transposed, T *y, int64_t count) const {
    const int64_t n = by->size();
    std::vector<T> z(static_cast<size_t>(n * count));
    const auto move = [&](bool in, bool byPlaces) {
      for (int64_t i = 0; i < n; ++i) {
        T *row = z.data() + (byPlaces ? by->placeOf[i] : i) * count;
        for (int64_t j = 0; j < count; ++j)
          in ? row[j] = y[j * n + i] : y[j * n + i] = row[j];
      }
    };
    move(true, !transposed);
    const auto substitute = [&](auto width) {
      transposed ? solveTransposed(z.data(), width)
                 : solveDirect(z.data(), width);
    };
    count == 1 ? substitute(std::integral_constant<int64_t, 1>())
               : substitute(count);
    move(false, transposed);
  }

  T pivot(int64_t k) const { return pivots[k]; }
  int permutationSign() const { return by->sign; }
  double count() const { return static_cast<double>(numbers); }
  int64_t bytes() const { return numbers * int64_t{sizeof(T)}; }

private:
  /// L may have entries so large: then errors grow no more than where a tenth
  /// of a column's largest entry is taken for a pivot.
  static constexpr Real<T> largest = 10;

  template <typename Columns> bool eliminate(const Columns &M) {
    const Index *starts = by->starts.data(), *middles = by->middles.data(),
                *rows = by->rowOf.data();
    const Real<T> least = std::sqrt(std::numeric_limits<Real<T>>::epsilon());
    std::vector<T> x(by->placeOf.size());
    InterruptCheck check;
    for (Index k = 0; k < by->size(); ++k) {
      for (auto e = M.outerIndexPtr()[k]; e < M.outerIndexPtr()[k + 1]; ++e)
        x[by->placeOf[M.innerIndexPtr()[e]]] = M.valuePtr()[e];
      int64_t work = 0;
      for (Index e = starts[k]; e < middles[k]; ++e) {
        const Index j = rows[e];
        const T factor = entries[e] = x[j];
        x[j] = T(0);
        for (Index l = middles[j]; l < starts[j + 1]; ++l)
          x[rows[l]] -= times(entries[l], factor);
        work += starts[j + 1] - middles[j];
      }
      const T pivot = pivots[k] = x[k];
      x[k] = T(0);
      if (!(std::abs(pivot) > least))
        return false;
      Real<T> most = 0;
      for (Index e = middles[k]; e < starts[k + 1]; ++e) {
        const T entry = entries[e] = x[rows[e]] / pivot;
        x[rows[e]] = T(0);
        most = std::max(most, std::abs(entry));
      }
      if (!(most <= largest))
        return false;
      check.after(work);
    }
    return true;
  }

  /// Whether a solution leaves a residual of a few roundings.
  template <typename Columns> bool isAccurate(const Columns &M) const {
    std::vector<T> b(by->placeOf.size());
    uint32_t state = 1;
    for (T &value : b) {
      state = state * 1664525U + 1013904223U;
      value = T(Real<T>(state >> 8) * Real<T>(0x1p-23) - 1);
    }
    std::vector<T> x = b;
    solve(false, x.data(), 1);
    std::vector<Wide<T>> rest(b.begin(), b.end());
    std::vector<double> terms(b.size());
    for (size_t i = 0; i < b.size(); ++i)
      terms[i] = std::abs(b[i]);
    for (Index k = 0; k < by->size(); ++k)
      for (auto e = M.outerIndexPtr()[k]; e < M.outerIndexPtr()[k + 1]; ++e) {
        const Wide<T> term = times(static_cast<Wide<T>>(M.valuePtr()[e]),
                                   static_cast<Wide<T>>(x[k]));
        rest[M.innerIndexPtr()[e]] -= term;
        terms[M.innerIndexPtr()[e]] += std::abs(term);
      }
    double residual = 0, size = 0;
    for (size_t i = 0; i < b.size(); ++i)
      residual += squaredNorm(rest[i]), size += terms[i] * terms[i];
    constexpr double few = 4 * std::numeric_limits<Real<T>>::epsilon();
    return residual <= few * few * size;
  }

  /// y -= entry z, of rows.
  template <typename Width>
  static void subtract(T *y, T entry, const T *z, Width count) {
    for (int64_t j = 0; j < count; ++j)
      y[j] -= times(entry, z[j]);
  }
  template <typename Width> static void divide(T *y, T by, Width count) {
    for (int64_t j = 0; j < count; ++j)
      y[j] /= by;
  }

  template <typename Width> void solveDirect(T *y, Width count) const {
    const Index *rows = by->rowOf.data();
    for (Index k = 0; k < by->size(); ++k)
      for (Index e = by->middles[k]; e < by->starts[k + 1]; ++e)
        subtract(y + rows[e] * count, entries[e], y + k * count, count);
    for (Index k = by->size(); k-- > 0;) {
      divide(y + k * count, pivots[k], count);
      for (Index e = by->starts[k]; e < by->middles[k]; ++e)
        subtract(y + rows[e] * count, entries[e], y + k * count, count);
    }
  }
  template <typename Width> void solveTransposed(T *y, Width count) const {
    const Index *rows = by->rowOf.data();
    for (Index k = 0; k < by->size(); ++k) {
      for (Index e = by->starts[k]; e < by->middles[k]; ++e)
        subtract(y + k * count, entries[e], y + rows[e] * count, count);
      divide(y + k * count, pivots[k], count);
    }
    for (Index k = by->size(); k-- > 0;)
      for (Index e = by->middles[k]; e < by->starts[k + 1]; ++e)
        subtract(y + k * count, entries[e], y + rows[e] * count, count);
  }

  std::shared_ptr<const Pivots> by;
  const int64_t numbers;
  const Scratch memory; ///< Which the next factors take when these go.
  T *const pivots, *const entries;
};

template <typename Columns> Pivots Pivots::pruned(const Columns &M) const {
  std::vector<char> filled(placeOf.size());
  Pivots rest;
  InterruptCheck check;
  rest.placeOf = placeOf, rest.sign = sign;
  for (Index k = 0; k < size(); ++k) {
    for (auto e = M.outerIndexPtr()[k]; e < M.outerIndexPtr()[k + 1]; ++e)
      filled[placeOf[M.innerIndexPtr()[e]]] = 1;
    for (Index e = starts[k]; e < middles[k]; ++e) {
      const Index j = rowOf[e];
      if (!filled[j])
        continue;
      rest.rowOf.push_back(j);
      for (Index l = rest.middles[j]; l < rest.starts[j + 1]; ++l)
        filled[rest.rowOf[l]] = 1;
      check.after(rest.starts[j + 1] - rest.middles[j]);
    }
    rest.middles.push_back(static_cast<Index>(rest.rowOf.size()));
    for (Index e = middles[k]; e < starts[k + 1]; ++e)
      if (filled[rowOf[e]])
        rest.rowOf.push_back(rowOf[e]);
    rest.starts.push_back(static_cast<Index>(rest.rowOf.size()));
    for (Index e = starts[k]; e < starts[k + 1]; ++e)
      filled[rowOf[e]] = 0;
    filled[k] = 0;
  }
  rest.rowOf.shrink_to_fit();
  return rest;
}

} // namespace tsgu::runtime::lu

#endif // TSGU_SRC_DIRECT_LU_STATICLU_H
