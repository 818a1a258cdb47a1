//===- Pivots.h - L and U of a batch by the pivots of one item --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LANES_PIVOTS_H
#define TSGU_SRC_DIRECT_LANES_PIVOTS_H

#include "direct/lanes/Recipe.h"
#include "pattern/Matrix.h"

namespace tsgu::runtime::lanewise {

/// L and U of a pattern, once rows and columns are in some order.
struct Pivots {
  using Index = Recipe::Index;

  bool exist = false;
  Recipe recipe;
  /// Entries of A by rows, and the column of each.
  std::vector<Index> rowStarts{0}, columnOf;

  int64_t bytes() const;
};

/// Pivots of A, whose largest entry in each row and column is about 1: those
/// that fill in the least (Markowitz 1957) among the ones that are no smaller
/// than a tenth of their column. There may be none, or too many entries.
template <typename T> Pivots choosePivots(const Matrix<T> &A);

} // namespace tsgu::runtime::lanewise

#endif // TSGU_SRC_DIRECT_LANES_PIVOTS_H
