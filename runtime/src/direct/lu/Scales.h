//===- Scales.h - Rows and columns with entries near 1 ----------*- C++ -*-===//
//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LU_SCALES_H
#define TSGU_SRC_DIRECT_LU_SCALES_H

#include "direct/Factorization.h"
#include "pattern/Rows.h"

#include <cmath>

namespace tsgu::runtime {

/// Powers of two that make the largest entry of each row, then of each column
/// be between 1 and 2. Throws for a row or column without one.
template <typename T>
void setScales(const char *name, const Matrix<T> &A,
               Factorization<T> &factors) {
  const auto n = static_cast<size_t>(A.rows());
  auto &rows = factors.rowScale, &columns = factors.columnScale;
  rows.assign(n, 0), columns.assign(n, 0);
  auto require = [&](bool fits, const char *what, size_t i) {
    if (fits)
      return;
    fail(Status::Singular, name, ": the matrix is singular: ", what, " ", i,
         ofItem(*A.pattern, A.item),
         " has no entry other than 0; try sparse_generic_lstsq");
  };
  withRows(A, [&](auto *positions, auto *coordinates) {
    for (size_t i = 0; i < n; ++i) {
      Real<T> most = 0;
      for (int64_t e = positions[i]; e < positions[i + 1]; ++e)
        most = std::max(most, std::abs(A.values[e]));
      require(most > 0, "row", i);
      rows[i] = scaleOf(most);
      for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
        Real<T> &size = columns[coordinates[e]];
        size = std::max(size, std::abs(A.values[e]) * rows[i]);
      }
    }
  });
  for (size_t j = 0; j < n; ++j) {
    require(columns[j] > 0, "column", j);
    columns[j] = scaleOf(columns[j]);
  }
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_DIRECT_LU_SCALES_H
