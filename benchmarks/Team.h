//===- Team.h - Threads for the yardsticks ----------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_BENCHMARKS_TEAM_H
#define TSGU_BENCHMARKS_TEAM_H

namespace bench {

/// Runs `task(context, member)` for member 0..threads-1, member 0 on the
/// calling thread, and returns when all are done. The others spin for a tenth
/// of a millisecond after their work, then sleep. One caller at a time.
void runTeam(int threads, void (*task)(void *context, int member),
             void *context);

template <typename Task> void runTeam(int threads, const Task &task) {
  runTeam(
      threads,
      [](void *context, int member) {
        (*static_cast<const Task *>(context))(member);
      },
      const_cast<Task *>(&task));
}

} // namespace bench

#endif // TSGU_BENCHMARKS_TEAM_H
