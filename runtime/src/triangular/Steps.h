//===- Steps.h - Threads that go through steps together ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The steps of a sweep follow one another in one parallel region, with a
// barrier between them that threads spin on. An executor may run the tasks of a
// region one after the other, so nobody may wait for a task that has not begun:
// the first task to begin leads and works alone, step by step, until the others
// are there, or until those that are have waited long enough. From then on the
// members are fixed, and all of them are running; a task that comes later finds
// the team closed and returns. Where a member has lost its processor, the
// leader lets the others go and finishes alone.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_STEPS_H
#define TSGU_SRC_TRIANGULAR_STEPS_H

#include "base/Parallel.h"

#include <limits>

namespace tsgu::runtime {

class Team {
public:
  static constexpr int32_t most = 64;
  struct Place {
    int32_t member, members; ///< members = 0: the team is closed.
    int64_t step;            ///< The first step together.
  };

  explicit Team(int64_t tasks) : tasks(tasks) {}

  /// A task that covers so many of the tasks begins; the number of those that
  /// did before it: 0 leads. Negative: too late.
  int32_t join(int64_t covered);

  /// For the leader, before a step: whether all go on together from here.
  bool complete();
  /// Nobody joins any more. The members.
  int32_t close(int64_t step);
  /// For the others: waits until the leader closes.
  Place await(int32_t member);

  /// Returns when all members have called it for this step; false: the leader
  /// goes on alone.
  bool meet(const Place &place, int64_t step);

private:
  static constexpr int32_t closed = 1 << 20;

  const int64_t tasks;
  const Clock::time_point begin = Clock::now();
  std::atomic<int64_t> present{0}; ///< Of the tasks.
  std::atomic<int32_t> joined{0};
  alignas(64) std::atomic<int32_t> size{0};
  int64_t firstStep = 0; ///< Written before `size`.
  std::atomic<int64_t> lastStep{std::numeric_limits<int64_t>::max()};
  struct alignas(64) Flag {
    std::atomic<int64_t> done{0}; ///< Steps.
  };
  Flag flags[most];
};

/// work(step, member, members) for step = 0, ..., steps - 1 and every member of
/// a team of at most `threads`; a step begins when the one before it is done.
/// `work` must not throw, nor compute anything that depends on the members.
template <typename Work>
void runSteps(const tsgu_executor &executor, int64_t steps, const Work &work) {
  struct Region {
    Team team;
    int64_t steps;
    const Work &work;

    void lead() {
      int64_t step = 0;
      for (; step < steps && !team.complete(); ++step)
        work(step, 0, 1);
      together({0, team.close(step), step});
    }
    void together(const Team::Place &place) {
      int32_t members = place.members;
      for (int64_t step = place.step; step < steps && members; ++step) {
        work(step, place.member, members);
        if (members > 1 && !team.meet(place, step))
          members = place.member == 0;
      }
    }
  };
  const int32_t threads = std::min(executor.threads, Team::most);
  if (threads <= 1 || steps <= 1 || isCrowded()) {
    for (int64_t step = 0; step < steps; ++step)
      work(step, 0, 1);
    return;
  }
  Region region{Team(threads), steps, work};
  tsgu_task task = [](void *context, int64_t begin, int64_t end) {
    Region &region = *static_cast<Region *>(context);
    const int32_t member = region.team.join(end - begin);
    if (member == 0)
      region.lead();
    else if (member > 0)
      region.together(region.team.await(member));
  };
  executor.parallel_for(threads, task, &region);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_STEPS_H
