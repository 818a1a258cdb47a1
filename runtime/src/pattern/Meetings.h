//===- Meetings.h - Which entries of two patterns meet ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an operation on two sparse matrices does with their values follows from
// their patterns: which entries the result has, and for each of them the
// entries of the operands that contribute to it. That is worked out once; the
// values are then computed by programs whose sparse operand it is.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_MEETINGS_H
#define TSGU_SRC_PATTERN_MEETINGS_H

#include "pattern/Pattern.h"

namespace tsgu::runtime {

/// Entries are numbered as they were given; those of the result in order.
class Meetings {
public:
  /// Counts them. Throws InvalidArgument for patterns that do not fit together,
  /// Interrupted, OutOfMemory. The patterns outlive this.
  Meetings(tsgu_meeting kind, Pattern &a, Pattern &b,
           const tsgu_executor &executor);

  int64_t rows() const { return rowCount; } ///< Of the result, of all items.
  int64_t columns() const { return columnCount; }
  int64_t stored() const { return storedBefore.as<int64_t>()[rowCount]; }
  int64_t count() const { return meetingsBefore.as<int64_t>()[rowCount]; }
  /// Numbers for a meeting: entries of the result, and of both operands; for
  /// TSGU_EITHER those of the second are counted on from the first's.
  int32_t width() const { return kind == TSGU_EITHER ? 2 : 3; }
  /// int32 where everything fits.
  ElementType indexType() const;

  /// Writes the result's CSR arrays, (rows + 1) positions and (stored)
  /// coordinates, of one type, and the meetings in order, (count) numbers into
  /// each of (width) arrays.
  void write(ElementType resultType, void *positions, void *coordinates,
             ElementType type, void *const *entries,
             const tsgu_executor &executor) const;

private:
  template <typename F> void withOperands(F &&function) const;
  void countWork();
  void countStored(const tsgu_executor &executor);
  template <typename F>
  void forRanges(const tsgu_executor &executor, F &&function) const;

  const tsgu_meeting kind;
  Pattern &a, &b;
  int64_t rowCount = 0, columnCount = 0;
  Block workBefore;     ///< What is looked at before each row.
  Block storedBefore;   ///< Entries of the result before each row.
  Block meetingsBefore; ///< Meetings before each row.
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_MEETINGS_H
