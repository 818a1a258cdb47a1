//===- RaceShadow.h - Who has accessed each word of memory ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_EMULATOR_RACESHADOW_H
#define TSGU_SRC_EMULATOR_RACESHADOW_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace tsgu::runtime {

/// Kinds of access, as the emulated kernels give them.
enum class AccessKind : uint32_t { Load = 0, Store = 1, Atomic = 2 };

/// A thread of the grid, after some barriers of its block.
struct Moment {
  uint32_t block;
  uint32_t epoch;
  uint32_t thread;
};

/// What all accesses of one kind to a word say about a later one: it is ordered
/// after them if they come from the same thread or from earlier epochs of the
/// same block.
class AccessHistory {
public:
  bool isOrderedBefore(const Moment &now) const {
    if (!any)
      return true;
    if (manyBlocks || last.block != now.block)
      return false;
    return last.epoch != now.epoch ||
           (!manyThreads && last.thread == now.thread);
  }

  void add(const Moment &now) {
    const bool sameBlock = any && last.block == now.block;
    const bool sameEpoch = sameBlock && last.epoch == now.epoch;
    manyBlocks |= any && !sameBlock;
    manyThreads = sameEpoch && (manyThreads || last.thread != now.thread);
    any = true;
    last = now;
  }

  const Moment &latest() const { return last; }

private:
  Moment last;
  bool any, manyBlocks, manyThreads; // All zero: none.
};

/// Finds accesses to a piece of memory that nothing puts in order, one of which
/// writes and which are not both atomic.
class RaceShadow {
public:
  /// Throws OutOfMemory.
  RaceShadow(const void *begin, uint64_t bytes);

  bool contains(const void *address) const {
    return reinterpret_cast<uintptr_t>(address) - begin < bytes;
  }
  const void *memory() const { return reinterpret_cast<const void *>(begin); }

  struct Race {
    const void *address;
    Moment earlier;
    AccessKind earlierKind;
  };
  enum class Outcome { Ordered, Race, OutOfMemory };
  /// Remembers an access that begins inside; tells the race it makes.
  Outcome access(const void *address, uint64_t accessed, AccessKind kind,
                 const Moment &now, Race &race) noexcept;

  void forget() noexcept;

private:
  struct Cell {
    AccessHistory history[3]; // By kind.
  };
  struct Free {
    void operator()(Cell *cells) const { std::free(cells); }
  };
  using Cells = std::unique_ptr<Cell[], Free>;
  size_t cellCount() const { return bytes / granule + 2; }
  size_t indexOf(uintptr_t address) const {
    return address / granule - begin / granule;
  }
  /// From words to bytes. False: out of memory.
  bool refine() noexcept;

  uintptr_t begin;
  uint64_t bytes;
  /// Bytes of a cell: 4, until less are accessed.
  uint64_t granule = 4;
  Cells cells;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_EMULATOR_RACESHADOW_H
