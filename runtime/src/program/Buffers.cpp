//===- Buffers.cpp - The buffers of a program -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Buffers.h"

namespace tsgu::runtime {

BufferInfo infoOf(const Manifest &m, const Buffer &buffer) {
  if (buffer.kind == Buffer::Scratch)
    return {m.scratch[buffer.index].type, m.scratch[buffer.index].shape};
  const TensorInfo &info =
      buffer.kind == Buffer::Operand ? m.operands[buffer.index] : m.result;
  return {info.type, info.shape, info.pattern, info.read, info.solver};
}

bool holdsValues(const Manifest &m, const Buffer &buffer, int32_t pattern) {
  const BufferInfo info = infoOf(m, buffer);
  return buffer.kind == Buffer::Scratch
             ? info.shape == std::vector<int32_t>{m.patterns[pattern].stored}
             : info.pattern == pattern;
}

std::string nameOf(const Manifest &m, const Buffer &buffer) {
  if (buffer.kind == Buffer::Scratch)
    return "scratch " + std::to_string(buffer.index);
  return buffer.kind == Buffer::Result ? "result"
                                       : m.operands[buffer.index].name;
}

int32_t slotOf(const Manifest &m, const Buffer &buffer) {
  const auto operands = static_cast<int32_t>(m.operands.size());
  switch (buffer.kind) {
  case Buffer::Operand:
    return buffer.index;
  case Buffer::Result:
    return operands;
  case Buffer::Scratch:
    break;
  }
  return operands + 1 + buffer.index;
}

} // namespace tsgu::runtime
