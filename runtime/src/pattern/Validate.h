//===- Validate.h - Are positions and coordinates sound? --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each check is one pass without branches over the data; only when it fails is
// the culprit looked for. Failing checks throw InvalidPattern.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_VALIDATE_H
#define TSGU_SRC_PATTERN_VALIDATE_H

#include "base/Arithmetic.h"

#include <string>

namespace tsgu::runtime {

/// "row 3", or "item 1, row 3" of a batched pattern.
std::string rowName(int64_t flatRow, int64_t rowsPerItem, bool batched);

/// positions[0 .. rows] of one item start at 0, do not decrease and end at
/// `stored`. item < 0: the pattern is not batched.
template <typename I>
void checkPositions(const I *positions, int64_t rows, int64_t stored,
                    int64_t item);

/// All columns lie in [0, columns). `positions` are sound and flat. Returns
/// whether the columns ascend strictly within each row.
template <typename I>
bool checkColumns(const I *positions, int64_t flatRows, int64_t rowsPerItem,
                  bool batched, const I *coordinates, int64_t stored,
                  int64_t columns);

/// The coordinates of each dimension of a COO pattern lie in its extent.
/// Returns whether the entries ascend strictly, first dimension first.
template <typename I>
bool checkEntries(const I *const *coordinates, int32_t rank,
                  const int64_t *shape, int64_t stored);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_VALIDATE_H
