//===- OutputsTest.cpp - Memory of results, kept for the next ones --------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Outputs.h"
#include "tsgu/Error.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace tsgu;
using namespace tsgu::runtime;

namespace {

constexpr int64_t MiB = int64_t{1} << 20;
constexpr int64_t page = 4096;

/// How many results a test makes: all of them in `make test-long`, else a part.
int calls() { return std::getenv("TSGU_LONG") ? 10000 : 1000; }

TEST(OutputsTest, SizesAreAnEighthLargerAtMostOrAHugePage) {
  std::mt19937_64 random(1);
  for (int k = 0; k < 10000; ++k) {
    const int64_t bytes = int64_t(random() >> (random() % 40 + 2));
    const int64_t size = Outputs::sizeFor(bytes);
    ASSERT_GE(size, bytes);
    ASSERT_EQ(size % page, 0);
    ASSERT_EQ(Outputs::sizeFor(size), size) << bytes;
    if (bytes < MiB)
      ASSERT_EQ(size, MiB);
    else if (bytes >= 4 * MiB)
      ASSERT_LT(size - bytes, std::max(2 * MiB, bytes / 8 + 1)) << bytes;
    else
      ASSERT_LE(size - bytes, bytes / 8) << bytes;
  }
}

TEST(OutputsTest, TheLastGivenIsTheFirstTaken) {
  Outputs outputs(64 * MiB);
  void *first = outputs.allocate(2 * MiB), *second = outputs.allocate(2 * MiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % page, 0u);
  EXPECT_TRUE(outputs.has(first));
  EXPECT_FALSE(outputs.has(static_cast<char *>(first) + 1));
  outputs.free(first);
  outputs.free(second);
  EXPECT_FALSE(outputs.has(first));
  EXPECT_EQ(outputs.counters().kept, 4 * MiB);
  EXPECT_EQ(outputs.allocate(2 * MiB - 1), second);
  EXPECT_EQ(outputs.allocate(2 * MiB), first);
  EXPECT_EQ(outputs.counters().reused, 2u);
  EXPECT_EQ(outputs.counters().mapped, 2u);
  EXPECT_EQ(outputs.counters().lent, 4 * MiB);
  outputs.free(first);
  outputs.free(second);
  outputs.free(nullptr);
  outputs.free(&outputs); // Not its own.
  outputs.release();
  EXPECT_EQ(outputs.counters().kept, 0);
  EXPECT_EQ(outputs.counters().lent, 0);
}

TEST(OutputsTest, HugePagesAreWhole) {
  Outputs outputs(64 * MiB);
  std::vector<void *> blocks;
  for (int64_t size : {4, 5, 6, 7, 20})
    blocks.push_back(outputs.allocate(size * MiB));
  for (void *block : blocks) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % (2 * MiB), 0u);
    outputs.free(block);
  }
}

TEST(OutputsTest, NothingIsKeptBeyondTheLimit) {
  Outputs none(0), small(3 * MiB);
  none.free(none.allocate(MiB));
  EXPECT_EQ(none.counters().kept, 0);
  small.free(small.allocate(MiB));
  small.free(small.allocate(4 * MiB)); // Does not drive out what fits.
  EXPECT_EQ(small.counters().kept, MiB);
  void *two = small.allocate(2 * MiB), *one = small.allocate(MiB);
  void *other = small.allocate(MiB);
  small.free(one);
  small.free(two);
  small.free(other); // For the one given longest ago.
  EXPECT_EQ(small.counters().kept, 3 * MiB);
  EXPECT_EQ(small.allocate(MiB), other);
  small.free(other);
}

TEST(OutputsTest, WhatIsTooLargeIsAnError) {
  Outputs outputs(64 * MiB);
  outputs.free(outputs.allocate(MiB));
  for (int64_t bytes : {int64_t{1} << 60, std::numeric_limits<int64_t>::max()})
    EXPECT_THROW(outputs.allocate(bytes), Error);
  EXPECT_EQ(outputs.counters().kept,
            0); // It was given back for the second try.
  EXPECT_EQ(outputs.counters().lent, 0);
}

