//===- ContentHash.h - 128 bits that stand for content ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_CONTENTHASH_H
#define TSGU_SRC_BASE_CONTENTHASH_H

#include "tsgu/tsgu.h"

namespace tsgu::runtime {

/// That two contents have the same one by chance is less likely than an error
/// of the memory; nobody who looks for two such contents is kept from finding
/// them.
struct ContentHash {
  uint64_t low = 0, high = 0;
  bool operator==(const ContentHash &) const = default;
};

/// Of these bytes; the same for every number of threads.
ContentHash hashOf(const void *data, int64_t bytes,
                   const tsgu_executor &executor);

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_CONTENTHASH_H
