//===- ParallelTest.cpp - The thread pool ---------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Parallel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace tsgu::runtime;

namespace {

class Parallel : public testing::TestWithParam<int> {
protected:
  void SetUp() override { setThreads(GetParam()); }
  void TearDown() override { setThreads(0); }
};

/// How often each of [0, count) was visited.
std::vector<int> visits(int64_t count) {
  std::vector<std::atomic<int>> visited(count);
  parallelFor(executorOr(nullptr), count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      ++visited[i];
  });
  return {visited.begin(), visited.end()};
}

TEST_P(Parallel, VisitsEachOnce) {
  for (int64_t count : {0, 1, 2, 3, 17, 1000})
    EXPECT_EQ(visits(count), std::vector<int>(count, 1));
}

using namespace std::chrono_literals;

/// Whether parallelFor hands its tasks to the executor; the second of them
/// takes so long on a thread of the executor's.
bool usesExecutor(std::chrono::milliseconds late) {
  static bool used;
  static std::chrono::milliseconds delay;
  used = false, delay = late;
  const tsgu_executor executor{
      2, [](int64_t count, tsgu_task task, void *context) {
        used = true;
        task(context, 0, 1);
        // Begun here, for what delays the caller is no loss.
        std::thread([=] {
          std::this_thread::sleep_for(delay);
          task(context, 1, count);
        }).join();
      }};
  parallelFor(executor, 2, [](int64_t, int64_t) {});
  return used;
}

TEST(Crowding, OneThreadWorksTenTimesAsLongAsWasLost) {
  while (isCrowded()) // By the tests before.
    std::this_thread::sleep_for(1ms);
  Clock::time_point begin;
  // Again where the caller itself was kept waiting: that is no loss.
  for (int attempt = 0; attempt < 100 && !isCrowded(); ++attempt) {
    begin = Clock::now();
    EXPECT_TRUE(usesExecutor(20ms));
  }
  while (!usesExecutor(0ms) && Clock::now() < begin + 60s)
    std::this_thread::sleep_for(1ms);
  EXPECT_GE(Clock::now() - begin, 220ms);
  EXPECT_LT(Clock::now() - begin, 60s);
}

TEST_P(Parallel, ManyJobsOneAfterTheOther) {
  std::atomic<int64_t> sum{0};
  for (int job = 0; job < 5000; ++job)
    parallelFor(executorOr(nullptr), 8, [&](int64_t begin, int64_t end) {
      for (; begin < end; ++begin)
        sum += begin;
    });
  EXPECT_EQ(sum, 5000 * 28);
}

TEST_P(Parallel, JobsAfterPauses) {
  // Long enough that the workers have fallen asleep.
  for (int job = 0; job < 20; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(visits(64), std::vector<int>(64, 1));
  }
}

TEST_P(Parallel, Nested) {
  std::atomic<int> inner{0};
  parallelFor(executorOr(nullptr), 10, [&](int64_t begin, int64_t end) {
    for (; begin < end; ++begin)
      parallelFor(executorOr(nullptr), 10,
                  [&](int64_t from, int64_t to) { inner += to - from; });
  });
  EXPECT_EQ(inner, 100);
}

TEST_P(Parallel, ExceptionsReachTheCaller) {
  for (int64_t thrower : {0, 13, 99}) {
    try {
      parallelFor(executorOr(nullptr), 100, [&](int64_t begin, int64_t end) {
        for (; begin < end; ++begin)
          if (begin == thrower)
            throw std::runtime_error("at " + std::to_string(thrower));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error &error) {
      EXPECT_EQ(error.what(), "at " + std::to_string(thrower));
    }
    EXPECT_EQ(visits(50), std::vector<int>(50, 1)); // Still works.
  }
}

TEST_P(Parallel, AllThrow) {
  EXPECT_THROW(
      parallelFor(executorOr(nullptr), 64, [](int64_t, int64_t) { throw 42; }),
      int);
}

TEST_P(Parallel, SixteenCallers) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum{0};
  for (int t = 0; t < 16; ++t)
    callers.emplace_back([&] {
      for (int job = 0; job < 1000; ++job)
        parallelFor(executorOr(nullptr), 4,
                    [&](int64_t begin, int64_t end) { sum += end - begin; });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(sum, 16 * 1000 * 4);
}

TEST_P(Parallel, ForkedChild) {
  EXPECT_EQ(visits(100), std::vector<int>(100, 1));
  for (int repeat = 0; repeat < 3; ++repeat) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(30);
      bool right = visits(100) == std::vector<int>(100, 1);
      setThreads(3);
      right &= visits(100) == std::vector<int>(100, 1);
      _exit(right ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_EQ(visits(100), std::vector<int>(100, 1));
  }
}

TEST_P(Parallel, ForkWhileOthersUseThePool) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> users;
  for (int t = 0; t < 3; ++t)
    users.emplace_back([&] {
      while (!stop)
        visits(20);
    });
  for (int repeat = 0; repeat < 10; ++repeat) {
    pid_t child = fork();
    if (child == 0) {
      alarm(30);
      // Nothing but the pool: other libraries' locks may be held for ever.
      std::atomic<int64_t> sum{0};
      for (int job = 0; job < 10; ++job)
        parallelFor(executorOr(nullptr), 50,
                    [&](int64_t begin, int64_t end) { sum += end - begin; });
      _exit(sum == 500 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  stop = true;
  for (std::thread &user : users)
    user.join();
}

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 4, 7));

TEST(Pool, UsesSeveralThreads) {
  setThreads(4);
  std::set<std::thread::id> seen;
  std::mutex mutex;
  const auto begin = Clock::now();
  // Where others take the machine, one thread works alone for a while.
  while (seen.size() < 2 && Clock::now() < begin + 60s)
    parallelFor(executorOr(nullptr), 16, [&](int64_t, int64_t) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::lock_guard<std::mutex> lock(mutex);
      seen.insert(std::this_thread::get_id());
    });
  setThreads(0);
  EXPECT_GE(seen.size(), 2u);
}

TEST(Pool, NumberOfThreads) {
  setThreads(3);
  EXPECT_EQ(threads(), 3);
  setThreads(-5);
  EXPECT_GE(threads(), 1);
  setThreads(1 << 30);
  EXPECT_LE(threads(), 1024);
  setThreads(0);
  EXPECT_GE(threads(), 1);
}

TEST(Pool, ThreadsChangeWhileInUse) {
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    for (int count = 0; !stop; count = (count + 1) % 5)
      setThreads(count);
  });
  for (int job = 0; job < 300; ++job)
    EXPECT_EQ(visits(16), std::vector<int>(16, 1));
  stop = true;
  changer.join();
  setThreads(0);
}

} // namespace
