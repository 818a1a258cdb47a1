//===- LevelSets.h - Rows that do not read each other -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_LEVELSETS_H
#define TSGU_SRC_TRIANGULAR_LEVELSETS_H

#include "../Memory.h"

#include <vector>

namespace tsgu::runtime {

/// Fewer than 2^31 rows.
struct LevelSets {
  Block orderBlock;            ///< Rows by level, ascending within each.
  std::vector<int32_t> starts; ///< Where each level begins, and the end.
  int32_t reach = 0; ///< A row reads rows at most so many levels below its own.

  int64_t levels() const { return static_cast<int64_t>(starts.size()) - 1; }
  const int32_t *order() const { return orderBlock.as<int32_t>(); }
  int64_t bytes() const {
    return orderBlock.bytes() +
           static_cast<int64_t>(starts.capacity() * sizeof(int32_t));
  }
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_LEVELSETS_H
