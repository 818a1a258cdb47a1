//===- EmulatorChecks.h - Whether threads may access memory -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_EMULATOR_EMULATORCHECKS_H
#define TSGU_SRC_EMULATOR_EMULATORCHECKS_H

#include "device/EmulatorLibrary.h"
#include "emulator/RaceShadow.h"

#include <span>
#include <string>
#include <vector>

namespace tsgu::runtime {

/// One access of a thread to memory that is not its own stack.
struct Access {
  const void *address;
  uint64_t bytes;
  AccessKind kind;
  Moment moment;
};

/// The memory that kernels may touch, and what they have done to it.
class MemoryChecks {
public:
  /// Throws OutOfMemory.
  explicit MemoryChecks(std::span<const EmulatedMemory> memory);

  /// Everything before is in order with what comes. Throws OutOfMemory.
  void beginLaunch(const void *workgroup, uint64_t workgroupBytes,
                   uint32_t gridWidth);
  /// Workgroup memory is another one for every block.
  void beginBlock() noexcept;

  /// Remembers the access. False: it is not allowed, and `why` tells the
  /// reason, after "block (0, 0), thread 0 ".
  bool allows(const Access &access, char *why, size_t size) noexcept;

  MemoryChecks *outer = nullptr; ///< What this thread had before.

private:
  struct Piece {
    uintptr_t begin, end;
    uintptr_t reach; ///< The farthest end of this piece and those before it.
    bool written;
    std::string name;
  };
  /// A piece that contains the access, preferably one that may be written.
  const Piece *around(const Access &access) const noexcept;
  const Piece *nearest(uintptr_t address) const noexcept;
  void explainOutside(const Access &access, char *why,
                      size_t size) const noexcept;
  void explainRace(const Access &access, const RaceShadow::Race &race,
                   const char *name, char *why, size_t size) const noexcept;
  bool isInOrder(RaceShadow &shadow, const Access &access, const char *name,
                 char *why, size_t size) noexcept;

  std::vector<Piece> pieces; ///< By where they begin.
  std::vector<RaceShadow> shadows;
  /// At most one.
  std::vector<RaceShadow> workgroup;
  uint64_t workgroupBytes = 0;
  uint32_t gridWidth = 1;
};

/// Those of this thread; NULL: none. They nest.
MemoryChecks *currentChecks() noexcept;
MemoryChecks *beginChecks(const EmulatedMemory *memory,
                          uint64_t count) noexcept;
void endChecks(MemoryChecks *checks) noexcept;

} // namespace tsgu::runtime

#endif // TSGU_SRC_EMULATOR_EMULATORCHECKS_H
