//===- Cholesky.cpp - Symmetric positive definite matrices in lanes -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// P A P^T = L L^T. No scales: they are powers of two, and would change no
// digit, but pivots are judged as if the diagonal had been between 1 and 4.
//
//===----------------------------------------------------------------------===//

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
      : Factors<T>(batch, columns->recipe.numbers() + batch.rows()),
        columns(std::move(columns)) {
    this->forGroups(batch, executor,
                    [&](V *A, int64_t group, Bits<T> &good) TSGU_INLINE {
                      scaleSymmetric(A, scalesAt(group), good);
                      factorise(A, group, good);
                    });
  }

  void solve(Mode, int64_t group, const V *b, V *x, V *y) const override {
    const Recipe &L = columns->recipe;
    const int64_t n = L.size();
    const Index *const order = L.rows.data(), *const starts = L.starts.data();
    const Index *const rows = L.rowOf.data();
    const V *const inverse = this->of(group), *const factor = inverse + n;
    withVectors([&]() TSGU_INLINE {
      for (int64_t k = 0; k < n; ++k)
        y[k] = b[order[k]];
      for (int64_t k = 0; k < n; ++k) {
        const V known = y[k] * inverse[k];
        y[k] = known;
        for (Index e = starts[k], end = starts[k + 1]; e < end; ++e)
          y[rows[e]] -= factor[e] * known;
      }
      for (int64_t k = n; k-- > 0;) {
        V sum = y[k], other{};
        Index e = starts[k];
        const Index end = starts[k + 1];
        for (; e + 1 < end; e += 2) {
          sum -= factor[e] * y[rows[e]];
          other -= factor[e + 1] * y[rows[e + 1]];
        }
        if (e < end)
          sum -= factor[e] * y[rows[e]];
        sum = (sum + other) * inverse[k];
        x[order[k]] = y[k] = sum;
      }
    });
  }

  /// det A = the squares of L's diagonal.
  void determinants(int64_t group, Determinant<T> *to) const override {
    LaneProduct product;
    withVectors([&]() TSGU_INLINE {
      for (int64_t k = 0; k < columns->recipe.size(); ++k)
        product.multiply<T>(this->of(group)[k]);
    });
    for (int64_t lane = 0; lane < width; ++lane)
      to[lane] = {T(1), static_cast<T>(-2 * product.log(lane))};
  }

  const V *scales(Mode, int64_t group) const override {
    return scalesAt(group);
  }

private:
  using Index = Columns::Index;

  V *scalesAt(int64_t group) const {
    return this->of(group) + columns->recipe.numbers();
  }

  /// Both triangles have to agree, as far as refinement makes up for it.
  TSGU_INLINE void scaleSymmetric(const V *A, V *scale, Bits<T> &good) const {
    const std::vector<Index> &diagonal = columns->diagonal;
    for (size_t k = 0; k < diagonal.size(); ++k)
      inverseScale<T, 2>(A[diagonal[k]], scale[columns->recipe.rows[k]]);
    const T rounding = std::sqrt(std::numeric_limits<T>::epsilon());
    for (const auto &[entry, mirror, row, column] : columns->pairs) {
      V difference =
          (entry < 0 ? V{} : A[entry]) - (mirror < 0 ? V{} : A[mirror]);
      makePositive<T>(difference);
      good &= difference * scale[row] * scale[column] <= rounding;
    }
  }

  TSGU_INLINE void factorise(const V *A, int64_t group, Bits<T> &good) const {
    const V *const scale = scalesAt(group);
    const Index *const order = columns->recipe.rows.data();
    const T least = std::sqrt(std::numeric_limits<T>::epsilon());
    eliminate<T>(
        columns->recipe, A, this->of(group),
        [&](int64_t k, V &pivot) TSGU_INLINE {
          const V size = scale[order[k]];
          good &= pivot * size * size > least;
          V root;
          squareRoot<T>(pivot, root);
          pivot = T(1) / root;
        },
        [](const V &) TSGU_INLINE {});
  }

  const std::shared_ptr<const Columns> columns;
};

template <typename T> int64_t numbersOf(const Matrix<T> &A) {
  const auto columns = columnsOf(A);
  return columns->pay ? columns->recipe.numbers() + A.rows() : 0;
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
