//===- HollowTest.cpp - Where most of a pattern is empty ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/PatternEntries.h"

#include <gtest/gtest.h>

using namespace tsgu;
using namespace tsgu::runtime;
using namespace tsgu::test;

namespace {

TEST(Hollow, RowsAndColumns) {
  auto hollow = [](std::vector<int64_t> shape, std::vector<Entry> all) {
    return Entries{std::move(shape), std::move(all)}.pattern()->hollow();
  };
  std::vector<Entry> band, diagonal, wide;
  for (int64_t i = 0; i < 2000; ++i) {
    if (i % 10 == 0)
      for (int64_t j = 0; j < 3; ++j)
        band.push_back({i, j, 0});
    diagonal.push_back({i, i, 0});
    wide.push_back({i / 100, i, 0});
  }
  EXPECT_EQ(hollow({2000, 10}, band), 1 << 1);
  EXPECT_EQ(hollow({2000, 2000}, diagonal), 0);
  EXPECT_EQ(hollow({2000, 2000}, wide), 1 << 1) << "20 rows of 100";
  EXPECT_EQ(hollow({2000, 20000}, diagonal), 1 << 2) << "columns";
  EXPECT_EQ(hollow({500, 500}, {}), 0) << "small";
  EXPECT_EQ(hollow({5000, 5000}, {}), (1 << 1) + (1 << 2));
}

TEST(Hollow, PairsOfDimensions) {
  std::mt19937 random(4);
  auto hollow = [&](std::vector<int64_t> shape, size_t count) {
    constexpr uint8_t pairs = 0x7f; // Not what the set of all stands for.
    return randomEntries(random, std::move(shape), count).pattern()->hollow() &
           pairs;
  };
  EXPECT_EQ(hollow({100, 100, 100}, 2000), 1 << 3 | 1 << 5 | 1 << 6);
  EXPECT_EQ(hollow({100, 100, 10}, 2000), 1 << 3);
  EXPECT_EQ(hollow({10, 10, 10}, 20), 0);
  EXPECT_EQ(hollow({3, 9000, 10}, 200), 1 << 2 | 1 << 3 | 1 << 6);
  EXPECT_EQ(hollow({2000, 10, 10}, 200), 1 << 1 | 1 << 3 | 1 << 5);
}

} // namespace
