//===- Columns.h - A Cholesky factor column by column -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LANES_COLUMNS_H
#define TSGU_SRC_DIRECT_LANES_COLUMNS_H

#include "base/Attachments.h"
#include "pattern/Matrix.h"

#include <vector>

namespace tsgu::runtime::lanewise {

/// L of a pattern of rank 2: for small matrices, whose supernodes would be.
struct Columns : Attachment {
  using Index = int32_t;

  /// Whether a batch should go by lanes; if not, the rest is empty.
  bool pay = false;
  std::vector<Index> order;        ///< Rows of A as they are eliminated.
  std::vector<Index> diagonal;     ///< Their entries of A.
  std::vector<Index> starts, rows; ///< Below the diagonal, ascending.
  std::vector<Index> from;         ///< The entry of A there; -1: none.

  /// A column that takes part in a later one: from its entry in that row on.
  struct Update {
    Index at, end;
  };
  std::vector<Index> updateStarts;
  std::vector<Update> updates;

  /// Entries of A across the diagonal from each other, -1: not stored, and the
  /// rows of A that they are in.
  struct Pair {
    Index entry, mirror, row, column;
  };
  std::vector<Pair> pairs;

  int64_t size() const { return static_cast<int64_t>(order.size()); }
  /// Of a factor: L, the inverse of its diagonal, and the scales of the matrix.
  int64_t numbers() const {
    return static_cast<int64_t>(rows.size()) + 2 * size();
  }
  int64_t bytes() const override;
};

/// Found out once for the pattern.
template <typename T>
std::shared_ptr<const Columns> columnsOf(const Matrix<T> &A);

} // namespace tsgu::runtime::lanewise

#endif // TSGU_SRC_DIRECT_LANES_COLUMNS_H
