//===- Cholesky.cpp - Symmetric positive definite matrices in lanes -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// P A P^T = L L^T column by column, each less the products of those before it
// that have its row. No scales: they are powers of two, and would change no
// digit, but pivots are judged as if the diagonal had been between 1 and 4.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "direct/lanes/Columns.h"
#include "direct/lanes/Factors.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime::lanewise {
namespace {

template <typename T> class CholeskyFactors : public Factors<T> {
  using V = Vector<T>;

public:
  CholeskyFactors(const Batch<T> &batch, std::shared_ptr<const Columns> columns,
                  const tsgu_executor &executor)
      : Factors<T>(batch, columns->numbers()), columns(std::move(columns)) {
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
          scaleSymmetric(A, scalesAt(group), good);
          factorise(A, group, A + stored, good);
        });
        for (int64_t lane = 0; lane < batch.live(group); ++lane)
          this->good[group * width + lane] = good[lane] != 0;
      }
    });
  }

  void solve(Mode, int64_t group, const V *b, V *x, V *y) const override {
    const Columns &L = *columns;
    const auto n = static_cast<Index>(L.size());
    const V *const factor = this->of(group), *const inverse = inverseAt(group);
    withVectors([&]() TSGU_INLINE {
      for (Index k = 0; k < n; ++k)
        y[k] = b[L.order[k]];
      for (Index k = 0; k < n; ++k) {
        const V known = y[k] *= inverse[k];
        for (Index e = L.starts[k]; e < L.starts[k + 1]; ++e)
          y[L.rows[e]] -= factor[e] * known;
      }
      for (Index k = n; k-- > 0;) {
        V sum = y[k], other{};
        Index e = L.starts[k];
        const Index end = L.starts[k + 1];
        for (; e + 1 < end; e += 2) {
          sum -= factor[e] * y[L.rows[e]];
          other -= factor[e + 1] * y[L.rows[e + 1]];
        }
        if (e < end)
          sum -= factor[e] * y[L.rows[e]];
        x[L.order[k]] = y[k] = (sum + other) * inverse[k];
      }
    });
  }

  /// det A = the squares of L's diagonal.
  Determinant<T> determinant(int64_t item) const override {
    const V *const inverse = inverseAt(item / width);
    ScaledProduct<T> product;
    for (int64_t k = 0; k < columns->size(); ++k)
      product.multiply(inverse[k][item % width]);
    return {T(1), -2 * product.determinant().log};
  }

  const V *scales(Mode, int64_t group) const override {
    return scalesAt(group);
  }

private:
  using Index = Columns::Index;

  V *inverseAt(int64_t group) const {
    return this->of(group) + columns->rows.size();
  }
  V *scalesAt(int64_t group) const {
    return inverseAt(group) + columns->size();
  }

  /// Both triangles have to agree, as far as refinement makes up for it.
  TSGU_INLINE void scaleSymmetric(const V *A, V *scale, Bits<T> &good) const {
    for (Index k = 0; k < columns->size(); ++k)
      inverseScale<T, 2>(A[columns->diagonal[k]], scale[columns->order[k]]);
    const T rounding = std::sqrt(std::numeric_limits<T>::epsilon());
    for (const auto &[entry, mirror, row, column] : columns->pairs) {
      V difference =
          (entry < 0 ? V{} : A[entry]) - (mirror < 0 ? V{} : A[mirror]);
      makePositive<T>(difference);
      good &= difference * scale[row] * scale[column] <= rounding;
    }
  }

  /// `column`: n numbers for a column of L by rows.
  TSGU_INLINE void factorise(const V *A, int64_t group, V *column,
                             Bits<T> &good) const {
    const Columns &L = *columns;
    V *const factor = this->of(group), *const inverse = inverseAt(group);
    const V *const scale = scalesAt(group);
    const T least = std::sqrt(std::numeric_limits<T>::epsilon());
    for (Index k = 0; k < L.size(); ++k) {
      const Index begin = L.starts[k], end = L.starts[k + 1];
      V pivot = A[L.diagonal[k]];
      for (Index e = begin; e < end; ++e)
        column[L.rows[e]] = L.from[e] < 0 ? V{} : A[L.from[e]];
      for (Index u = L.updateStarts[k]; u < L.updateStarts[k + 1]; ++u) {
        const auto [at, last] = L.updates[u];
        const V by = factor[at];
        pivot -= by * by;
        for (Index e = at + 1; e < last; ++e)
          column[L.rows[e]] -= factor[e] * by;
      }
      const V size = scale[L.order[k]];
      good &= pivot * size * size > least;
      V root;
      squareRoot<T>(pivot, root);
      inverse[k] = T(1) / root;
      for (Index e = begin; e < end; ++e)
        factor[e] = column[L.rows[e]] * inverse[k];
    }
  }

  const std::shared_ptr<const Columns> columns;
};

template <typename T> int64_t numbersOf(const Matrix<T> &A) {
  const auto columns = columnsOf(A);
  return columns->pay ? columns->numbers() : 0;
}

template <typename T>
std::shared_ptr<Factors<T>> make(const Batch<T> &batch,
                                 const tsgu_executor &executor) {
  return std::make_shared<CholeskyFactors<T>>(batch, columnsOf(batch.item(0)),
                                              executor);
}

} // namespace

template <typename T> LaneMethod<T> byCholesky() {
  return {numbersOf<T>, make<T>};
}
template LaneMethod<float> byCholesky();
template LaneMethod<double> byCholesky();

} // namespace tsgu::runtime::lanewise
