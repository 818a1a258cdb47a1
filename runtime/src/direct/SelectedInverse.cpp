//===- SelectedInverse.cpp - Inverses on a pattern, by solves -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every factorisation can do. Row i of A^-H is column i of A^-1: panels of
// sixteen columns, which threads share out, O(n) solves and O(n) memory.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "direct/Factorization.h"
#include "pattern/Rows.h"

#include <algorithm>

namespace tsgu::runtime {
namespace {

constexpr int64_t panelWidth = 16;

/// y = D x by rows, D on A's pattern with values from the item's first on.
template <typename T>
void multiplyBy(const Matrix<T> &A, const T *D, Vectors<const T> x,
                Vectors<T> y) {
  withRows(A, [&](auto *positions, auto *coordinates) {
    for (int64_t i = 0; i < A.rows(); ++i) {
      std::fill_n(y.row(i), y.count, T(0));
      for (int64_t e = positions[i]; e < positions[i + 1]; ++e)
        for (int64_t j = 0; j < y.count; ++j)
          y.row(i)[j] += times(D[e - positions[0]], x.row(coordinates[e])[j]);
    }
  });
}

/// values[e] = conj(X(j, i)) for the entries (i, j), where `apply` makes y,
/// columns of X, of those of the identity in x, which it may overwrite.
template <typename T, typename F>
void sampleAdjoint(const Matrix<T> &A, T *values, const tsgu_executor &executor,
                   F &&apply) {
  const int64_t n = A.rows(), panels = (n + panelWidth - 1) / panelWidth;
  const tsgu_executor inner = panels > 1 ? tsgu_executor{1, nullptr} : executor;
  parallelFor(executor, panels, [&](int64_t begin, int64_t end) {
    const Scratch memory(multiply(multiply(n, panelWidth), 2 * sizeof(T)));
    for (int64_t panel = begin; panel < end; ++panel) {
      checkInterrupt();
      const int64_t first = panel * panelWidth;
      const int64_t width = std::min(panelWidth, n - first);
      Vectors<T> x{reinterpret_cast<T *>(memory.data()), n, width, width};
      Vectors<T> y{x.data + n * width, n, width, width};
      std::fill_n(x.data, n * width, T(0));
      for (int64_t j = 0; j < width; ++j)
        x.row(first + j)[j] = T(1);
      apply(x, y, inner);
      withRows(A, [&](auto *positions, auto *coordinates) {
        for (int64_t j = 0; j < width; ++j)
          for (int64_t e = positions[first + j]; e < positions[first + j + 1];
               ++e)
            values[e - positions[0]] = conjugate(y.row(coordinates[e])[j]);
      });
    }
  });
}

template <typename T> Vectors<const T> reading(const Vectors<T> &of) {
  return {of.data, of.length, of.count, of.stride};
}

} // namespace

template <typename T>
void Factorization<T>::selectedInverse(const Matrix<T> &A, T *values,
                                       const tsgu_executor &executor) const {
  sampleAdjoint(A, values, executor,
                [&](Vectors<T> x, Vectors<T> y, const tsgu_executor &inner) {
                  this->apply(Mode::N, reading(x), y, inner);
                });
}

template <typename T>
void Factorization<T>::selectedProduct(const Matrix<T> &A, const T *direction,
                                       T *values,
                                       const tsgu_executor &executor) const {
  sampleAdjoint(A, values, executor,
                [&](Vectors<T> x, Vectors<T> y, const tsgu_executor &inner) {
                  this->apply(Mode::N, reading(x), y, inner);
                  multiplyBy(A, direction, reading(y), x);
                  this->apply(Mode::N, reading(x), y, inner);
                });
}

template <typename T>
void Factorization<T>::halfSolve(Mode, Vectors<const T>, Vectors<T>,
                                 const tsgu_executor &) const {
  fail(Status::InvalidArgument, "half solves need a factorisation L L^H of a "
                                "Hermitian matrix; use \"cholesky\"");
}

#define INSTANTIATE(T)                                                         \
  template void Factorization<T>::selectedInverse(                             \
      const Matrix<T> &, T *, const tsgu_executor &) const;                    \
  template void Factorization<T>::selectedProduct(                             \
      const Matrix<T> &, const T *, T *, const tsgu_executor &) const;         \
  template void Factorization<T>::halfSolve(                                   \
      Mode, Vectors<const T>, Vectors<T>, const tsgu_executor &) const;
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
