//===- Crowding.cpp - Where one thread is faster than many ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Crowding.h"

#include <atomic>

namespace tsgu::runtime {

/// Until when regions are serial.
static std::atomic<Clock::rep> crowdedUntil{0};

bool isCrowded() {
  const Clock::rep until = crowdedUntil.load(std::memory_order_relaxed);
  return until != 0 && Clock::now().time_since_epoch().count() < until;
}

void countLoss(Clock::duration waited) {
  const Clock::time_point until = Clock::now() + 10 * waited;
  crowdedUntil.store(until.time_since_epoch().count(),
                     std::memory_order_relaxed);
}

/// One thread would have taken `threads` times as long as the caller's share;
/// shorter waits than a time slice have other reasons.
void RegionWatch::regionEnded(int32_t threads) const {
  const Clock::duration own = lastOwn - begin;
  if (own == Clock::duration::zero())
    return;
  const Clock::duration waited = Clock::now() - lastOwn;
  if (waited > threads * own && waited > std::chrono::microseconds(300))
    countLoss(waited);
}

} // namespace tsgu::runtime
