//===- Residual.h - What a solution leaves of a right-hand side -*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_RESIDUAL_H
#define TSGU_SRC_DIRECT_RESIDUAL_H

#include "base/Parallel.h"
#include "pattern/Matrix.h"
#include "tsgu/tsgu.h"

#include <algorithm>
#include <vector>

namespace tsgu::runtime {

/// Of one column, in 2-norms.
struct ResidualNorms {
  double residual = 0; ///< b - op(A) x.
  double terms = 0;    ///< |op(A)| |x| + |b|: what it is rounded with.
  double b = 0;
  /// residual / terms, each row divided by its size in the matrix.
  double relative = 0;
};

/// In roundings of the terms: a residual that needs no refinement, and one that
/// is accepted.
inline constexpr double smallResidual = 4, acceptedResidual = 100;
/// Of refinement.
inline constexpr int mostSteps = 5;
/// Right-hand sides are scaled to the matrix's size unless they are within so
/// many powers of two of it.
inline constexpr int moderate = 40;

/// The most columns of a residual.
inline constexpr int64_t residualColumns = 16;

/// function(first, width, executor) for panels of so many columns at most,
/// which threads share out, or work on one together.
template <typename F>
void forPanels(const tsgu_executor &executor, int64_t columns, F &&function) {
  const int64_t panels = (columns + residualColumns - 1) / residualColumns;
  const tsgu_executor inner = panels > 1 ? tsgu_executor{1, nullptr} : executor;
  parallelFor(executor, panels, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * residualColumns;
      function(first, std::min(residualColumns, columns - first), inner);
    }
  });
}

/// r = b - op(A) x, and its norms by column, row by row. `scale`: the inverse
/// sizes of the rows of op(A). b, x and r are contiguous blocks of `columns`
/// columns. Norms are multiplied by 2^-exponent, and could overflow without.
template <typename T>
void computeResidual(const Matrix<T> &A, Mode mode,
                     const std::vector<Real<T>> &scale, int exponent,
                     int64_t columns, const T *b, const T *x, Wide<T> *r,
                     std::vector<ResidualNorms> &norms,
                     const tsgu_executor &executor);

} // namespace tsgu::runtime

#endif // TSGU_SRC_DIRECT_RESIDUAL_H
