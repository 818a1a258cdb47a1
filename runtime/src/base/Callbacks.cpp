//===- Callbacks.cpp - The caller's side, and its wish to stop ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "tsgu/Error.h"

#include <chrono>

namespace tsgu::runtime {

/// Read without a lock, which a fork could leave locked in its child: a reader
/// begins again if the version was odd or has changed meanwhile.
static struct {
  std::atomic<uint32_t> version{0};
  std::atomic<decltype(tsgu_callbacks::solve)> solve{nullptr};
  std::atomic<decltype(tsgu_callbacks::progress)> progress{nullptr};
  std::atomic<decltype(tsgu_callbacks::outcome)> outcome{nullptr};
  std::atomic<decltype(tsgu_callbacks::interrupted)> interrupted{nullptr};
} table;

tsgu_callbacks callbacks() {
  for (;;) {
    const uint32_t version = table.version.load();
    const tsgu_callbacks found{table.solve.load(), table.progress.load(),
                               table.outcome.load(), table.interrupted.load()};
    if (version % 2 == 0 && table.version.load() == version)
      return found;
  }
}

void setCallbacks(const tsgu_callbacks &callbacks) {
  std::lock_guard guard(processLock()); // A fork waits for it.
  table.version.fetch_add(1);
  table.solve.store(callbacks.solve);
  table.progress.store(callbacks.progress);
  table.outcome.store(callbacks.outcome);
  table.interrupted.store(callbacks.interrupted);
  table.version.fetch_add(1);
}

bool isInterrupted() noexcept {
  using Clock = std::chrono::steady_clock;
  static thread_local Clock::time_point next;
  const auto now = Clock::now();
  if (now < next)
    return false;
  next = now + std::chrono::milliseconds(50);
  const auto ask = table.interrupted.load();
  return ask && ask() != 0;
}

void checkInterrupt() {
  if (isInterrupted())
    fail(Status::Interrupted, "interrupted by the caller");
}

} // namespace tsgu::runtime
