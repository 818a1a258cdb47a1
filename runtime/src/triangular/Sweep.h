//===- Sweep.h - A triangle in the order of its levels ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows stand in the order of their levels and are counted anew (slots), so that
// what a level reads was written one after the other. Entries stand in blocks
// of eight. A slice is a group of rows of one level, of which block k holds the
// k-th entry of each, or a single row, of which it holds the k-th eight
// entries.
//
// What has been solved for is kept by slot in a ring only as long as it is
// read.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_SWEEP_H
#define TSGU_SRC_TRIANGULAR_SWEEP_H

#include "../Layout.h"
#include "../Parallel.h"
#include "LevelSets.h"

#include <memory>

namespace tsgu::runtime {

inline constexpr int32_t lanes = 8;

struct Slice {
  int64_t block;  ///< The first.
  int32_t slot;   ///< Of its first row.
  int32_t length; ///< Group: blocks. Single row: entries.
  int32_t rows;   ///< Of a group; 0: a single row.

  int64_t blocks() const {
    return rows ? length : (length + lanes - 1) / lanes;
  }
};

/// Slices that need only what earlier steps computed; of serial steps, that
/// need also what stands before them in the step.
struct SweepStep {
  int32_t begin, end;
  bool serial;
};

struct Sweep {
  std::vector<SweepStep> steps;
  Block sliceBlock;
  Block rowBlock;        ///< By slot: the row; of padding any of its group.
  Block diagonalBlock;   ///< By slot: the entry on the diagonal, or -1.
  Block coordinateBlock; ///< Where in the ring; padding: its end.
  Block entryBlock;      ///< Which of the pattern's entries; padding: -1.
  int64_t slots = 0, slices = 0, blocks = 0;
  int32_t ring = 0; ///< Length, a power of two; one more element is 0.

  const Slice *slice() const { return sliceBlock.as<Slice>(); }
  const int32_t *rows() const { return rowBlock.as<int32_t>(); }
  const int32_t *diagonal() const { return diagonalBlock.as<int32_t>(); }
  const int32_t *coordinates() const { return coordinateBlock.as<int32_t>(); }
  const int32_t *entries() const { return entryBlock.as<int32_t>(); }
  int64_t bytes() const {
    return sliceBlock.bytes() + rowBlock.bytes() + diagonalBlock.bytes() +
           coordinateBlock.bytes() + entryBlock.bytes();
  }
};

/// The triangle of one item of a layout, and level sets that fit it.
struct SweepSource {
  const Layout &layout;
  int64_t rows, item;
  bool upper;
  const LevelSets &levels;
  bool backwards; ///< The levels are run through from the last to the first.
};
std::unique_ptr<Sweep> makeSweep(const SweepSource &source,
                                 const tsgu_executor &executor);

/// Where the slices of part `part` of `parts` of a step begin.
int32_t partOf(const Sweep &sweep, const SweepStep &step, int32_t part,
               int32_t parts);

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_SWEEP_H
