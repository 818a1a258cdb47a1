//===- PreparedCacheTest.cpp - Where prepared things are found ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Parallel.h"
#include "pattern/Prepared.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <thread>

using namespace tsgu;
using namespace tsgu::runtime;

namespace {

constexpr tsgu_executor serial{1, nullptr};

struct Thing : AnyPrepared {
  explicit Thing(int64_t size) : size(size) { ++alive; }
  ~Thing() override { --alive; }
  int64_t bytes() const override { return size; }
  int64_t size;
  static inline std::atomic<int> alive{0};
};

/// A diagonal matrix of some items.
struct Diagonal {
  explicit Diagonal(int64_t n, int64_t items = 1) : values(n * items, 1.0) {
    std::vector<int64_t> positions, coordinates;
    for (int64_t item = 0; item < items; ++item)
      for (int64_t k = 0; k <= n; ++k) {
        positions.push_back(k);
        if (k < n)
          coordinates.push_back(k);
      }
    const int64_t shape[] = {items, n, n};
    pattern = Pattern::fromCSR(3, shape, TSGU_I64, positions.data(),
                               coordinates.data(), n * items);
  }
  Diagonal(const Diagonal &) = delete;
  ~Diagonal() { pattern->release(); }
  Matrix<double> matrix(int64_t item = 0) const {
    return {pattern, item, values.data()};
  }
  std::vector<double> values;
  Pattern *pattern;
};

/// What is prepared of kind `kind`, and whether it was made for that.
std::pair<std::shared_ptr<const Thing>, bool>
prepared(const Diagonal &A, int64_t item = 0, int64_t kind = 0,
         int64_t option = 0, int64_t size = 100, uint64_t number = 0) {
  bool made = false;
  PreparedKey key;
  key.kind = kind, key.options = {option, 0};
  const auto make = [&] {
    made = true;
    return std::make_shared<const Thing>(size);
  };
  auto thing = prepare<Thing>(key, A.matrix(item), serial, make, number);
  return {thing, made};
}

bool isMade(const Diagonal &A, int64_t item = 0, int64_t kind = 0,
            int64_t option = 0, int64_t size = 100) {
  return prepared(A, item, kind, option, size).second;
}

bool isMadeAs(uint64_t number, const Diagonal &A) {
  return prepared(A, 0, 0, 0, 100, number).second;
}

/// For the length of a test.
struct Limit {
  explicit Limit(int64_t bytes)
      : before(PreparedCache::get().setLimit(bytes)) {}
  ~Limit() { PreparedCache::get().setLimit(before); }
  int64_t before;
};

TEST(PreparedCache, FoundByAllThatMatters) {
  Diagonal A(10, 3), B(10, 3);
  EXPECT_TRUE(isMade(A));
  EXPECT_FALSE(isMade(A));
  EXPECT_TRUE(isMade(A, 1));
  EXPECT_TRUE(isMade(A, 0, 1));
  EXPECT_TRUE(isMade(A, 0, 0, 1));
  EXPECT_TRUE(isMade(B));
  A.values[0] = -1;
  EXPECT_TRUE(isMade(A));
  EXPECT_FALSE(isMade(A, 1)); // Whose values are as they were.
  A.values[0] = 1;
  EXPECT_FALSE(isMade(A));
  A.values[3] = 0.0;
  EXPECT_TRUE(isMade(A));
  A.values[3] = -0.0; // Bits, not numbers.
  EXPECT_TRUE(isMade(A));
}

TEST(PreparedCache, FoundWhileSomebodyHoldsIt) {
  const Limit limit(0);
  Diagonal A(10, 3);
  const auto held = prepared(A).first;
  EXPECT_TRUE(isMade(A, 1)); // In its place.
  EXPECT_FALSE(isMade(A));
  EXPECT_EQ(prepared(A).first, held);
  EXPECT_TRUE(isMade(A, 1));
}

TEST(PreparedCache, WhatIsKeptForSomebody) {
  const Limit limit(0);
  const int before = Thing::alive;
  auto A = std::make_unique<Diagonal>(10, 3);
  {
    Keeping kept;
    EXPECT_TRUE(isMade(*A, 0) && isMade(*A, 1) && isMade(*A, 2));
    kept.end();
    EXPECT_TRUE(isMade(*A, 0, 1)); // Not kept.
    for (int64_t item : {0, 1, 2, 0, 1, 2})
      EXPECT_FALSE(isMade(*A, item));
    EXPECT_FALSE(isMade(*A, 2));
    EXPECT_TRUE(isMade(*A, 0, 1));
    // Also from the pattern.
    const uint64_t alive = Pattern::alive();
    A.reset();
    EXPECT_EQ(Pattern::alive(), alive);
    EXPECT_EQ(Thing::alive, before + 4);
  }
  EXPECT_EQ(Thing::alive, before);
}

TEST(PreparedCache, KeptForTheInnermost) {
  Diagonal A(10);
  const Limit limit(0);
  Keeping outer;
  {
    Keeping inner;
    isMade(A);
    inner.end();
    EXPECT_TRUE(isMade(A, 0, 1));
  }
  EXPECT_TRUE(isMade(A));
  outer.end();
  EXPECT_FALSE(isMade(A));
}

TEST(PreparedCache, BytesBoundIt) {
  Diagonal A(10, 50);
  const PreparedCounters before = PreparedCache::get().counters();
  const Limit limit(before.bytes + 10 * 10000);
  for (int64_t item = 0; item < 50; ++item)
    isMade(A, item, 0, 0, 9000);
  const PreparedCounters after = PreparedCache::get().counters();
  EXPECT_LE(after.bytes, after.limit);
  EXPECT_GE(after.entries, before.entries + 9);
  EXPECT_GE(after.evicted, before.evicted + 39);
  EXPECT_FALSE(isMade(A, 49, 0, 0, 9000));
  EXPECT_TRUE(isMade(A, 0, 0, 0, 9000));
  isMade(A, 1, 0, 0, 1 << 30); // The latest stays, whatever its size.
  EXPECT_FALSE(isMade(A, 1));
  isMade(A, 2);
  EXPECT_TRUE(isMade(A, 1));
}

/// Values that go by leave little behind.
TEST(PreparedCache, FewOfOneItem) {
  Diagonal A(10);
  const int before = Thing::alive;
  for (int k = 0; k < 300; ++k) {
    A.values[0] = k;
    isMade(A, 0, 0, 0, 40 << 20);
  }
  EXPECT_EQ(Thing::alive, before + 2);
  for (int k = 0; k < 300; ++k) {
    A.values[0] = k;
    isMade(A, 0, 1);
  }
  EXPECT_EQ(Thing::alive, before + 2 + 128);
}

TEST(PreparedCache, NumbersStandForContent) {
  Diagonal A(10);
  EXPECT_TRUE(isMadeAs(7, A));
  A.values[0] = 2; // Nobody looks.
  EXPECT_FALSE(isMadeAs(7, A));
  EXPECT_TRUE(isMadeAs(8, A));
  EXPECT_FALSE(isMade(A)); // The content is found, too.
  A.values[0] = 1;
  EXPECT_FALSE(isMade(A));
  for (uint64_t number = 9; number < 20; ++number)
    EXPECT_FALSE(isMadeAs(number, A));
  A.values[0] = 3;
  EXPECT_FALSE(isMadeAs(19, A));
  EXPECT_TRUE(isMadeAs(7, A)); // The latest few are known.
  Diagonal B(10);
  EXPECT_TRUE(isMadeAs(19, B)); // Of another pattern.
}

TEST(PreparedCache, ManyThreads) {
  const Diagonal A(10, 8);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int k = 0; k < 2000; ++k) {
        Keeping kept;
        const int64_t item = (t + k) % 8;
        const auto made = prepared(A, item, 0, 0, 10 + item).first;
        wrong += made->size != 10 + item;
        kept.end();
        if (k % 100 == t)
          PreparedCache::get().setLimit(PreparedCache::get().setLimit(0));
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

//===----------------------------------------------------------------------===//
// Hashes
//===----------------------------------------------------------------------===//

TEST(ContentHash, TellsSmallDifferences) {
  std::set<std::vector<double>> contents;
  std::set<std::pair<uint64_t, uint64_t>> hashes;
  auto add = [&](const std::vector<double> &values) {
    std::vector<double> bits = values; // -0 and 0 are one to the set.
    for (double &value : bits)
      value = std::signbit(value) ? value - 100 : value;
    contents.insert(bits);
    const ContentHash hash =
        hashOf(values.data(), values.size() * sizeof(double), serial);
    hashes.emplace(hash.low, hash.high);
  };
  std::vector<double> values(200, 1.25);
  add(values);
  for (size_t k = 0; k < values.size(); ++k)
    for (double other : {-1.25, 1.5, 0.0, -0.0})
      // In pairs, too, which might make up for each other.
      for (size_t distance : {0, 1, 2, 4, 8, 16, 64}) {
        std::vector<double> changed = values;
        changed[k] = changed[(k + distance) % values.size()] = other;
        add(changed);
        changed[(k + distance) % values.size()] = 2 * other;
        add(changed);
      }
  EXPECT_GT(contents.size(), 8000u);
  EXPECT_EQ(hashes.size(), contents.size());
}

TEST(ContentHash, TellsLengths) {
  std::set<std::pair<uint64_t, uint64_t>> hashes;
  const std::vector<char> zeros(300);
  for (int64_t length = 0; length < 300; ++length) {
    const ContentHash hash = hashOf(zeros.data(), length, serial);
    hashes.emplace(hash.low, hash.high);
  }
  EXPECT_EQ(hashes.size(), 300u);
}

TEST(ContentHash, TheSameForEveryExecutor) {
  std::mt19937_64 random(3);
  std::vector<uint64_t> words(300000);
  for (uint64_t &word : words)
    word = random();
  const tsgu_executor backwards{
      5, [](int64_t count, tsgu_task task, void *context) {
        for (int64_t i = count; i-- > 0;)
          task(context, i, i + 1);
      }};
  for (int64_t bytes : {int64_t{1000}, int64_t{262144}, int64_t{2399999}}) {
    const ContentHash expected = hashOf(words.data(), bytes, serial);
    EXPECT_EQ(hashOf(words.data(), bytes, backwards), expected);
    EXPECT_EQ(hashOf(words.data(), bytes, executorOr(nullptr)), expected);
    ++words[bytes / 16];
    EXPECT_NE(hashOf(words.data(), bytes, serial), expected);
    --words[bytes / 16];
  }
}

} // namespace
