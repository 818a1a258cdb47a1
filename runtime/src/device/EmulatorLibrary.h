//===- EmulatorLibrary.h - The emulator, when asked for ---------*- C++ -*-===//
//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DEVICE_EMULATORLIBRARY_H
#define TSGU_SRC_DEVICE_EMULATORLIBRARY_H

#include "device/Driver.h"

#include <cstdint>

namespace tsgu::runtime {

class MemoryChecks;

/// Memory that kernels may touch.
struct EmulatedMemory {
  const void *begin;
  int64_t bytes;
  bool written; ///< Whether it may be written to.
  const char *name;
};

/// What libtsgu-emulator exports as tsgu_emulator(). Nothing of it throws.
struct EmulatorLibrary {
  static constexpr uint64_t currentAbi = 1;
  uint64_t abi;

  /// One device with one context. Its memory is the host's, its modules are
  /// loaded from a tsgu_object, and all work is done before a call returns.
  const Driver *driver;

  /// Launches of this thread are checked, until `endChecks`, which takes what
  /// `beginChecks` gave. NULL: out of memory.
  MemoryChecks *(*beginChecks)(const EmulatedMemory *memory, uint64_t count);
  void (*endChecks)(MemoryChecks *checks);
};

/// The library beside libtsgu, opened with the first call that succeeds. Throws
/// Status::Device, saying what is missing.
const EmulatorLibrary &emulatorLibrary();

} // namespace tsgu::runtime

#endif // TSGU_SRC_DEVICE_EMULATORLIBRARY_H
