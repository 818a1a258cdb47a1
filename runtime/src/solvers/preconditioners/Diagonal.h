//===- Diagonal.h - The diagonal that preconditioners divide by -*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_DIAGONAL_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_DIAGONAL_H

#include "pattern/Rows.h"

#include <vector>

namespace tsgu::runtime {

/// Where the diagonal is in each row. Throws Singular if it is missing or zero.
template <typename T>
std::vector<int64_t> findDiagonal(const Matrix<T> &A, const char *user) {
  std::vector<int64_t> diagonal(A.rows());
  withRows(A, [&](auto *positions, auto *coordinates) {
    for (int64_t i = 0; i < A.rows(); ++i) {
      auto *begin = coordinates + positions[i];
      auto *end = coordinates + positions[i + 1];
      auto *found = std::lower_bound(begin, end, i);
      const bool stored = found != end && *found == i;
      diagonal[i] = found - coordinates;
      if (!stored || A.values[diagonal[i]] == T(0))
        fail(Status::Singular, user, ": the diagonal of ", nameOfRow(A, i),
             stored ? " is zero" : " is not stored",
             "; reorder the rows so that no diagonal entry is zero, or use "
             "another preconditioner");
    }
  });
  return diagonal;
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_DIAGONAL_H
