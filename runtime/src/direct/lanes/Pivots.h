//===- Pivots.h - L and U of a batch by the pivots of one item --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LANES_PIVOTS_H
#define TSGU_SRC_DIRECT_LANES_PIVOTS_H

#include "pattern/Matrix.h"

#include <vector>

namespace tsgu::runtime::lanewise {

/// Where the entries of L and U of a pattern are, once rows and columns are in
/// this order. Rows and columns of both are numbered as they are eliminated.
struct Pivots {
  using Index = int32_t;

  /// Rows and columns of A as they are eliminated; none: there is no order.
  std::vector<Index> rows, columns;
  /// By columns, ascending, and the entries of A there; -1: none.
  struct Half {
    std::vector<Index> starts{0}, rows, from;
  };
  Half lower, upper;           ///< Without the diagonal.
  std::vector<Index> diagonal; ///< Entries of A; -1: none.
  /// The row and the column of each entry of A.
  std::vector<Index> rowOf, columnOf;

  bool exist() const { return !rows.empty(); }
  int64_t size() const { return static_cast<int64_t>(rows.size()); }
  int64_t bytes() const;
};

/// Pivots of A, whose largest entry in each row and column is about 1: those
/// that fill in the least (Markowitz 1957) among the ones that are no smaller
/// than a tenth of their column.
template <typename T> Pivots choosePivots(const Matrix<T> &A);

} // namespace tsgu::runtime::lanewise

#endif // TSGU_SRC_DIRECT_LANES_PIVOTS_H
