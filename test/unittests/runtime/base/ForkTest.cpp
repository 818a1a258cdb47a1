//===- ForkTest.cpp - Children of a process whose threads are busy --------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/ForkSafeMutex.h"
#include "pattern/Pattern.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace tsgu::runtime;

namespace {

/// What a child returns that runs this; 128 plus a signal if it is killed, as
/// it is when it takes longer than a minute.
int inChild(const std::function<int()> &run) {
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(run());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Waits until it is given the word.
struct Signal {
  std::atomic<bool> given{false};
  void give() {
    given = true;
    given.notify_all();
  }
  void wait() { given.wait(false); }
};

TEST(ForkTest, WaitsForWhatIsBeingMade) {
  ForkSafeMutex mutex;
  int made = 0;
  Signal begun;
  std::thread maker([&] {
    std::lock_guard lock(mutex);
    made = 1; // Half of it.
    begun.give();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    made = 2;
  });
  begun.wait();
  EXPECT_EQ(inChild([&] {
              std::lock_guard lock(mutex);
              return made;
            }),
            2);
  maker.join();
}

TEST(ForkTest, AThreadMayForkThatHoldsOne) {
  ForkSafeMutex mutex, other;
  std::lock_guard lock(mutex);
  EXPECT_EQ(inChild([&] {
              std::lock_guard lock(other);
              return mutex.try_lock() ? 1 : 2;
            }),
            2);
  EXPECT_TRUE(other.try_lock());
  other.unlock();
}

TEST(ForkTest, ChildrenTransposeWhatThreadsTranspose) {
  constexpr int64_t rows = 2000;
  std::vector<int64_t> positions(rows + 1), coordinates(rows);
  for (int64_t i = 0; i < rows; ++i) {
    positions[i + 1] = i + 1;
    coordinates[i] = rows - 1 - i;
  }
  const int64_t shape[] = {rows, rows};
  tsgu_pattern *shared = nullptr;
  auto make = [&] {
    tsgu_pattern *pattern = nullptr;
    tsgu_pattern_from_csr(2, shape, TSGU_I64, positions.data(),
                          coordinates.data(), rows, &pattern);
    return pattern;
  };
  const int32_t order[] = {1, 0};
  for (int round = 0; round < 50; ++round) {
    shared = make();
    ASSERT_NE(shared, nullptr);
    Signal begun;
    std::thread busy([&] {
      begun.give();
      tsgu_layout layout;
      tsgu_pattern_layout(shared, order, &layout);
    });
    begun.wait();
    EXPECT_EQ(inChild([&] {
                tsgu_layout layout;
                return static_cast<int>(
                    tsgu_pattern_layout(shared, order, &layout));
              }),
              0);
    busy.join();
    tsgu_pattern_release(shared);
  }
}

} // namespace
