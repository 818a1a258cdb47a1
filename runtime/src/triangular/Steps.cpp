//===- Steps.cpp - Threads that go through steps together -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Steps.h"

#include <sched.h>

namespace tsgu::runtime {

/// Spins; where there are more threads than processors, the others' turn comes.
/// Returns how long it waited beyond what a step may take.
template <typename F> static Clock::duration spinUntil(F &&ready) {
  for (int64_t spins = 0; spins < 10000; ++spins) {
    if (ready())
      return {};
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  const Clock::time_point begin = Clock::now();
  while (!ready())
    sched_yield();
  return Clock::now() - begin;
}

int32_t Team::join(int64_t covered) {
  const int32_t member = joined.fetch_add(1, std::memory_order_relaxed);
  if (member >= most)
    return -1;
  present.fetch_add(covered, std::memory_order_relaxed);
  return member;
}

bool Team::complete() {
  if (present.load(std::memory_order_relaxed) >= tasks)
    return true;
  return joined.load(std::memory_order_relaxed) > 1 &&
         Clock::now() - begin > std::chrono::microseconds(30);
}

int32_t Team::close(int64_t step) {
  const int32_t members =
      std::min(joined.fetch_add(closed, std::memory_order_relaxed), most);
  firstStep = step;
  size.store(members, std::memory_order_release);
  return members;
}

Team::Place Team::await(int32_t member) {
  int32_t members = 0;
  spinUntil([&] { return (members = size.load(std::memory_order_acquire)); });
  return {member, members, firstStep};
}

/// What the leader writes before its flag of a step, the others read after it.
bool Team::meet(const Place &place, int64_t step) {
  flags[place.member].done.store(step + 1, std::memory_order_release);
  Clock::duration waited{};
  for (int32_t other = 0; other < place.members; ++other)
    waited += spinUntil([&] {
      return flags[other].done.load(std::memory_order_acquire) > step;
    });
  if (step >= lastStep.load(std::memory_order_relaxed))
    return false;
  if (place.member == 0 && waited > std::chrono::microseconds(300)) {
    countLoss(waited);
    lastStep.store(step + 1, std::memory_order_relaxed);
  }
  return true;
}

} // namespace tsgu::runtime
