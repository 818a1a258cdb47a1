//===- Sweep.h - A triangle in the order of its levels ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Segments of a level stand side by side, and so do their first rows, their
// second rows and so on: rows are counted anew (slots) in this order, so that
// what a level reads was written one after the other. A slice are eight rows
// side by side, and block k of it their k-th entries; or it is a single row,
// and block k its k-th eight entries. A bundle are segments that one thread
// takes through all of their rows.
//
// Where a level has few segments and their rows are long, threads first share
// out what the rows read of earlier levels (heads), row by row; the rests wait
// for each other.
//
// What has been solved for is kept by slot in a ring only as long as it is
// read.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_SWEEP_H
#define TSGU_SRC_TRIANGULAR_SWEEP_H

#include "base/Parallel.h"
#include "pattern/Layout.h"
#include "triangular/Lanes.h"
#include "triangular/LevelSets.h"

#include <memory>
#include <vector>

namespace tsgu::runtime {

struct Slice {
  /// A block of a run has no padding, and is the coordinate of its first entry,
  /// the others following; other blocks have eight.
  enum Kind : int16_t { Any, Run, Head, Rest };
  /// Heads of a level: how many slots it has at most.
  static constexpr int32_t heads = LevelSets::longest * lanes;

  int32_t block;       ///< The first.
  uint32_t coordinate; ///< The first.
  int32_t place;       ///< Of its first row in the order of the solve.
  int32_t slot;        ///< Of its first row, in the ring.
  int32_t length;      ///< Group: blocks. Single row: entries.
  int16_t rows;        ///< Of a group; 0: a single row, or part of one.
  Kind kind = Any;

  int64_t blocks() const {
    return rows ? length : (length + lanes - 1) / lanes;
  }
};

/// Bundles that need only what earlier steps computed; of serial steps, that
/// need also what stands before them in the step.
struct SweepStep {
  int32_t begin, end;
  bool serial;
};

struct Sweep {
  std::vector<SweepStep> steps;
  std::vector<int32_t> bundles; ///< Where their slices begin, and the end.
  std::vector<Slice> slices;
  Block rowBlock;      ///< By place: the row; of padding any of its group.
  Block diagonalBlock; ///< By place: the entry on the diagonal, or -1.
  Block firstBlock;    ///< By place: the first entry in the layout, or
  Block entryBlock; ///< which of the pattern's entries, by block; padding: -1.
  Block coordinateBlock; ///< Where in the ring; padding: its end.
  int64_t places = 0, blocks = 0;
  int32_t ring = 0;      ///< Length, a power of two; one more element is 0.
  int32_t entryStep = 1; ///< From an entry to the next: -1 in an upper layout.

  int64_t sliceCount() const { return static_cast<int64_t>(slices.size()); }
  const int32_t *rows() const { return rowBlock.as<int32_t>(); }
  const int32_t *diagonal() const { return diagonalBlock.as<int32_t>(); }
  const int32_t *first() const { return firstBlock.as<int32_t>(); }
  const int32_t *coordinates() const { return coordinateBlock.as<int32_t>(); }
  const int32_t *entries() const { return entryBlock.as<int32_t>(); }
  int64_t bytes() const {
    return static_cast<int64_t>(slices.capacity() * sizeof(Slice)) +
           rowBlock.bytes() + diagonalBlock.bytes() + firstBlock.bytes() +
           coordinateBlock.bytes() + entryBlock.bytes();
  }
};

/// The triangle of one item of a layout, and level sets that fit it.
struct SweepSource {
  const Layout &layout;
  int64_t rows, item;
  bool upper; ///< Of the layout.
  bool tidy;  ///< As Analysis::tidy().
  const LevelSets &levels;
  bool backwards; ///< Levels and segments are run through from their ends.
};
std::unique_ptr<Sweep> makeSweep(const SweepSource &source,
                                 const tsgu_executor &executor);

/// The slice where part `part` of `parts` of a step begins.
int32_t partOf(const Sweep &sweep, const SweepStep &step, int32_t part,
               int32_t parts);

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_SWEEP_H
