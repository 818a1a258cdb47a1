//===- Columns.h - A Cholesky factor column by column -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LANES_COLUMNS_H
#define TSGU_SRC_DIRECT_LANES_COLUMNS_H

#include "base/Attachments.h"
#include "direct/lanes/Recipe.h"
#include "pattern/Matrix.h"

namespace tsgu::runtime::lanewise {

/// L of a pattern of rank 2.
struct Columns : Attachment {
  using Index = Recipe::Index;

  /// Whether a batch should go by lanes; if not, the rest is of no use.
  bool pay = false;
  Recipe recipe;
  std::vector<Index> diagonal; ///< Entries of A, by rows of L.

  /// Entries of A across the diagonal from each other, -1: not stored, and the
  /// rows of A that they are in.
  struct Pair {
    Index entry, mirror, row, column;
  };
  std::vector<Pair> pairs;

  int64_t bytes() const override;
};

/// Found out once for the pattern.
template <typename T>
std::shared_ptr<const Columns> columnsOf(const Matrix<T> &A);

} // namespace tsgu::runtime::lanewise

#endif // TSGU_SRC_DIRECT_LANES_COLUMNS_H
