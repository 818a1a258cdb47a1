//===- LayoutTest.cpp - A pattern's entries by any levels -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ErrorTesting.h"
#include "pattern/PatternEntries.h"
#include "pattern/Ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>

using namespace tsgu;
using namespace tsgu::runtime;
using namespace tsgu::test;

namespace {

/// Reads a layout as its levels say, parent by parent.
class Walk {
public:
  Walk(const Layout &layout, const Levels &levels, const Entries &entries)
      : layout(layout), levels(levels), shape(entries.shape) {}

  std::vector<Entry> run() {
    descend(0, 0, {});
    return found;
  }

private:
  void descend(size_t level, int64_t parent, Entry entry) {
    if (level == levels.size()) {
      EXPECT_EQ(parent, static_cast<int64_t>(found.size()));
      found.push_back(entry);
      return;
    }
    const auto dimension = static_cast<size_t>(levels[level].dimension);
    if (levels[level].kind == Level::Dense) {
      for (int64_t i = 0; i < shape[dimension]; ++i) {
        entry[dimension] = i;
        descend(level + 1, parent * shape[dimension] + i, entry);
      }
      return;
    }
    if (levels[level].kind == Level::Singleton) {
      entry[dimension] = layout.at(layout.coordinates, parent);
      return descend(level + 1, parent, entry);
    }
    const bool last = level + 1 == levels.size();
    const bool single = !last && levels[level + 1].kind == Level::Singleton;
    const UpperLevel upper =
        single ? UpperLevel{layout.positions, layout.upper[level].coordinates,
                            layout.rows, layout.stored}
        : last ? UpperLevel{layout.positions, layout.coordinates, layout.rows,
                            layout.stored}
               : layout.upper[level];
    const bool first = level == 0;
    const int64_t end =
        first ? upper.nodes : layout.at(upper.positions, parent + 1);
    for (int64_t k = first ? 0 : layout.at(upper.positions, parent); k < end;
         ++k) {
      entry[dimension] = layout.at(upper.coordinates, k);
      descend(level + 1, k, entry);
    }
  }

