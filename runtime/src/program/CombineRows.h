//===- CombineRows.h - A row out of results of its parts --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_COMBINEROWS_H
#define TSGU_SRC_PROGRAM_COMBINEROWS_H

#include "tsgu/Manifest.h"

namespace tsgu::runtime {

/// row[j] = parts[0][j], then with parts[1][j], ..., in this order. `parts`:
/// one after the other, `elements` in each.
void combineRows(Partition::Within how, ElementType type, int64_t elements,
                 void *row, const void *parts, int64_t count);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_COMBINEROWS_H
