//===- EmulatedBlock.cpp - The threads of a block, in turns ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "emulator/EmulatedBlock.h"
#include "device/Driver.h"
#include "emulator/EmulatorChecks.h"
#include "emulator/Shuffle.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tsgu::runtime {

//===----------------------------------------------------------------------===//
// The grid
//===----------------------------------------------------------------------===//

bool EmulatedBlock::run(const tsgu_device_kernel &toRun,
                        const uint64_t *parameters, uint32_t gridX,
                        uint32_t gridY, MemoryChecks *with,
                        EmulatorFault &toFill) {
  kernel = &toRun, words = parameters, checks = with, fault = &toFill;
  fault->result = CudaSuccess;
  if (workgroup.bytes() < kernel->workgroup_bytes)
    workgroup = Block(kernel->workgroup_bytes);
  if (checks)
    checks->beginLaunch(workgroup.data(), kernel->workgroup_bytes, gridX);
  prepareWarps();
  prepareThreads(gridX, gridY);
  try {
    for (uint32_t y = 0; y < gridY; ++y)
      for (uint32_t x = 0; x < gridX; ++x)
        if (!runBlock(x, y)) {
          forgetFibers();
          return false;
        }
  } catch (...) {
    forgetFibers();
    throw;
  }
  return true;
}

void EmulatedBlock::prepareWarps() {
  const uint32_t count = kernel->block_threads;
  warps.resize((count + warpThreads - 1) / warpThreads);
  for (size_t w = 0; w < warps.size(); ++w) {
    const auto lanes = std::min<size_t>(warpThreads, count - w * warpThreads);
    warps[w].present = ~uint32_t{0} >> (warpThreads - lanes);
  }
}

