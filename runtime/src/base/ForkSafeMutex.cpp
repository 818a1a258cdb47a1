//===- ForkSafeMutex.cpp - A mutex that is free in a child ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/ForkSafeMutex.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace tsgu::runtime {

/// How many are held or waited for; -1 while a thread forks.
static std::atomic<int32_t> held{0};
static thread_local int32_t heldHere = 0;

static void pause() {
  std::this_thread::sleep_for(std::chrono::microseconds(50));
}

void ForkSafeMutex::enter() {
  int32_t count = held.load(std::memory_order_relaxed);
  while (count < 0 || !held.compare_exchange_weak(count, count + 1)) {
    if (count < 0) {
      pause();
      count = held.load(std::memory_order_relaxed);
    }
  }
  ++heldHere;
}

void ForkSafeMutex::leave() {
  --heldHere;
  held.fetch_sub(1);
}

void ForkSafeMutex::close() {
  for (int32_t mine = heldHere; !held.compare_exchange_strong(mine, -1);
       mine = heldHere)
    pause();
}

void ForkSafeMutex::open() { held.store(heldHere); }

} // namespace tsgu::runtime
