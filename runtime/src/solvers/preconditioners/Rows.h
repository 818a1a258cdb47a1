//===- Rows.h - Rows of a matrix, and loops over them -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_ROWS_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_ROWS_H

#include "../../Matrix.h"
#include "../../Parallel.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace tsgu::runtime {

/// function(positions, coordinates), of type int32 or int64: the entries of row
/// i of A are positions[i] .. positions[i + 1] - 1, in the coordinates and in
/// A.values.
template <typename T, typename F>
decltype(auto) withRows(const Matrix<T> &A, F &&function) {
  const Layout &csr = A.pattern->csr();
  return withIndexType(csr.indexType, [&]<typename I>(I) {
    return function(static_cast<const I *>(csr.positions) + A.firstRow(),
                    static_cast<const I *>(csr.coordinates));
  });
}

/// "row 3", "row 3 of item 2".
template <typename T> std::string nameOfRow(const Matrix<T> &A, int64_t row) {
  std::string name = "row " + std::to_string(row);
  if (A.pattern->rank() == 3)
    name += " of item " + std::to_string(A.item);
  return name;
}

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

/// function(begin, end) over ranges of `rows` rows of about `work` operations
/// each, on one thread where they are few.
template <typename F>
void forRows(const tsgu_executor &executor, int64_t rows, int64_t work,
             F &&function) {
  constexpr int64_t workOfRange = 16384;
  const int64_t parts = std::clamp<int64_t>(rows * work / workOfRange, 1,
                                            std::max(1, 4 * executor.threads));
  parallelFor(executor, parts, [&](int64_t begin, int64_t end) {
    function(mulDiv(rows, begin, parts), mulDiv(rows, end, parts));
  });
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_ROWS_H
