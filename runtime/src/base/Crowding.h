//===- Crowding.h - Where one thread is faster than many --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On a machine with more running threads than processors, those who work
// together wait for each other's time slices: milliseconds, in regions of
// microseconds. A region that lost a time t this way is followed by 10 t in
// which all run on one thread, so that no more than about a tenth is lost.
// Results do not depend on it.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_CROWDING_H
#define TSGU_SRC_BASE_CROWDING_H

#include <chrono>
#include <cstdint>
#include <thread>

namespace tsgu::runtime {

using Clock = std::chrono::steady_clock;

/// Whether a region should rather run on the calling thread alone.
bool isCrowded();
/// A region has waited so long for threads that did not run.
void countLoss(Clock::duration waited);

/// Made by the thread that begins a region, and asked by it at the end.
class RegionWatch {
public:
  /// After each task, by the thread that ran it.
  void taskEnded() {
    if (std::this_thread::get_id() == caller)
      lastOwn = Clock::now();
  }
  /// When all have ended. A caller who ran no task cannot tell.
  void regionEnded(int32_t threads) const;

private:
  const std::thread::id caller = std::this_thread::get_id();
  const Clock::time_point begin = Clock::now();
  Clock::time_point lastOwn = begin;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_CROWDING_H
