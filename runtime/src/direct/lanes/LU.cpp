//===- LU.cpp - Any square matrices in lanes ------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// P R A C Q = L U column by column, R and C of powers of two that bring the
// entries to the size of 1, with the pivots of the first item for all of them.
// What they are to others is watched: the smallest pivot, and how L and U grow.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "direct/lanes/Factors.h"
#include "direct/lanes/Pivots.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime::lanewise {
namespace {

using Index = Pivots::Index;

/// A search for pivots takes longer than what it is for in larger ones.
constexpr int64_t mostRows = 256, mostEntries = 16384;
/// Of L and U, whose entries would be up to 1 with pivots of their own.
constexpr double mostGrowth = 1024;

template <typename T> class LUFactors : public Factors<T> {
  using V = Vector<T>;

public:
  LUFactors(const Batch<T> &batch, Pivots &&chosen,
            const tsgu_executor &executor)
      : Factors<T>(batch, static_cast<int64_t>(chosen.lower.rows.size() +
                                               chosen.upper.rows.size()) +
                              3 * chosen.size()),
        pivots(std::move(chosen)) {
    const int64_t stored = batch.stored(), n = batch.rows();
    parallelFor(executor, batch.groups(), [&](int64_t begin, int64_t end) {
      const Scratch memory(
          multiply(add(stored, n), static_cast<int64_t>(sizeof(V))));
      V *const A = reinterpret_cast<V *>(memory.data());
      for (int64_t group = begin; group < end; ++group) {
        checkInterrupt();
        const LanesAt<const T> values = batch.valuesOf(group);
        Bits<T> good = ~Bits<T>{};
        withVectors([&]() TSGU_INLINE {
          interleave<T>(values, stored, 1, A);
          requireModerate<T>(A, stored, good);
          scale(A, group);
          factorise(A, group, A + stored, good);
        });
        for (int64_t lane = 0; lane < batch.live(group); ++lane)
          this->good[group * width + lane] = good[lane] != 0;
      }
    });
  }

  void solve(Mode mode, int64_t group, const V *b, V *x, V *y) const override {
    withVectors([&]() TSGU_INLINE {
      if (mode == Mode::N)
        solve(group, b, x, y);
      else
        solveTransposed(group, b, x, y);
    });
  }

  Determinant<T> determinant(int64_t item) const override {
    const int64_t group = item / width, lane = item % width;
    const V *const inverse = inverseAt(group);
    ScaledProduct<T> product;
    product.multiply(T(signOf(pivots.rows) * signOf(pivots.columns)));
    for (int64_t k = 0; k < pivots.size(); ++k) {
      product.multiply(1 / inverse[k][lane]);
      product.divide(scales(Mode::N, group)[k][lane]);
      product.divide(scales(Mode::T, group)[k][lane]);
    }
    return product.determinant();
  }

  const V *scales(Mode mode, int64_t group) const override {
    return scalesAt(group) + (mode == Mode::N ? 0 : pivots.size());
  }

  int64_t bytes() const override {
    return Factors<T>::bytes() + pivots.bytes();
  }

private:
  V *lowerAt(int64_t group) const { return this->of(group); }
  V *upperAt(int64_t group) const {
    return lowerAt(group) + pivots.lower.rows.size();
  }
  V *inverseAt(int64_t group) const {
    return upperAt(group) + pivots.upper.rows.size();
  }
  V *scalesAt(int64_t group) const { return inverseAt(group) + pivots.size(); }

  /// Rows first, then columns.
  TSGU_INLINE void scale(V *A, int64_t group) const {
    const auto entries = static_cast<Index>(pivots.rowOf.size());
    V *scale = scalesAt(group);
    for (const auto *line : {&pivots.rowOf, &pivots.columnOf}) {
      for (int64_t k = 0; k < pivots.size(); ++k)
        scale[k] = V{};
      for (Index e = 0; e < entries; ++e) {
        V size = A[e];
        makePositive<T>(size);
        keepLarger<T>(scale[(*line)[e]], size);
      }
      for (int64_t k = 0; k < pivots.size(); ++k) {
        const V size = scale[k];
        inverseScale<T, 1>(size, scale[k]);
      }
      for (Index e = 0; e < entries; ++e)
        A[e] *= scale[(*line)[e]];
      scale += pivots.size();
    }
  }

  /// `column`: n numbers for a column of L and U.
  TSGU_INLINE void factorise(const V *A, int64_t group, V *column,
                             Bits<T> &good) const {
    const auto &[starts, rows, from] = pivots.lower;
    const Pivots::Half &upper = pivots.upper;
    V *const L = lowerAt(group), *const U = upperAt(group);
    V *const inverse = inverseAt(group);
    const T least = std::sqrt(std::numeric_limits<T>::epsilon());
    V most{};
    for (Index k = 0; k < pivots.size(); ++k) {
      for (Index e = upper.starts[k]; e < upper.starts[k + 1]; ++e)
        column[upper.rows[e]] = upper.from[e] < 0 ? V{} : A[upper.from[e]];
      for (Index e = starts[k]; e < starts[k + 1]; ++e)
        column[rows[e]] = from[e] < 0 ? V{} : A[from[e]];
      column[k] = pivots.diagonal[k] < 0 ? V{} : A[pivots.diagonal[k]];
      for (Index u = upper.starts[k]; u < upper.starts[k + 1]; ++u) {
        const Index j = upper.rows[u];
        const V by = column[j];
        U[u] = by;
        for (Index e = starts[j]; e < starts[j + 1]; ++e)
          column[rows[e]] -= L[e] * by;
        watch(by, most);
      }
      V size = column[k];
      inverse[k] = T(1) / size;
      makePositive<T>(size);
      good &= size > least;
      keepLarger<T>(most, size);
      for (Index e = starts[k]; e < starts[k + 1]; ++e) {
        L[e] = column[rows[e]] * inverse[k];
        watch(L[e], most);
      }
    }
    good &= most < T(mostGrowth);
  }

  static TSGU_INLINE void watch(const V &v, V &most) {
    V size = v;
    makePositive<T>(size);
    keepLarger<T>(most, size);
  }

  TSGU_INLINE void solve(int64_t group, const V *b, V *x, V *y) const {
    const V *const L = lowerAt(group), *const U = upperAt(group);
    const V *const inverse = inverseAt(group);
    const Pivots::Half &lower = pivots.lower, &upper = pivots.upper;
    const auto n = static_cast<Index>(pivots.size());
    for (Index k = 0; k < n; ++k)
      y[k] = b[pivots.rows[k]] * scalesAt(group)[pivots.rows[k]];
    for (Index k = 0; k < n; ++k)
      for (Index e = lower.starts[k]; e < lower.starts[k + 1]; ++e)
        y[lower.rows[e]] -= L[e] * y[k];
    for (Index k = n; k-- > 0;) {
      const V known = y[k] * inverse[k];
      for (Index e = upper.starts[k]; e < upper.starts[k + 1]; ++e)
        y[upper.rows[e]] -= U[e] * known;
      x[pivots.columns[k]] = known * scalesAt(group)[n + pivots.columns[k]];
    }
  }

  TSGU_INLINE void solveTransposed(int64_t group, const V *b, V *x,
                                   V *y) const {
    const V *const L = lowerAt(group), *const U = upperAt(group);
    const V *const inverse = inverseAt(group);
    const Pivots::Half &lower = pivots.lower, &upper = pivots.upper;
    const auto n = static_cast<Index>(pivots.size());
    for (Index k = 0; k < n; ++k) {
      V sum = b[pivots.columns[k]] * scalesAt(group)[n + pivots.columns[k]];
      for (Index e = upper.starts[k]; e < upper.starts[k + 1]; ++e)
        sum -= U[e] * y[upper.rows[e]];
      y[k] = sum * inverse[k];
    }
    for (Index k = n; k-- > 0;) {
      V sum = y[k];
      for (Index e = lower.starts[k]; e < lower.starts[k + 1]; ++e)
        sum -= L[e] * y[lower.rows[e]];
      y[k] = sum;
      x[pivots.rows[k]] = sum * scalesAt(group)[pivots.rows[k]];
    }
  }

  const Pivots pivots;
};

/// About so many, before there are pivots.
template <typename T> int64_t numbersOf(const Matrix<T> &A) {
  const int64_t stored = A.pattern->stored();
  return A.rows() <= mostRows && stored <= mostEntries
             ? 4 * stored + 3 * A.rows()
             : 0;
}

template <typename T>
std::shared_ptr<Factors<T>> make(const Batch<T> &batch,
                                 const tsgu_executor &executor) {
  Pivots pivots = choosePivots(batch.item(0));
  if (!pivots.exist() ||
      pivots.lower.rows.size() + pivots.upper.rows.size() > mostEntries)
    return nullptr;
  return std::make_shared<LUFactors<T>>(batch, std::move(pivots), executor);
}

} // namespace

template <typename T> LaneMethod<T> byLU() { return {numbersOf<T>, make<T>}; }
template LaneMethod<float> byLU();
template LaneMethod<double> byLU();

} // namespace tsgu::runtime::lanewise
