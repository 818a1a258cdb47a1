//===- EmulatedBlock.h - The threads of a block, in turns -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_EMULATOR_EMULATEDBLOCK_H
#define TSGU_SRC_EMULATOR_EMULATEDBLOCK_H

#include "base/Memory.h"
#include "emulator/Fibers.h"
#include "tsgu/CompilerInterface.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace tsgu::runtime {

class MemoryChecks;

/// What an emulated launch found wrong: a CudaResult and words for it.
struct EmulatorFault {
  int result = 0;
  char text[640] = "";
};

/// Runs blocks of a grid one after the other. A thread keeps a fiber only while
/// it waits, at a barrier or for the lanes of its warp; otherwise it is just a
/// call. Belongs to one thread of the host.
class EmulatedBlock {
public:
  static constexpr uint32_t maxThreads = 1024;
  static constexpr uint32_t warpThreads = 32;

  EmulatedBlock() { idle.reserve(maxThreads); }

  /// Runs the whole grid. False: `fault` tells what a thread did wrong; no
  /// other thread goes on then. Throws OutOfMemory.
  bool run(const tsgu_device_kernel &kernel, const uint64_t *words,
           uint32_t gridX, uint32_t gridY, MemoryChecks *checks,
           EmulatorFault &fault);

private:
  /// A thread of the block; `self` of the kernel's callbacks.
  struct Thread : tsgu_emulated_thread {
    EmulatedBlock *owner;
    Fiber *fiber; ///< Where it runs or waits.
    uint32_t index;
    bool exited;
    static Thread &of(tsgu_emulated_thread *self) {
      return *static_cast<Thread *>(self);
    }
  };
  /// 32 neighbours, or those that the block has of them.
  struct Warp {
    uint32_t present; ///< Lanes, as bits.
    uint32_t arrived; ///< Lanes that wait to shuffle.
    uint32_t width, mode;
    uint32_t values[warpThreads], operands[warpThreads];
    uint32_t results[warpThreads];
  };
  /// First in, first out; never holds more than all threads.
  struct Queue {
    Thread *threads[maxThreads];
    uint32_t first = 0, count = 0;
    void push(Thread &thread) {
      threads[(first + count++) % maxThreads] = &thread;
    }
    Thread &pop() {
      Thread &thread = *threads[first];
      first = (first + 1) % maxThreads;
      --count;
      return thread;
    }
  };

  // Where the kernel was called from.
  void prepareWarps();
  void prepareThreads(uint32_t gridX, uint32_t gridY);
  void beginBlock(uint32_t x, uint32_t y);
  bool runBlock(uint32_t x, uint32_t y);
  Fiber &idleFiber();
  void explainStuck();
  void forgetFibers();

  // On the fibers of threads, across which nothing may be thrown.
  void runThreads(Fiber &fiber) noexcept;
  void runThread(Fiber &fiber) noexcept;
  void suspend(Thread &thread) noexcept;
  void exit(Thread &thread) noexcept;
  void releaseBarrier() noexcept;
  void barrier(Thread &thread) noexcept;
  uint32_t shuffle(Thread &thread, uint32_t value, uint32_t operand,
                   uint32_t width, uint32_t mode) noexcept;
  void checkShuffle(Thread &thread, const Warp &warp, uint32_t width,
                    uint32_t mode) noexcept;
  void exchange(Thread &last, Warp &warp) noexcept;
  void access(Thread &thread, const void *address, uint64_t bytes,
              uint32_t kind) noexcept;
  /// Keeps the fault, whose text follows "block (0, 0), thread 0 ", and leaves
  /// the thread for ever.
  template <typename... Values>
  [[noreturn]] void abandon(Thread &thread, int result, const char *format,
                            Values... values) noexcept;

  const tsgu_device_kernel *kernel = nullptr;
  const uint64_t *words = nullptr;
  MemoryChecks *checks = nullptr;
  EmulatorFault *fault = nullptr;

  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Block workgroup;
  Queue ready;   ///< Can go on.
  Queue waiting; ///< At the barrier.
  uint32_t started = 0, live = 0, epoch = 0;

  Fiber scheduler;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber *> idle;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_EMULATOR_EMULATEDBLOCK_H
