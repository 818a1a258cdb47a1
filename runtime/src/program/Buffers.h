//===- Buffers.h - The buffers of a program ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_BUFFERS_H
#define TSGU_SRC_PROGRAM_BUFFERS_H

#include "tsgu/Manifest.h"

namespace tsgu::runtime {

/// What a manifest says of a buffer, whatever its kind.
struct BufferInfo {
  ElementType type;
  const std::vector<int32_t> &shape;
  int32_t pattern = -1; ///< >= 0: an operand or the result, on this pattern.
  bool read = true;     ///< false: only its shape is there.
  bool solver = false;
};
BufferInfo infoOf(const Manifest &manifest, const Buffer &buffer);

/// Whether it holds the values of a pattern.
bool holdsValues(const Manifest &manifest, const Buffer &buffer,
                 int32_t pattern);

/// "A", "result" or "scratch 0".
std::string nameOf(const Manifest &manifest, const Buffer &buffer);

/// All buffers in one list: operands, result, scratch.
int32_t slotOf(const Manifest &manifest, const Buffer &buffer);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_BUFFERS_H