  const Layout &layout;
  const Levels &levels;
  const std::vector<int64_t> &shape;
  std::vector<Entry> found;
};

std::vector<Entry> sortedBy(std::vector<Entry> entries, const Levels &levels) {
  std::ranges::sort(entries, [&](const Entry &a, const Entry &b) {
    for (const Level &level : levels)
      if (const auto d = static_cast<size_t>(level.dimension); a[d] != b[d])
        return a[d] < b[d];
    return false;
  });
  return entries;
}

void expectLayout(Pattern &pattern, const Entries &entries,
                  const Levels &levels) {
  SCOPED_TRACE(print(levels));
  const Layout &layout = pattern.layout(levels);
  EXPECT_EQ(&pattern.layout(levels), &layout) << "made once";
  const std::vector<Entry> expected = sortedBy(entries.all, levels);
  EXPECT_EQ(Walk(layout, levels, entries).run(), expected);
  ASSERT_EQ(layout.stored, static_cast<int64_t>(expected.size()));
  for (size_t k = 0; k < expected.size(); ++k) {
    const auto at = static_cast<int64_t>(k);
    const int64_t of =
        !layout.permutation ? at
        : layout.permutationType == ElementType::I32
            ? static_cast<const int32_t *>(layout.permutation)[k]
            : static_cast<const int64_t *>(layout.permutation)[k];
    EXPECT_EQ(entries.all[static_cast<size_t>(of)], expected[k]);
  }
  // Nodes that are cut into ranges, and the entries before each.
  int64_t before = 0;
  for (int64_t node = 0; node < layout.iterations(); ++node) {
    EXPECT_LE(before, layout.entriesBefore(node));
    before = layout.entriesBefore(node);
  }
  EXPECT_EQ(layout.entriesBefore(layout.iterations()), layout.stored);
}

TEST(Layout, EveryOrderAndKind) {
  std::mt19937 random(1);
  for (const auto &[shape, count] :
       {std::pair<std::vector<int64_t>, size_t>{{7, 9}, 25},
        {{40, 3}, 6},
        {{3, 400}, 6},
        {{5, 5}, 0},
        {{0, 4}, 0},
        {{6, 5, 7}, 60},
        {{2, 300, 4}, 9},
        {{300, 2, 500}, 40},
        {{3, 4, 5}, 0}}) {
    const Entries entries = randomEntries(random, shape, count);
    const Owned pattern = entries.pattern();
    std::vector<int32_t> order(shape.size());
    for (size_t d = 0; d < order.size(); ++d)
      order[d] = static_cast<int32_t>(d);
    do {
      for (size_t dense = 0; dense < order.size(); ++dense) {
        Levels levels;
        for (size_t level = 0; level < order.size(); ++level)
          levels.push_back(
              {order[level], level < dense ? Level::Dense : Level::Compressed});
        expectLayout(*pattern, entries, levels);
      }
    } while (std::ranges::next_permutation(order).found);
  }
}

/// Where the first coordinate and one of the others tell the third.
TEST(Layout, Singletons) {
  Entries entries{{90, 80, 70}, {}};
  for (int64_t i = 0; i < 90; i += 2)
    for (int64_t k = 0; k < i % 3; ++k)
      entries.all.push_back({i, (7 * i) % 50 + 3 * k, i % 30 + k});
  const Owned pattern = entries.pattern();
  EXPECT_EQ(pattern->hollow() & 1 << 7, 1 << 7);
  const int64_t before = pattern->bytes();
  EXPECT_EQ(pattern->layout(pairedLevels()).permutation, nullptr);
  EXPECT_EQ(pattern->bytes(), before) << "the pattern has it";
  for (const auto &order :
       {std::array<int32_t, 3>{0, 1, 2}, {1, 0, 2}, {2, 0, 1}, {0, 2, 1}})
    for (Level::Kind first : {Level::Dense, Level::Compressed})
      expectLayout(*pattern, entries,
                   {{order[0], first},
                    {order[1], Level::Compressed},
                    {order[2], Level::Singleton}});
  expectLayout(*pattern, entries, canonicalLevels(3));
  EXPECT_EQ(pattern->csr().rows, 90 * 80);
  for (const Levels &levels :
       {Levels{
            {1, Level::Dense}, {2, Level::Compressed}, {0, Level::Singleton}},
        Levels{{0, Level::Dense}, {1, Level::Dense}, {2, Level::Singleton}},
        Levels{{0, Level::Dense}, {1, Level::Singleton}, {2, Level::Singleton}},
        Levels{{0, Level::Dense}, {1, Level::Dense}, {2, Level::Diagonal}},
        Levels{
            {0, Level::Dense, 8}, {1, Level::Diagonal}, {2, Level::Diagonal}},
        Levels{
            {0, Level::Dense}, {1, Level::Dense, 8}, {2, Level::Diagonal, 2}}})
    EXPECT_THROW(pattern->layout(levels), Error) << print(levels);

  entries.all.push_back({89, 1, 1});
  entries.all.push_back({89, 1, 2});
  const Owned repeats = entries.pattern();
  EXPECT_EQ(repeats->hollow() & 1 << 7, 0);
  EXPECT_THROW(repeats->layout(pairedLevels()), Error);
  for (Level::Kind first : {Level::Dense, Level::Compressed})
    expectLayout(*repeats, entries,
                 {{0, first}, {1, Level::Compressed}, {2, Level::Compressed}});
}

/// There would be more rows than memory has room for.
TEST(Layout, OfFarMoreRowsThanEntries) {
  const int64_t far = int64_t{1} << 30;
  const Entries entries{{3, far, far},
                        {{0, 5, far - 1}, {0, far - 2, far - 1}, {2, 5, 0}}};
  const Owned pattern = entries.pattern();
  EXPECT_LT(pattern->bytes(), 4096);
  expectLayout(
      *pattern, entries,
      {{1, Level::Compressed}, {0, Level::Compressed}, {2, Level::Compressed}});
}

TEST(Layout, LevelsThatAreNone) {
  std::mt19937 random(2);
  const Owned pattern = randomEntries(random, {5, 6}, 9).pattern();
  for (const Levels &levels :
       {Levels{}, Levels{{0, Level::Compressed}},
        Levels{{0, Level::Dense}, {1, Level::Dense}},
        Levels{{0, Level::Compressed}, {1, Level::Dense}},
        Levels{{0, Level::Compressed}, {0, Level::Compressed}},
        Levels{{0, Level::Dense}, {2, Level::Compressed}},
        Levels{{-1, Level::Dense}, {1, Level::Compressed}},
        Levels{{0, Level::Dense, 0}, {1, Level::Compressed}},
        Levels{{0, Level::Dense}, {1, Level::Compressed, -2}},
        Levels{{0, Level::Compressed}, {1, Level::Compressed, 2}},
        canonicalLevels(3)})
    EXPECT_THROW(pattern->layout(levels), Error) << print(levels);
}

/// Without empty rows, the layout shares the coordinates and needs no
/// permutation.
TEST(Layout, WithoutEmptyRows) {
  std::mt19937 random(3);
  const Owned pattern = randomEntries(random, {100000, 50}, 200).pattern();
  const int64_t before = pattern->bytes();
  const Layout &layout =
      pattern->layout(Levels{{0, Level::Compressed}, {1, Level::Compressed}});
  EXPECT_EQ(layout.coordinates, pattern->csr().coordinates);
  EXPECT_EQ(layout.permutation, nullptr);
  EXPECT_LE(pattern->bytes() - before, 2 * 4 * 201);
}

/// Every element of the blocks that have an entry, by levels, and -1 for those
/// that the pattern has not.
void expectBlocks(Pattern &pattern, const Entries &entries,
                  const Levels &levels) {
  SCOPED_TRACE(print(levels));
  Entries blocks{entries.shape, {}};
  std::set<Entry> found;
  for (Entry entry : entries.all) {
    for (const Level &level : levels)
      entry[static_cast<size_t>(level.dimension)] /= level.block;
    found.insert(entry);
  }
  for (const Level &level : levels) {
    int64_t &extent = blocks.shape[static_cast<size_t>(level.dimension)];
    extent = (extent + level.block - 1) / level.block;
  }
  blocks.all.assign(found.begin(), found.end());
  const Layout &layout = pattern.layout(levels);
  EXPECT_EQ(&pattern.layout(levels), &layout) << "made once";
  EXPECT_EQ(&pattern.layout(levels, false), &layout);
  const std::vector<Entry> expected = sortedBy(blocks.all, levels);
  const int32_t height = levels[levels.size() - 2].block,
                width = levels.back().block;
  Layout nodes = layout; // One element for each block.
  nodes.stored /= height * width;
  EXPECT_EQ(Walk(nodes, levels, blocks).run(), expected);
  std::vector<int64_t> order;
  for (const Entry &block : expected)
    for (int32_t i = 0; i < height; ++i)
      for (int32_t j = 0; j < width; ++j) {
        Entry entry = block;
        for (const Level &level : levels)
          entry[static_cast<size_t>(level.dimension)] *= level.block;
        entry[static_cast<size_t>(levels[levels.size() - 2].dimension)] += i;
        entry[static_cast<size_t>(levels.back().dimension)] += j;
        const auto at = std::ranges::lower_bound(entries.all, entry);
        const bool there = at != entries.all.end() && *at == entry;
        order.push_back(there ? at - entries.all.begin() : -1);
      }
  ASSERT_EQ(layout.stored, static_cast<int64_t>(order.size()));
  ASSERT_EQ(layout.permutationType, ElementType::I32);
  const auto *permutation = static_cast<const int32_t *>(layout.permutation);
  for (size_t k = 0; k < order.size(); ++k)
    EXPECT_EQ(permutation[k], order[k]) << "element " << k;
}

TEST(Layout, BlocksOfAnySize) {
  std::mt19937 random(5);
  for (const auto &[shape, count] :
       {std::pair<std::vector<int64_t>, size_t>{{7, 9}, 25},
        {{40, 3}, 30},
        {{16, 64}, 300},
        {{5, 5}, 0},
        {{0, 4}, 0},
        {{3, 10, 7}, 60},
        {{0, 4, 4}, 0}}) {
    const Entries entries = randomEntries(random, shape, count);
    const Owned pattern = entries.pattern();
    std::vector<int32_t> order(shape.size());
    for (size_t d = 0; d < order.size(); ++d)
      order[d] = static_cast<int32_t>(d);
    do {
      for (const auto [height, width] :
           {std::pair{2, 2}, {3, 3}, {1, 4}, {4, 1}, {8, 5}, {50, 70}}) {
        Levels levels;
        for (int32_t dimension : order)
          levels.push_back({dimension, Level::Dense});
        levels.back().kind = Level::Compressed;
        levels.back().block = width;
        levels[levels.size() - 2].block = height;
        expectBlocks(*pattern, entries, levels);
      }
    } while (std::ranges::next_permutation(order).found);
  }
}

/// The diagonals of each block of rows, and which rows of it have an entry
/// there.
TEST(Layout, Diagonals) {
  std::mt19937 random(8);
  for (const auto &[shape, count] :
       {std::pair<std::vector<int64_t>, size_t>{{40, 30}, 300},
        {{19, 70}, 500},
        {{8, 8}, 64 * 9},
        {{5, 5}, 0},
        {{0, 4}, 0},
        {{3, 20, 17}, 200},
        {{100, 110}, 0},
        {{2, 50, 60}, 0}}) {
    Entries entries = randomEntries(random, shape, count);
    const size_t last = shape.size() - 1;
    if (count == 0) // Three diagonals, of which some rows lack one.
      for (int64_t item = 0; item < (last > 1 ? shape[0] : 1); ++item)
        for (int64_t row = 0; row < shape[last - 1]; ++row)
          for (int64_t move : {-1, 3, 4})
            if (const int64_t column = row + move; column >= 0 &&
                                                   column < shape[last] &&
                                                   (row % 19 != 0 || move == 3))
              entries.all.push_back(last > 1 ? Entry{item, row, column}
                                             : Entry{row, column, 0});
    const Owned pattern = entries.pattern();
    for (const auto [rows, columns] :
         {std::pair(last - 1, last), {last, last - 1}})
      for (int64_t height : {2, 8}) {
        Levels levels = canonicalLevels(entries.rank());
        levels[last - 1] = {static_cast<int32_t>(rows), Level::Dense,
                            static_cast<int32_t>(height)};
        levels[last] = {static_cast<int32_t>(columns), Level::Diagonal};
        SCOPED_TRACE(print(levels));
        // By block of rows and column in its first row: entries by row.
        const int64_t blocks = (shape[rows] + height - 1) / height;
        const int64_t items = last > 1 ? shape[0] : 1;
        std::map<std::pair<int64_t, int64_t>, std::vector<int32_t>> expected;
        for (size_t k = 0; k < entries.all.size(); ++k) {
          const Entry &entry = entries.all[k];
          const int64_t item = last > 1 ? entry[0] : 0;
          const int64_t i = entry[rows] % height;
          auto &diagonal = expected[{item * blocks + entry[rows] / height,
                                     entry[columns] - i}];
          diagonal.resize(static_cast<size_t>(height), -1);
          diagonal[static_cast<size_t>(i)] = static_cast<int32_t>(k);
        }
        const Layout &layout = pattern->layout(levels);
        ASSERT_EQ(layout.rows, items * blocks);
        ASSERT_EQ(layout.stored,
                  static_cast<int64_t>(expected.size()) * height);
        const auto *coordinates =
            static_cast<const int32_t *>(layout.coordinates);
        const auto *order = static_cast<const int32_t *>(layout.permutation);
        int64_t node = 0;
        for (const auto &[place, diagonal] : expected) {
          EXPECT_LE(layout.position(place.first), node);
          EXPECT_GT(layout.position(place.first + 1), node);
          EXPECT_EQ(coordinates[node], place.second);
          for (int32_t entry : diagonal)
            EXPECT_EQ(*order++, entry);
          ++node;
        }
      }
  }
}

/// What kernels need of blocks is made first, without a permutation.
TEST(Layout, BlocksWithoutPermutation) {
  std::mt19937 random(6);
  const Entries entries = randomEntries(random, {90, 90}, 2000);
  const Owned pattern = entries.pattern();
  const Levels levels{{0, Level::Dense, 3}, {1, Level::Compressed, 2}};
  const Layout &bare = pattern->layout(levels, false);
  EXPECT_EQ(bare.permutation, nullptr);
  const Layout &layout = pattern->layout(levels);
  EXPECT_NE(layout.permutation, nullptr);
  EXPECT_EQ(bare.rows, 30);
  EXPECT_EQ(layout.stored, bare.stored);
  for (int64_t row = 0; row <= layout.rows; ++row)
    EXPECT_EQ(layout.position(row), bare.position(row));
}

} // namespace
