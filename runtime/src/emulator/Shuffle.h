//===- Shuffle.h - Which lane a shuffle reads -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_EMULATOR_SHUFFLE_H
#define TSGU_SRC_EMULATOR_SHUFFLE_H

#include <cstdint>

namespace tsgu::runtime {

/// The modes of tsgu_emulated_thread::shuffle.
enum ShuffleMode : uint32_t {
  ShuffleXor = 0,
  ShuffleDown = 1,
  ShuffleUp = 2,
  ShuffleIndex = 3
};

/// As PTX defines shfl.sync: of the operand 5 bits count, an index is taken
/// modulo the width, and a lane whose source lies outside its segment reads its
/// own value (xor: only where the source lies above it). `width` is a power of
/// two, at most 32.
inline uint32_t sourceLane(uint32_t lane, uint32_t operand, uint32_t width,
                           uint32_t mode) {
  const uint32_t segment = lane & ~(width - 1);
  const uint32_t last = segment + width - 1;
  operand &= 31;
  switch (mode) {
  case ShuffleXor:
    return (lane ^ operand) <= last ? lane ^ operand : lane;
  case ShuffleDown:
    return lane + operand <= last ? lane + operand : lane;
  case ShuffleUp:
    return lane >= segment + operand ? lane - operand : lane;
  default:
    return segment + (operand & (width - 1));
  }
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_EMULATOR_SHUFFLE_H
