//===- LU.cpp - Any square matrices in lanes ------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// P R A C Q = L U, R and C of powers of two that bring the
// entries to the size of 1, with the pivots of the first item for all of them.
// What they are to others is watched: the smallest pivot, and how L and U grow.
//
//===----------------------------------------------------------------------===//

#include "direct/lanes/Factors.h"
#include "direct/lanes/Pivots.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime::lanewise {
namespace {

using Index = Pivots::Index;

/// A search for pivots takes longer than what it is for in larger ones.
constexpr int64_t mostRows = 256;
/// Of L and U, whose entries would be up to 1 with pivots of their own.
constexpr double mostGrowth = 1024;

template <typename T> class LUFactors : public Factors<T> {
  using V = Vector<T>;

public:
  LUFactors(const Batch<T> &batch, Pivots &&chosen,
            const tsgu_executor &executor)
      : Factors<T>(batch, chosen.recipe.numbers() + 2 * batch.rows()),
        pivots(std::move(chosen)) {
    this->forGroups(batch, executor,
                    [&](V *A, int64_t group, Bits<T> &good) TSGU_INLINE {
                      scale(A, group);
                      factorise(A, group, good);
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

  void determinants(int64_t group, Determinant<T> *to) const override {
    LaneProduct product; // Of the inverse's.
    const int64_t n = pivots.recipe.size();
    withVectors([&]() TSGU_INLINE {
      for (int64_t k = 0; k < n; ++k)
        product.multiply<T>(this->of(group)[k]);
      for (int64_t k = 0; k < 2 * n; ++k)
        product.scale<T>(scalesAt(group)[k]);
    });
    const int sign = signOf(pivots.recipe.rows) * signOf(pivots.recipe.columns);
    for (int64_t lane = 0; lane < width; ++lane)
      to[lane] = {static_cast<T>(sign * product.sign(lane)),
                  static_cast<T>(-product.log(lane))};
  }

  const V *scales(Mode mode, int64_t group) const override {
    return scalesAt(group) + (mode == Mode::N ? 0 : pivots.recipe.size());
  }

  int64_t bytes() const override {
    return Factors<T>::bytes() + pivots.bytes();
  }

private:
  V *scalesAt(int64_t group) const {
    return this->of(group) + pivots.recipe.numbers();
  }

  /// Rows first, then columns.
  TSGU_INLINE void scale(V *A, int64_t group) const {
    const int64_t n = pivots.recipe.size();
    const Index *const starts = pivots.rowStarts.data();
    const Index *const columnOf = pivots.columnOf.data();
    V *const rows = scalesAt(group), *const columns = rows + n;
    for (int64_t k = 0; k < n; ++k)
      columns[k] = V{};
    for (int64_t i = 0; i < n; ++i) {
      V most{}, by;
      for (Index e = starts[i]; e < starts[i + 1]; ++e)
        watch(A[e], most);
      inverseScale<T, 1>(most, by);
      rows[i] = by;
      for (Index e = starts[i]; e < starts[i + 1]; ++e) {
        A[e] *= by;
        watch(A[e], columns[columnOf[e]]);
      }
    }
    for (int64_t j = 0; j < n; ++j) {
      const V most = columns[j];
      inverseScale<T, 1>(most, columns[j]);
    }
    for (Index e = 0; e < starts[n]; ++e)
      A[e] *= columns[columnOf[e]];
  }

  TSGU_INLINE void factorise(const V *A, int64_t group, Bits<T> &good) const {
    const T least = std::sqrt(std::numeric_limits<T>::epsilon());
    V most{};
    const auto see = [&](const V &v) TSGU_INLINE { watch(v, most); };
    eliminate<T>(
        pivots.recipe, A, this->of(group),
        [&](int64_t, V &pivot) TSGU_INLINE {
          V size = pivot;
          makePositive<T>(size);
          good &= size > least;
          see(pivot);
          pivot = T(1) / pivot;
        },
        see);
    good &= most < T(mostGrowth);
  }

  static TSGU_INLINE void watch(const V &v, V &most) {
    V size = v;
    makePositive<T>(size);
    keepLarger<T>(most, size);
  }

  TSGU_INLINE void solve(int64_t group, const V *b, V *x, V *y) const {
    const Recipe &LU = pivots.recipe;
    const int64_t n = LU.size();
    const Index *const starts = LU.starts.data(), *middles = LU.middles.data();
    const Index *const rows = LU.rowOf.data();
    const V *const inverse = this->of(group), *const factor = inverse + n;
    const V *const scale = scalesAt(group);
    for (int64_t k = 0; k < n; ++k)
      y[k] = b[LU.rows[k]] * scale[LU.rows[k]];
    for (int64_t k = 0; k < n; ++k) {
      const V known = y[k];
      for (Index e = middles[k], end = starts[k + 1]; e < end; ++e)
        y[rows[e]] -= factor[e] * known;
    }
    for (int64_t k = n; k-- > 0;) {
      const V known = y[k] * inverse[k];
      for (Index e = starts[k], end = middles[k]; e < end; ++e)
        y[rows[e]] -= factor[e] * known;
      x[LU.columns[k]] = known * scale[n + LU.columns[k]];
    }
  }

  TSGU_INLINE void solveTransposed(int64_t group, const V *b, V *x,
                                   V *y) const {
    const Recipe &LU = pivots.recipe;
    const int64_t n = LU.size();
    const Index *const starts = LU.starts.data(), *middles = LU.middles.data();
    const Index *const rows = LU.rowOf.data();
    const V *const inverse = this->of(group), *const factor = inverse + n;
    const V *const scale = scalesAt(group);
    for (int64_t k = 0; k < n; ++k) {
      V sum = b[LU.columns[k]] * scale[n + LU.columns[k]];
      for (Index e = starts[k], end = middles[k]; e < end; ++e)
        sum -= factor[e] * y[rows[e]];
      y[k] = sum * inverse[k];
    }
    for (int64_t k = n; k-- > 0;) {
      V sum = y[k];
      for (Index e = middles[k], end = starts[k + 1]; e < end; ++e)
        sum -= factor[e] * y[rows[e]];
      y[k] = sum;
      x[LU.rows[k]] = sum * scale[LU.rows[k]];
    }
  }

  const Pivots pivots;
};

/// About so many, before there are pivots.
template <typename T> int64_t numbersOf(const Matrix<T> &A) {
  const int64_t numbers =
      4 * A.pattern->stored() / A.pattern->items() + 3 * A.rows();
  return A.rows() <= mostRows && numbers <= Recipe::mostPlaces ? numbers : 0;
}

template <typename T>
std::shared_ptr<Factors<T>> make(const Batch<T> &batch,
                                 const tsgu_executor &executor) {
  Pivots pivots = choosePivots(batch.item(0));
  if (!pivots.exist)
    return nullptr;
  return std::make_shared<LUFactors<T>>(batch, std::move(pivots), executor);
}

} // namespace

template <typename T> LaneMethod<T> byLU() { return {numbersOf<T>, make<T>}; }
template LaneMethod<float> byLU();
template LaneMethod<double> byLU();

} // namespace tsgu::runtime::lanewise
