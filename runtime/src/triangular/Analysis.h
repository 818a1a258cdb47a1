//===- Analysis.h - The level sets of a triangle ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row of a triangular solve can be computed when the rows it reads are. Its
// level is one more than the highest of theirs, so that rows of one level are
// independent of each other (Anderson, Saad 1989). The level sets of the
// transposed triangle may be taken to be the same in reverse order.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_ANALYSIS_H
#define TSGU_SRC_TRIANGULAR_ANALYSIS_H

#include "base/ForkSafeMutex.h"
#include "triangular/Sweep.h"
#include "triangular/Triangular.h"

namespace tsgu::runtime {

/// What is known of one triangle of one item, whatever the values, the mode,
/// and the diagonal. The pattern outlives it.
class Analysis : public Attachment {
public:
  Analysis(Pattern &pattern, int64_t item, bool upper);

  bool upper() const { return isUpper; }
  /// The first row without a stored diagonal, or -1.
  int64_t firstMissing() const { return missing; }
  /// The first row with one, or -1.
  int64_t firstStored() const { return present; }
  /// Whether every entry of the item is in the triangle, and the diagonal
  /// stored.
  bool tidy() const { return !edgeBlock.data(); }
  /// By row, in the pattern's index type, unless tidy(): where the entries
  /// strictly inside the triangle end (lower) or begin (upper).
  const void *edges() const { return edgeBlock.data(); }

  /// Whether levels are too narrow for sweeps; finds them at the first call.
  bool narrow();
  /// The sweep of op(triangle), made at the first call; not narrow().
  const Sweep &sweep(bool transposed, const tsgu_executor &executor);
  bool hasSweep(bool transposed) const {
    return ready[transposed].load(std::memory_order_acquire);
  }

  int64_t bytes() const override;

private:
  template <typename I> void findEdges();
  template <typename I> void findLevels();

  Pattern &pattern;
  const int64_t item;
  const bool isUpper;
  int64_t missing = -1, present = -1;
  Block edgeBlock;
  ForkSafeMutex making;
  std::atomic<int32_t> width{-1}; ///< 0: narrow; -1: not known.
  LevelSets sets;
  std::unique_ptr<Sweep> made[2];
  std::atomic<const Sweep *> ready[2]{};
  CountedBytes counted; ///< Of what is made later.
};

/// The analysis of the triangle of the item, kept with the pattern.
std::shared_ptr<Analysis> analysisOf(Pattern &pattern, int64_t item,
                                     bool upper);

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_ANALYSIS_H
