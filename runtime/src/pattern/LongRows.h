//===- LongRows.h - Rows that have much of a matrix -------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row that has a large share of all entries is computed in chunks, each of
// which is a row of a matrix with finer positions. Which rows, and into how
// many chunks, follows from the layout alone, so that sums have one order
// whatever the number of threads.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_LONGROWS_H
#define TSGU_SRC_PATTERN_LONGROWS_H

#include "base/Attachments.h"
#include "pattern/Pattern.h"

#include <vector>

namespace tsgu::runtime {

struct LongRows : Attachment {
  struct Chunk {
    int64_t row;
    int64_t number; ///< Among the chunks of its row.
  };
  std::vector<int64_t> rows;   ///< Ascending.
  std::vector<int64_t> firsts; ///< The first chunk of each, and the end.
  std::vector<Chunk> chunks;
  /// Where each chunk begins and ends, in the layout's index type: two numbers
  /// for each.
  Block positions;

  int64_t bytes() const override;
  const void *positionsOf(int64_t chunk, ElementType type) const {
    return positions.as<char>() + 2 * chunk * elementSize(type);
  }
};

/// Of a layout of the pattern, found at its first use; NULL: there are none.
std::shared_ptr<const LongRows> longRowsOf(Pattern &pattern,
                                           const Layout &layout);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_LONGROWS_H
