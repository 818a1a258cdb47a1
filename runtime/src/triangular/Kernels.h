//===- Kernels.h - The loops of triangular solves ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_KERNELS_H
#define TSGU_SRC_TRIANGULAR_KERNELS_H

#include "pattern/Matrix.h"
#include "triangular/Sweep.h"

namespace tsgu::runtime {

/// Right-hand sides from which rows are solved for in their own order, and the
/// number that is solved for together.
inline constexpr int64_t tileWidth = 8;

template <typename T> struct SweepArguments {
  const Slice *slices;
  const int32_t *rows, *diagonalEntries, *firstEntries, *coordinates;
  const int32_t *entries; ///< NULL: rows have theirs one after the other.
  int32_t ring, entryStep;
  const T *values;  ///< The pattern's; NULL: those in the sweep's order are
  const T *packed;  ///< here, as are, by place,
  const T *inverse; ///< reciprocals of the diagonal, or
  const T *divisor; ///< the diagonal, where they would not be accurate.
  bool unit, conjugated;
  Vectors<const T> b;
  Vectors<T> x;
  /// The rings of the right-hand sides, one after the other, each with a zero
  /// and the sums of heads after it.
  T *solved;

  int64_t ringStride() const {
    return int64_t{ring} + lanes + Slice::heads * lanes;
  }
  T *headOf(const Slice &slice, int64_t column) const {
    return solved + column * ringStride() + ring + lanes +
           slice.slot % Slice::heads * lanes;
  }
};

/// Solves for the rows of slices begin <= s < end. Returns whether an element
/// on the diagonal is zero.
template <typename T>
bool solveSlices(const SweepArguments<T> &arguments, int32_t begin,
                 int32_t end);

/// The rows of one item in their own order.
template <typename T, typename I> struct RowArguments {
  const I *positions, *coordinates;
  const I *edges; ///< As Analysis::edges(); NULL: tidy.
  const T *values;
  int64_t lastEntry; ///< Of the coordinates, or less.
  int64_t rows;
  bool upper, unit, conjugated;
  bool transposed; ///< Entries of a row are subtracted from the rows they name.
  Vectors<const T> b;
  Vectors<T> x;
};

/// Solves for columns begin <= j < end; begin is a multiple of tileWidth.
/// Returns whether an element on the diagonal is zero.
template <typename T, typename I>
bool solveRows(const RowArguments<T, I> &arguments, int64_t begin, int64_t end);

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_KERNELS_H
