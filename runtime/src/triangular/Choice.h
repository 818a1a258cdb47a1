//===- Choice.h - The fastest of several ways -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_CHOICE_H
#define TSGU_SRC_TRIANGULAR_CHOICE_H

#include "base/Crowding.h"
#include "pattern/Matrix.h"

#include <atomic>

namespace tsgu::runtime {

/// Chooses between ways to the same bits by trying them: whether threads or the
/// order of levels pay depends on the matrix, the machine and what else it
/// does. Tries again now and then. Races between threads that ask at the same
/// time may cost a detour, and nothing else.
class Choice {
public:
  static constexpr int32_t most = 4;

  /// The way to take now, less than `ways`, which writes x: fresh memory costs
  /// as much as some solves, and is there before a way is tried.
  template <typename T>
  int32_t next(int32_t ways, int32_t threads, Vectors<T> x) {
    if (lastThreads.exchange(threads, std::memory_order_relaxed) != threads)
      turns.store(0, std::memory_order_relaxed);
    const int64_t turn = turns.fetch_add(1, std::memory_order_relaxed) % period;
    if (turn == 0)
      for (auto &time : best)
        time.store(Clock::duration::max(), std::memory_order_relaxed);
    if (turn < rounds * ways) {
      touch(x);
      return static_cast<int32_t>(turn /
                                  rounds); // With its own memory at hand.
    }
    int32_t fastest = 0;
    for (int32_t way = 1; way < ways; ++way)
      if (best[way].load(std::memory_order_relaxed) <
          best[fastest].load(std::memory_order_relaxed))
        fastest = way;
    return fastest;
  }

  void took(int32_t way, Clock::duration time) {
    if (time < best[way].load(std::memory_order_relaxed))
      best[way].store(time, std::memory_order_relaxed);
  }

private:
  static constexpr int64_t rounds = 3, period = 1000;

  /// What it holds stays: a solve may be in place.
  template <typename T> static void touch(Vectors<T> x) {
    constexpr int64_t page = 4096;
    const int64_t bytes =
        ((x.length - 1) * x.stride + x.count) * int64_t{sizeof(T)};
    auto *data = reinterpret_cast<volatile char *>(x.data);
    for (int64_t at = 0; at < bytes; at += page)
      data[at] = data[at];
  }

  std::atomic<int32_t> lastThreads{0};
  std::atomic<int64_t> turns{0};
  std::atomic<Clock::duration> best[most];
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_CHOICE_H