void EmulatedBlock::prepareThreads(uint32_t gridX, uint32_t gridY) {
  Thread thread{};
  thread.block_extent[0] = kernel->block_threads;
  thread.grid_extent[0] = gridX;
  thread.grid_extent[1] = gridY;
  thread.block_extent[1] = thread.block_extent[2] = thread.grid_extent[2] = 1;
  thread.workgroup = workgroup.data();
  thread.owner = this;
  thread.barrier = [](tsgu_emulated_thread *self) {
    Thread::of(self).owner->barrier(Thread::of(self));
  };
  thread.shuffle = [](tsgu_emulated_thread *self, uint32_t value,
                      uint32_t operand, uint32_t width, uint32_t mode) {
    return Thread::of(self).owner->shuffle(Thread::of(self), value, operand,
                                           width, mode);
  };
  if (checks)
    thread.access = [](tsgu_emulated_thread *self, const void *address,
                       uint64_t bytes, uint32_t kind) {
      Thread::of(self).owner->access(Thread::of(self), address, bytes, kind);
    };
  threads.assign(kernel->block_threads, thread);
  for (uint32_t t = 0; t < threads.size(); ++t)
    threads[t].index = threads[t].thread[0] = t;
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

void EmulatedBlock::beginBlock(uint32_t x, uint32_t y) {
  for (Thread &thread : threads) {
    thread.block[0] = x;
    thread.block[1] = y;
    thread.exited = false;
  }
  for (Warp &warp : warps)
    warp.arrived = 0;
  ready.count = waiting.count = 0;
  started = epoch = 0;
  live = static_cast<uint32_t>(threads.size());
  // Not what another block left there, but NaNs.
  if (kernel->workgroup_bytes)
    std::memset(workgroup.data(), 0xff, kernel->workgroup_bytes);
  if (checks)
    checks->beginBlock();
}

bool EmulatedBlock::runBlock(uint32_t x, uint32_t y) {
  beginBlock(x, y);
  for (;;) {
    if (ready.count > 0)
      scheduler.switchTo(*ready.pop().fiber);
    else if (started < threads.size())
      scheduler.switchTo(idleFiber());
    else
      break;
    if (fault->result != CudaSuccess)
      return false;
  }
  if (live > 0)
    explainStuck();
  return fault->result == CudaSuccess;
}

Fiber &EmulatedBlock::idleFiber() {
  if (!idle.empty()) {
    Fiber &fiber = *idle.back();
    idle.pop_back();
    return fiber;
  }
  // It is entered at once, and so finds itself at the end of the list.
  auto entry = [](void *context) {
    auto &self = *static_cast<EmulatedBlock *>(context);
    self.runThreads(*self.fibers.back());
  };
  fibers.push_back(std::make_unique<Fiber>(entry, this, fibers.size()));
  return *fibers.back();
}

void EmulatedBlock::forgetFibers() {
  idle.clear();
  fibers.clear();
}

/// No thread can go on: some wait for lanes of their warp that will not come.
void EmulatedBlock::explainStuck() {
  for (size_t w = 0; w < warps.size(); ++w) {
    const Warp &warp = warps[w];
    if (!warp.arrived)
      continue;
    const Thread &arrived =
        threads[w * warpThreads + std::countr_zero(warp.arrived)];
    const Thread &missing =
        threads[w * warpThreads +
                std::countr_zero(warp.present & ~warp.arrived)];
    std::snprintf(
        fault->text, sizeof(fault->text),
        "block (%u, %u), thread %u shuffles for ever: thread %u of "
        "its warp %s, and all of its threads have to shuffle together",
        arrived.block[0], arrived.block[1], arrived.index, missing.index,
        missing.exited ? "has ended" : "waits at a barrier");
    fault->result = CudaLaunchFailed;
    return;
  }
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

void EmulatedBlock::runThreads(Fiber &fiber) noexcept {
  for (;;) {
    while (ready.count == 0 && started < threads.size())
      runThread(fiber);
    idle.push_back(&fiber); // Reserved.
    fiber.switchTo(ready.count > 0 ? *ready.pop().fiber : scheduler);
  }
}

void EmulatedBlock::runThread(Fiber &fiber) noexcept {
  Thread &thread = threads[started++];
  thread.fiber = &fiber;
  kernel->emulated(words, &thread);
  exit(thread);
}

void EmulatedBlock::suspend(Thread &thread) noexcept {
  thread.fiber->switchTo(ready.count > 0 ? *ready.pop().fiber : scheduler);
}

void EmulatedBlock::exit(Thread &thread) noexcept {
  thread.exited = true;
  --live;
  if (waiting.count > 0 && waiting.count == live)
    releaseBarrier();
}

template <typename... Values>
void EmulatedBlock::abandon(Thread &thread, int result, const char *format,
                            Values... values) noexcept {
  const int begun = std::snprintf(fault->text, sizeof(fault->text),
                                  "block (%u, %u), thread %u ", thread.block[0],
                                  thread.block[1], thread.index);
  std::snprintf(fault->text + begun, sizeof(fault->text) - begun, format,
                values...);
  fault->result = result;
  thread.fiber->switchTo(scheduler);
  std::abort(); // Nothing switches back.
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

void EmulatedBlock::barrier(Thread &thread) noexcept {
  if (waiting.count + 1 == live) {
    releaseBarrier();
    return;
  }
  waiting.push(thread);
  suspend(thread);
}

void EmulatedBlock::releaseBarrier() noexcept {
  ++epoch;
  while (waiting.count > 0)
    ready.push(waiting.pop());
}

//===----------------------------------------------------------------------===//
// Shuffles
//===----------------------------------------------------------------------===//

uint32_t EmulatedBlock::shuffle(Thread &thread, uint32_t value,
                                uint32_t operand, uint32_t width,
                                uint32_t mode) noexcept {
  Warp &warp = warps[thread.index / warpThreads];
  const uint32_t lane = thread.index % warpThreads;
  checkShuffle(thread, warp, width, mode);
  warp.width = width;
  warp.mode = mode;
  warp.values[lane] = value;
  warp.operands[lane] = operand;
  warp.arrived |= uint32_t{1} << lane;
  if (warp.arrived == warp.present)
    exchange(thread, warp);
  else
    suspend(thread);
  return warp.results[lane];
}

void EmulatedBlock::checkShuffle(Thread &thread, const Warp &warp,
                                 uint32_t width, uint32_t mode) noexcept {
  if (!std::has_single_bit(width) || width > warpThreads || mode > ShuffleIndex)
    abandon(thread, CudaLaunchFailed, "shuffles with width %u and mode %u",
            width, mode);
  if (warp.arrived && (warp.width != width || warp.mode != mode))
    abandon(thread, CudaLaunchFailed,
            "shuffles with width %u and mode %u, and others of its warp at the "
            "same time with width %u and mode %u",
            width, mode, warp.width, warp.mode);
}

void EmulatedBlock::exchange(Thread &last, Warp &warp) noexcept {
  Thread *firstLane = &threads[last.index / warpThreads * warpThreads];
  for (uint32_t lane = 0; lane < warpThreads; ++lane) {
    if (!(warp.present >> lane & 1))
      break;
    const uint32_t source =
        sourceLane(lane, warp.operands[lane], warp.width, warp.mode);
    if (!(warp.present >> source & 1))
      abandon(
          firstLane[lane], CudaLaunchFailed,
          "shuffles with lane %u of its warp, which the block does not have",
          source);
    warp.results[lane] = warp.values[source];
  }
  warp.arrived = 0;
  const uint32_t ownLane = last.index % warpThreads;
  for (uint32_t lane = 0; lane < warpThreads && warp.present >> lane & 1;
       ++lane)
    if (lane != ownLane)
      ready.push(firstLane[lane]);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void EmulatedBlock::access(Thread &thread, const void *address, uint64_t bytes,
                           uint32_t kind) noexcept {
  if (thread.fiber->contains(address, bytes))
    return;
  const uint32_t block =
      thread.block[1] * thread.grid_extent[0] + thread.block[0];
  const Access what{address,
                    bytes,
                    static_cast<AccessKind>(kind),
                    {block, epoch, thread.index}};
  char why[512];
  if (!checks->allows(what, why, sizeof(why)))
    abandon(thread, CudaIllegalAddress, "%s", why);
}

} // namespace tsgu::runtime