/// Results of random sizes that live and die at random, each with its own
/// number on all of its pages.
struct Lives {
  Outputs &outputs;
  std::mt19937 random;
  struct Life {
    char *data;
    int64_t bytes;
    uint64_t number;
  };
  std::vector<Life> alive;
  uint64_t made = 0;

  Lives(Outputs &outputs, unsigned seed) : outputs(outputs), random(seed) {}

  static void write(const Life &life) {
    for (int64_t at = 0; at < life.bytes; at += page)
      *reinterpret_cast<uint64_t *>(life.data + at) = life.number;
  }
  static bool isIntact(const Life &life) {
    for (int64_t at = 0; at < life.bytes; at += page)
      if (*reinterpret_cast<uint64_t *>(life.data + at) != life.number)
        return false;
    return true;
  }

  void make() {
    const int64_t bytes =
        (MiB << random() % 6) + int64_t(random() % (MiB / page)) * page;
    alive.push_back({static_cast<char *>(outputs.allocate(bytes)), bytes,
                     (uint64_t{random()} << 32) + ++made});
    write(alive.back());
  }
  bool end(size_t at) {
    const bool intact = isIntact(alive[at]);
    outputs.free(alive[at].data);
    alive[at] = alive.back();
    alive.pop_back();
    return intact;
  }
  /// Whether one that ended had kept its number.
  bool step() {
    if (alive.empty() || (alive.size() < 12 && random() % 2)) {
      make();
      return true;
    }
    return end(random() % alive.size());
  }
  bool endAll() {
    bool intact = true;
    while (!alive.empty())
      intact &= end(0);
    return intact;
  }
};

TEST(OutputsTest, LivesAtRandomShareNoPageAndKeepTheBound) {
  constexpr int64_t limit = 100 * MiB;
  Outputs outputs(limit);
  Lives lives(outputs, 1);
  while (lives.made < uint64_t(calls())) {
    ASSERT_TRUE(lives.step());
    const Outputs::Counters count = outputs.counters();
    ASSERT_LE(count.kept, limit);
    std::map<char *, int64_t> places;
    int64_t lent = 0;
    for (const Lives::Life &life : lives.alive) {
      places.emplace(life.data, life.bytes);
      lent += Outputs::sizeFor(life.bytes);
    }
    ASSERT_EQ(places.size(), lives.alive.size());
    ASSERT_EQ(count.lent, lent);
    const char *end = nullptr;
    for (auto [data, bytes] : places) {
      ASSERT_LE(static_cast<const void *>(end), data);
      end = data + bytes;
    }
  }
  EXPECT_TRUE(lives.endAll());
  EXPECT_GT(outputs.counters().reused, outputs.counters().mapped);
  outputs.release();
}

TEST(OutputsTest, ManyThreads) {
  constexpr int64_t limit = 100 * MiB;
  Outputs outputs(limit);
  std::atomic<bool> intact{true}, bounded{true};
  std::vector<std::thread> threads;
  for (unsigned k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      Lives lives(outputs, k);
      while (lives.made < uint64_t(calls()) / 10) {
        if (!lives.step())
          intact = false;
        if (outputs.counters().kept > limit)
          bounded = false;
      }
      if (!lives.endAll())
        intact = false;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_TRUE(intact);
  EXPECT_TRUE(bounded);
  EXPECT_EQ(outputs.counters().lent, 0);
  outputs.release();
}

TEST(OutputsTest, ChildrenOfAForkHaveTheirOwn) {
  Outputs outputs(100 * MiB);
  Lives lives(outputs, 7);
  for (int k = 0; k < 50; ++k)
    lives.step();
  std::atomic<bool> stop{false};
  std::thread other([&] { // Who holds the lock now and then.
    while (!stop)
      outputs.free(outputs.allocate(MiB));
  });
  for (int k = 0; k < 20; ++k) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      bool intact = lives.endAll();
      for (int step = 0; step < 50; ++step)
        intact &= lives.step();
      _exit(intact && lives.endAll() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  other.join();
  EXPECT_TRUE(lives.endAll());
  outputs.release();
}

} // namespace
