//===- Steps.cpp - Threads that go through steps together -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Steps.h"

#include <sched.h>

namespace tsgu::runtime {

/// Spins; where there are more threads than processors, the others' turn comes.
template <typename F> static void spinUntil(F &&ready) {
  for (int64_t spins = 0; !ready(); ++spins) {
    if (spins >= 20000)
      sched_yield();
#if defined(__x86_64__)
    else
      __builtin_ia32_pause();
#endif
  }
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

void Team::meet(const Place &place, int64_t step) {
  flags[place.member].done.store(step + 1, std::memory_order_release);
  for (int32_t other = 0; other < place.members; ++other)
    spinUntil([&] {
      return flags[other].done.load(std::memory_order_acquire) > step;
    });
}

} // namespace tsgu::runtime
