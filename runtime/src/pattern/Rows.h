//===- Rows.h - Rows of a matrix, and loops over them -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_ROWS_H
#define TSGU_SRC_PATTERN_ROWS_H

#include "base/Parallel.h"
#include "pattern/Matrix.h"

#include <algorithm>
#include <string>

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

/// " of item 2", or nothing for a matrix that is not of a batch.
inline std::string ofItem(const Pattern &pattern, int64_t item) {
  return pattern.rank() == 3 ? " of item " + std::to_string(item) : "";
}

/// "row 3", "row 3 of item 2".
template <typename T> std::string nameOfRow(const Matrix<T> &A, int64_t row) {
  return "row " + std::to_string(row) + ofItem(*A.pattern, A.item);
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

#endif // TSGU_SRC_PATTERN_ROWS_H
