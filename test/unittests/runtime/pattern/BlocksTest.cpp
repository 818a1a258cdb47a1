//===- BlocksTest.cpp - Of which blocks a pattern is made ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/PatternEntries.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace tsgu;
using namespace tsgu::runtime;
using namespace tsgu::test;

namespace {

TEST(Blocks, LargestOnesThatAreFull) {
  // A node joined with two others, `height` x `width` entries for each; every
  // `gap`-th block lacks one.
  auto blocks = [](int64_t nodes, int64_t height, int64_t width, int64_t gap,
                   int64_t items = 0) {
    Entries entries{{nodes * height, nodes * width}, {}};
    if (items > 0)
      entries.shape.insert(entries.shape.begin(), items);
    std::set<Entry> all;
    for (int64_t item = 0; item < std::max<int64_t>(items, 1); ++item)
      for (int64_t node = 0; node < nodes; ++node)
        for (int64_t other : {node, (7 * node + 3) % nodes})
          for (int64_t i = 0; i < height; ++i)
            for (int64_t j = 0; j < width; ++j) {
              if (gap > 0 && node % gap == 0 && i == 0 && j == 0)
                continue;
              const int64_t row = node * height + i, column = other * width + j;
              all.insert(items > 0 ? Entry{item, row, column}
                                   : Entry{row, column, 0});
            }
    entries.all.assign(all.begin(), all.end());
    const BlockShape found = entries.pattern()->blocks();
    return std::pair(found.rows, found.columns);
  };
  EXPECT_EQ(blocks(500, 3, 3, 0), std::pair(3, 3));
  EXPECT_EQ(blocks(500, 4, 2, 0), std::pair(4, 2));
  EXPECT_EQ(blocks(500, 8, 8, 0), std::pair(8, 8));
  EXPECT_EQ(blocks(100, 16, 16, 0), std::pair(8, 8));
  EXPECT_EQ(blocks(500, 9, 7, 0), std::pair(3, 7));
  EXPECT_EQ(blocks(1000, 5, 1, 0), std::pair(5, 1));
  EXPECT_EQ(blocks(5000, 1, 5, 0), std::pair(1, 1)) << "rows differ";
  EXPECT_EQ(blocks(5000, 1, 1, 0), std::pair(1, 1));
  EXPECT_EQ(blocks(50, 3, 3, 0), std::pair(1, 1)) << "small";
  EXPECT_EQ(blocks(500, 3, 3, 10), std::pair(3, 3)) << "a tenth is not full";
  EXPECT_EQ(blocks(500, 3, 3, 4), std::pair(1, 1)) << "a quarter is not full";
  EXPECT_EQ(blocks(100, 3, 3, 0, 4), std::pair(3, 3)) << "of a batch";
  std::vector<Entry> full;
  for (int64_t i = 0; i < 100; ++i)
    for (int64_t j = 0; j < 100; ++j)
      full.push_back({i, j, 0});
  const BlockShape found = Entries{{100, 100}, full}.pattern()->blocks();
  EXPECT_EQ(std::pair(found.rows, found.columns), std::pair(8, 5))
      << "four rows are left";
}

TEST(Blocks, DiagonalsOfMostEntries) {
  // Lines of a grid with neighbours before and behind, above and below.
  auto blocks = [](int64_t lines, int64_t length, int64_t items = 0) {
    Entries entries{{lines * length, lines * length}, {}};
    if (items > 0)
      entries.shape.insert(entries.shape.begin(), items);
    for (int64_t item = 0; item < std::max<int64_t>(items, 1); ++item)
      for (int64_t row = 0; row < lines * length; ++row)
        for (int64_t move :
             {-length, int64_t(-1), int64_t(0), int64_t(1), length}) {
          const int64_t column = row + move;
          const bool inLine = column / length == row / length;
          if (column < 0 || column >= lines * length ||
              (!inLine && std::abs(move) == 1))
            continue;
          entries.all.push_back(items > 0 ? Entry{item, row, column}
                                          : Entry{row, column, 0});
        }
    const BlockShape found = entries.pattern()->blocks();
    return std::pair(found.rows, found.columns);
  };
  EXPECT_EQ(blocks(40, 50), std::pair(8, 0));
  EXPECT_EQ(blocks(40, 50, 3), std::pair(8, 0));
  EXPECT_EQ(blocks(1, 4000), std::pair(8, 0)) << "a band";
  EXPECT_EQ(blocks(100, 19), std::pair(8, 0)) << "half of them";
  EXPECT_EQ(blocks(150, 13), std::pair(1, 1)) << "fewer";
  EXPECT_EQ(blocks(4, 50), std::pair(1, 1)) << "small";
}

} // namespace
