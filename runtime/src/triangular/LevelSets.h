//===- LevelSets.h - Rows that do not read each other -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A segment is a run of rows each of which reads the one before it, as along a
// line of a grid. Its level is one more than the highest of those it reads, so
// that segments of one level are independent of each other. For segments of one
// row these are the level sets of Anderson and Saad (1989); longer ones leave
// fewer levels, and vectors that are read and written in runs.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_LEVELSETS_H
#define TSGU_SRC_TRIANGULAR_LEVELSETS_H

#include "base/Memory.h"

#include <vector>

namespace tsgu::runtime {

/// The row that is solved for first, and how many follow, by ascending or (of
/// an upper triangle) descending number.
struct Segment {
  int32_t row, length;
};

/// Fewer than 2^31 rows.
struct LevelSets {
  static constexpr int32_t longest = 32;

  Block segmentBlock; ///< By level; within each in the order of the solve.
  std::vector<int32_t> starts; ///< Where each level begins, and the end.
  int32_t reach = 0; ///< A row reads rows at most so many levels below its own.

  int64_t levels() const { return static_cast<int64_t>(starts.size()) - 1; }
  const Segment *segments() const { return segmentBlock.as<Segment>(); }
  int64_t bytes() const {
    return segmentBlock.bytes() +
           static_cast<int64_t>(starts.capacity() * sizeof(int32_t));
  }
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_LEVELSETS_H
