//===- Ranges.cpp - Rows in ranges of equal work --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Ranges.h"

namespace tsgu::runtime {

/// A row costs about as much as this many of its entries, however few it has:
/// its loop is entered and its result stored.
static constexpr int64_t rowWork = 2;

Ranges::Ranges(int64_t iterations, int64_t parts, const Layout &layout,
               int64_t rowsPerIteration)
    : Ranges(iterations, parts) {
  const int64_t rows = layout.iterations();
  if (rows == 0 || rowsPerIteration == 0)
    return; // There are no entries to weigh.
  this->layout = &layout;
  this->rowsPerIteration = rowsPerIteration;
  period = rows / rowsPerIteration;
  // Checks once that workBefore cannot overflow.
  work = add(multiply(multiply(iterations, rowsPerIteration), rowWork),
             multiply(iterations / period, layout.stored));
}

Ranges::Ranges(const Layout &layout, int64_t first, int64_t end, int64_t parts)
    : Ranges(end, parts, layout, 1) {
  this->first = first;
  work = workBefore(end) - workBefore(first);
}

int64_t Ranges::workBefore(int64_t iteration) const {
  const int64_t times = iteration / period;
  const int64_t row = iteration % period * rowsPerIteration;
  return iteration * rowsPerIteration * rowWork + times * layout->stored +
         layout->entriesBefore(row);
}

int64_t Ranges::boundary(int64_t part) const {
  const int64_t target = mulDiv(work, part, parts);
  if (!layout)
    return target;
  return find(target + (first > 0 ? workBefore(first) : 0));
}

/// The first iteration before which there is so much work.
int64_t Ranges::find(int64_t target) const {
  int64_t low = first, high = iterations;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (workBefore(middle) < target)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

} // namespace tsgu::runtime
