//===- Parallel.h - Work on the threads of the host -------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One hook: a tsgu_executor runs a task over ranges, from any threads. Without
// one of the caller's, a pool of our own serves. Nothing computed may depend on
// which thread runs a range.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_PARALLEL_H
#define TSGU_SRC_BASE_PARALLEL_H

#include "base/Callbacks.h"
#include "base/Crowding.h"
#include "tsgu/tsgu.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace tsgu::runtime {

/// Threads of our own pool, the caller's included.
int32_t threads();
/// 0: as many as this process may use.
void setThreads(int32_t count);

/// Runs the tasks 0 .. count - 1 one by one on our own pool. Serial inside a
/// task of the pool, and while another thread uses the pool.
void runOnPool(int64_t count, tsgu_task task, void *context);

/// The caller's executor, or that of our own pool.
tsgu_executor executorOr(const tsgu_executor *executor);

/// One lock for everything rare that a fork must find in order: the table of
/// programs, the compiler, starting the pool. A fork waits for it, as for every
/// ForkSafeMutex; none of these is taken by who holds this lock.
std::recursive_mutex &processLock();

/// function(begin, end) over disjoint ranges that cover [0, count). The first
/// exception is thrown again here; ranges not yet begun are then left out.
/// Throws Interrupted.
template <typename F>
void parallelFor(const tsgu_executor &executor, int64_t count, F &&function) {
  if (count <= 0)
    return;
  if (count > 1) // One is for little work.
    checkInterrupt();
  if (executor.threads <= 1 || count == 1 || isCrowded()) {
    function(int64_t{0}, count);
    return;
  }
  struct State {
    F &function;
    std::atomic<bool> failed{false};
    std::exception_ptr error;
    RegionWatch watch;
  } state{function, {}, {}, {}};
  tsgu_task task = [](void *context, int64_t begin, int64_t end) {
    State &state = *static_cast<State *>(context);
    if (state.failed.load(std::memory_order_relaxed))
      return;
    try {
      checkInterrupt();
      state.function(begin, end);
    } catch (...) {
      if (!state.failed.exchange(true))
        state.error = std::current_exception();
    }
    state.watch.taskEnded();
  };
  executor.parallel_for(count, task, &state);
  state.watch.regionEnded(executor.threads);
  if (state.error)
    std::rethrow_exception(state.error);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_PARALLEL_H
