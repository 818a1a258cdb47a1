//===- PatternTest.cpp - Import, canonical order, layouts -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matrices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>
#include <tuple>

using namespace tsgu;
using namespace tsgu::test;

namespace {

std::vector<int64_t> widened(const void *data, tsgu_type type, int64_t count) {
  std::vector<int64_t> values(count);
  for (int64_t i = 0; i < count; ++i)
    values[i] = type == TSGU_I32 ? static_cast<const int32_t *>(data)[i]
                                 : static_cast<const int64_t *>(data)[i];
  return values;
}

struct WideLayout {
  tsgu_layout raw;
  std::vector<int64_t> positions, coordinates, permutation;
};

WideLayout layoutOf(const Pattern &pattern, std::vector<int32_t> order) {
  WideLayout wide;
  check(tsgu_pattern_layout(pattern.get(),
                            order.empty() ? nullptr : order.data(), &wide.raw));
  const int64_t stored = pattern.info().stored;
  const tsgu_layout &raw = wide.raw;
  wide.positions = widened(raw.positions, raw.index_type, raw.rows + 1);
  wide.coordinates = widened(raw.coordinates, raw.index_type, stored);
  wide.permutation.resize(stored);
  for (int64_t k = 0; k < stored; ++k)
    wide.permutation[k] = k;
  if (raw.permutation)
    wide.permutation = widened(raw.permutation, raw.permutation_type, stored);
  return wide;
}

using Entry = std::tuple<int64_t, int64_t, int64_t>; ///< Item, row, column.

/// What a pattern made of these entries must look like, in canonical order.
struct Oracle {
  explicit Oracle(const std::vector<Entry> &given) {
    for (const Entry &entry : given)
      index.emplace(entry, 0);
    int64_t next = 0;
    for (auto &[entry, k] : index) {
      entries.push_back(entry);
      k = next++;
    }
    for (const Entry &entry : given)
      map.push_back(index[entry]);
  }
  std::map<Entry, int64_t> index;
  std::vector<Entry> entries;
  std::vector<int64_t> map;
};

/// Compares one layout with the oracle, entry by entry.
void checkLayout(const WideLayout &layout, const Oracle &oracle, int64_t items,
                 int64_t rows, int64_t columns, bool transposed) {
  std::vector<std::tuple<int64_t, int64_t, int64_t, int64_t>> expected;
  for (size_t k = 0; k < oracle.entries.size(); ++k) {
    auto [item, row, column] = oracle.entries[k];
    if (transposed)
      std::swap(row, column);
    expected.emplace_back(item, row, column, static_cast<int64_t>(k));
  }
  std::sort(expected.begin(), expected.end());
  const int64_t levelRows = transposed ? columns : rows;
  ASSERT_EQ(layout.raw.rows, items * levelRows);
  std::vector<int64_t> positions(items * levelRows + 1, 0);
  for (auto [item, row, column, k] : expected)
    ++positions[item * levelRows + row + 1];
  for (size_t i = 1; i < positions.size(); ++i)
    positions[i] += positions[i - 1];
  EXPECT_EQ(layout.positions, positions);
  ASSERT_EQ(layout.coordinates.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(layout.coordinates[i], std::get<2>(expected[i]));
    EXPECT_EQ(layout.permutation[i], std::get<3>(expected[i]));
  }
}

void checkPattern(const Pattern &pattern, const std::vector<Entry> &given,
                  int64_t items, int64_t rows, int64_t columns, int32_t rank) {
  const Oracle oracle(given);
  const tsgu_pattern_info info = pattern.info();
  EXPECT_EQ(info.rank, rank);
  EXPECT_EQ(info.stored, static_cast<int64_t>(oracle.entries.size()));
  EXPECT_EQ(info.entries, static_cast<int64_t>(given.size()));
  for (size_t k = 0; k < given.size(); ++k)
    EXPECT_EQ(info.entry_map ? info.entry_map[k] : static_cast<int64_t>(k),
              oracle.map[k]);
  using Order = std::vector<int32_t>;
  checkLayout(layoutOf(pattern, {}), oracle, items, rows, columns, false);
  checkLayout(layoutOf(pattern, rank == 2 ? Order{0, 1} : Order{0, 1, 2}),
              oracle, items, rows, columns, false);
  checkLayout(layoutOf(pattern, rank == 2 ? Order{1, 0} : Order{0, 2, 1}),
              oracle, items, rows, columns, true);
}

std::vector<Entry> randomEntries(std::mt19937 &random, int64_t items,
                                 int64_t rows, int64_t columns, int64_t count) {
  std::vector<Entry> entries;
  if (items * rows * columns > 0)
    for (int64_t k = 0; k < count; ++k)
      entries.emplace_back(random() % items, random() % rows,
                           random() % columns);
  return entries;
}

template <typename I>
Pattern fromEntries(const std::vector<Entry> &entries, int64_t items,
                    int64_t rows, int64_t columns, int32_t rank) {
  std::vector<std::vector<I>> coordinates(rank);
  for (auto [item, row, column] : entries) {
    if (rank == 3)
      coordinates[0].push_back(static_cast<I>(item));
    coordinates[rank - 2].push_back(static_cast<I>(row));
    coordinates[rank - 1].push_back(static_cast<I>(column));
  }
  std::vector<int64_t> shape{items, rows, columns};
  if (rank == 2)
    shape.erase(shape.begin());
  return Pattern::coo<I>(shape, coordinates);
}

template <typename I> class PatternOf : public testing::Test {};
using IndexTypes = testing::Types<int32_t, int64_t>;
TYPED_TEST_SUITE(PatternOf, IndexTypes);

constexpr std::pair<int64_t, int64_t> shapes[] = {
    {0, 0}, {0, 5}, {5, 0}, {1, 1}, {1, 40}, {40, 1}, {7, 9}, {33, 20}};

TYPED_TEST(PatternOf, RandomEntries) {
  std::mt19937 random(1);
  for (auto [rows, columns] : shapes)
    for (int64_t count : {0, 1, 5, 60, 400})
      for (int64_t items : {1, 3}) {
        auto entries = randomEntries(random, items, rows, columns, count);
        int32_t rank = items == 1 ? 2 : 3;
        checkPattern(
            fromEntries<TypeParam>(entries, items, rows, columns, rank),
            entries, items, rows, columns, rank);
        // Sorted, first with duplicates, then without.
        std::sort(entries.begin(), entries.end());
        checkPattern(
            fromEntries<TypeParam>(entries, items, rows, columns, rank),
            entries, items, rows, columns, rank);
        entries.erase(std::unique(entries.begin(), entries.end()),
                      entries.end());
        Pattern unique =
            fromEntries<TypeParam>(entries, items, rows, columns, rank);
        checkPattern(unique, entries, items, rows, columns, rank);
        EXPECT_EQ(unique.info().entry_map, nullptr);
      }
}

TYPED_TEST(PatternOf, RandomCSR) {
  std::mt19937 random(2);
  for (auto [rows, columns] : shapes)
    for (bool shuffled : {false, true})
      for (int64_t count : {0, 30, 200}) {
        auto entries = randomEntries(random, 1, rows, columns, count);
        std::sort(entries.begin(), entries.end());
        if (shuffled) // Within the rows.
          std::sort(entries.begin(), entries.end(),
                    [](const Entry &a, const Entry &b) {
                      return std::get<1>(a) != std::get<1>(b)
                                 ? std::get<1>(a) < std::get<1>(b)
                                 : std::get<2>(a) % 3 < std::get<2>(b) % 3;
                    });
        else
          entries.erase(std::unique(entries.begin(), entries.end()),
                        entries.end());
        std::vector<TypeParam> positions(rows + 1, 0), coordinates;
        for (auto [item, row, column] : entries) {
          ++positions[row + 1];
          coordinates.push_back(static_cast<TypeParam>(column));
        }
        for (int64_t r = 0; r < rows; ++r)
          positions[r + 1] += positions[r];
        checkPattern(
            Pattern::csr<TypeParam>({rows, columns}, positions, coordinates),
            entries, 1, rows, columns, 2);
      }
}

TYPED_TEST(PatternOf, BatchedCSR) {
  // Each item counts from 0 and stores two entries; the second is unsorted.
  Pattern pattern = Pattern::csr<TypeParam>(
      {3, 2, 4}, {0, 1, 2, 0, 2, 2, 0, 0, 2}, {1, 2, 3, 0, 0, 3});
  checkPattern(
      pattern,
      {{0, 0, 1}, {0, 1, 2}, {1, 0, 3}, {1, 0, 0}, {2, 1, 0}, {2, 1, 3}}, 3, 2,
      4, 3);
  Pattern sorted =
      Pattern::csr<TypeParam>({2, 1, 4}, {0, 2, 0, 2}, {1, 2, 0, 3});
  EXPECT_EQ(sorted.info().entry_map, nullptr);
  checkPattern(sorted, {{0, 0, 1}, {0, 0, 2}, {1, 0, 0}, {1, 0, 3}}, 2, 1, 4,
               3);
  checkPattern(Pattern::csr<TypeParam>({0, 2, 4}, {}, {}), {}, 0, 2, 4, 3);
  checkPattern(Pattern::csr<TypeParam>({2, 0, 4}, {0, 0}, {}), {}, 2, 0, 4, 3);
}

TEST(Pattern, LayoutsAreInt32WherePossible) {
  Pattern small = Pattern::csr<int64_t>({2, 3}, {0, 1, 2}, {2, 0});
  const tsgu_layout own = layoutOf(small, {}).raw;
  EXPECT_EQ(own.index_type, TSGU_I32);
  const tsgu_layout derived = layoutOf(small, {1, 0}).raw;
  EXPECT_EQ(derived.index_type, TSGU_I32);
  EXPECT_EQ(derived.permutation_type, TSGU_I32);

  // Columns beyond int32 in each item's width, few of them: only a wide batch
  // of no rows keeps the positions short.
  const int64_t wide = (int64_t{1} << 31) + 5;
  const int64_t shape[3] = {0, 1, wide};
  tsgu_pattern *raw = nullptr;
  check(tsgu_pattern_from_csr(3, shape, TSGU_I32, nullptr, nullptr, 0, &raw));
  tsgu_layout layout;
  const int32_t order[3] = {0, 2, 1};
  check(tsgu_pattern_layout(raw, order, &layout));
  EXPECT_EQ(layout.index_type, TSGU_I64);
  EXPECT_EQ(layout.permutation_type, TSGU_I32);
  tsgu_pattern_release(raw);
}

TEST(Pattern, IdentityHasNoPermutation) {
  Pattern diagonal = Pattern::csr<int32_t>({3, 3}, {0, 1, 2, 3}, {0, 1, 2});
  EXPECT_EQ(layoutOf(diagonal, {1, 0}).raw.permutation, nullptr);
  Pattern row = Pattern::csr<int32_t>({1, 9}, {0, 3}, {1, 4, 8});
  EXPECT_EQ(layoutOf(row, {1, 0}).raw.permutation, nullptr);
}

/// The positions and the coordinates of a pattern's own layout, after the
/// arrays that it was made from have been overwritten.
template <typename I, typename Make>
static void expectOwnArrays(std::vector<std::vector<I>> arrays, Make make) {
  tsgu_pattern *pattern = nullptr;
  check(make(arrays, &pattern));
  for (std::vector<I> &array : arrays)
    std::fill(array.begin(), array.end(), I(77));
  tsgu_layout layout;
  check(tsgu_pattern_layout(pattern, nullptr, &layout));
  ASSERT_EQ(layout.index_type, TSGU_I32);
  const auto *positions = static_cast<const int32_t *>(layout.positions);
  const auto *coordinates = static_cast<const int32_t *>(layout.coordinates);
  EXPECT_EQ(std::vector<int32_t>(positions, positions + 3),
            (std::vector<int32_t>{0, 2, 3}));
  EXPECT_EQ(std::vector<int32_t>(coordinates, coordinates + 3),
            (std::vector<int32_t>{0, 2, 1}));
  tsgu_pattern_release(pattern);
}

TYPED_TEST(PatternOf, OwnsItsArrays) {
  using I = TypeParam;
  const int64_t shape[2] = {2, 3};
  constexpr tsgu_type type = sizeof(I) == 4 ? TSGU_I32 : TSGU_I64;
  auto csr = [&](auto &arrays, tsgu_pattern **pattern) {
    return tsgu_pattern_from_csr(2, shape, type, arrays[0].data(),
                                 arrays[1].data(), 3, pattern);
  };
  auto coo = [&](auto &arrays, tsgu_pattern **pattern) {
    const void *entries[2] = {arrays[0].data(), arrays[1].data()};
    return tsgu_pattern_from_coo(2, shape, type, entries, 3, pattern);
  };
  expectOwnArrays<I>({{0, 2, 3}, {0, 2, 1}}, csr);
  expectOwnArrays<I>({{0, 2, 3}, {2, 0, 1}}, csr); // unsorted
  expectOwnArrays<I>({{0, 0, 1}, {0, 2, 1}}, coo);
  expectOwnArrays<I>({{1, 0, 0}, {1, 2, 0}}, coo);
}

TEST(Pattern, KeepsInt64WhereInt32DoesNotFit) {
  const int64_t wide = (int64_t{1} << 31) + 5;
  for (const auto &pattern :
       {Pattern::csr<int64_t>({2, wide}, {0, 1, 2}, {wide - 1, 0}),
        Pattern::coo<int64_t>({2, wide}, {{0, 1}, {wide - 1, 0}})}) {
    tsgu_layout layout;
    check(tsgu_pattern_layout(pattern.get(), nullptr, &layout));
    ASSERT_EQ(layout.index_type, TSGU_I64);
    EXPECT_EQ(static_cast<const int64_t *>(layout.coordinates)[0], wide - 1);
    EXPECT_EQ(static_cast<const int64_t *>(layout.coordinates)[1], 0);
  }
  // int32 indices of a shape that is too wide for them.
  tsgu_layout layout;
  const Pattern narrow = Pattern::csr<int32_t>({2, wide}, {0, 1, 2}, {3, 0});
  check(tsgu_pattern_layout(narrow.get(), nullptr, &layout));
  ASSERT_EQ(layout.index_type, TSGU_I64);
  EXPECT_EQ(static_cast<const int64_t *>(layout.coordinates)[0], 3);
}

TEST(Pattern, CountsItsMemory) {
  tsgu_counters before, during, after;
  tsgu_get_counters(&before);
  {
    std::mt19937 random(3);
    const auto matrix = randomMatrix<int64_t>(random, 1, 100, 80, 9);
    Pattern pattern = matrix.pattern();
    const int64_t bare = pattern.info().bytes;
    // Positions of the rows, and the columns of the entries.
    EXPECT_GE(bare, 4 * 101 + 4 * matrix.stored());
    EXPECT_LT(bare, 4 * 101 + 4 * matrix.stored() + 1024);
    layoutOf(pattern, {1, 0});
    // Positions of the columns, and rows and permutation of the entries.
    EXPECT_EQ(pattern.info().bytes - bare, 4 * 81 + 8 * matrix.stored());
    tsgu_get_counters(&during);
    EXPECT_EQ(during.patterns, before.patterns + 1);
    EXPECT_EQ(during.pattern_bytes - before.pattern_bytes,
              pattern.info().bytes);
  }
  tsgu_get_counters(&after);
  EXPECT_EQ(after.patterns, before.patterns);
  EXPECT_EQ(after.pattern_bytes, before.pattern_bytes);
}

TEST(Pattern, ManyThreadsAskForOneLayout) {
  std::mt19937 random(4);
  for (int repeat = 0; repeat < 20; ++repeat) {
    Pattern pattern = randomMatrix<int32_t>(random, 1, 200, 150, 9).pattern();
    std::vector<tsgu_layout> seen(8);
    std::vector<std::thread> threads;
    for (tsgu_layout &layout : seen)
      threads.emplace_back([&] {
        const int32_t order[2] = {1, 0};
        tsgu_pattern_layout(pattern.get(), order, &layout);
      });
    for (std::thread &thread : threads)
      thread.join();
    for (const tsgu_layout &layout : seen)
      EXPECT_EQ(layout.positions, seen[0].positions);
  }
}

} // namespace
