//===- Scratch.h - Memory kept between runs ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_SCRATCH_H
#define TSGU_SRC_BASE_SCRATCH_H

#include "base/Memory.h"

namespace tsgu::runtime {

/// Uninitialised, 64-byte aligned memory for one run. It comes from a small
/// list of blocks that earlier runs gave back, bounded in number and bytes.
class Scratch {
public:
  /// Throws OutOfMemory.
  explicit Scratch(int64_t bytes);
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  char *data() const { return block.as<char>(); }

  /// Bytes in the list.
  static int64_t kept();

private:
  Block block;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_SCRATCH_H
