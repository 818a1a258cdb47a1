//===- Ranges.h - Rows in ranges of equal work ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_RANGES_H
#define TSGU_SRC_PATTERN_RANGES_H

#include "pattern/Layout.h"

namespace tsgu::runtime {

/// Cuts [0, iterations) into ranges of nearly equal work. Costs no memory: each
/// boundary is found on its own, in O(log iterations).
class Ranges {
public:
  /// Iterations that are all alike.
  Ranges(int64_t iterations, int64_t parts)
      : iterations(iterations), parts(parts), work(iterations) {}

  /// Iteration i is the node i % layout.iterations() of the layout or, if
  /// rowsPerIteration > 1, so many of its rows, one after the other; its work
  /// are their stored entries and a constant. iterations * rowsPerIteration is
  /// a multiple of layout.iterations().
  Ranges(int64_t iterations, int64_t parts, const Layout &layout,
         int64_t rowsPerIteration);

  /// Rows [first, end) of a layout, by their entries and a constant.
  Ranges(const Layout &layout, int64_t first, int64_t end, int64_t parts);

  /// Where range `part` begins: the first iteration, and the end for part =
  /// parts; never decreases.
  int64_t boundary(int64_t part) const;

private:
  int64_t workBefore(int64_t iteration) const;
  int64_t find(int64_t target) const;

  int64_t first = 0; ///< The iteration that the first range begins with.
  int64_t iterations, parts;
  int64_t work; ///< Of all iterations.
  const Layout *layout = nullptr;
  int64_t rowsPerIteration = 1;
  int64_t period = 1; ///< Iterations over the whole layout.
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_RANGES_H
