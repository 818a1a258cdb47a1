//===- DevicePatternTest.cpp - Patterns from a device's arrays ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The emulator's memory is the host's: what a device makes of arrays is
// compared with the host's pattern of the same arrays, and with sorts.
//
//===----------------------------------------------------------------------===//

#include "pattern/DeviceKernels.h"
#include "pattern/Pattern.h"
#include "program/DeviceLaunch.h"
#include "tsgu/Error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>

using namespace tsgu;
using namespace tsgu::runtime;

namespace {

using Owned = std::unique_ptr<Pattern, void (*)(Pattern *)>;
Owned own(Pattern *pattern) {
  return {pattern, [](Pattern *p) { p->release(); }};
}

class DevicePattern : public testing::Test {
protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK)
        << tsgu_last_error();
  }

  const tsgu_queue queue{};
  const Place place{Device::emulator(), queue};
  std::mt19937 random{7};
};

template <typename I> struct Arrays {
  std::vector<int64_t> shape;
  std::vector<I> positions, coordinates;

  tsgu_type type() const { return sizeof(I) == 4 ? TSGU_I32 : TSGU_I64; }
  int32_t rank() const { return static_cast<int32_t>(shape.size()); }
  auto stored() const { return static_cast<int64_t>(coordinates.size()); }
  Owned onHost() const {
    return own(Pattern::fromCSR(rank(), shape.data(), type(), positions.data(),
                                coordinates.data(), stored()));
  }
  Owned onDevice(const Place &place) const {
    return own(Pattern::fromCSROn(place, rank(), shape.data(), type(),
                                  positions.data(), coordinates.data(),
                                  stored()));
  }
};

/// Items with `perItem` entries each; every row is sorted, and some are empty.
template <typename I>
Arrays<I> randomArrays(int64_t items, int64_t rows, int64_t columns,
                       int64_t perItem, std::mt19937 &random) {
  Arrays<I> made;
  made.shape = {rows, columns};
  if (items > 0)
    made.shape.insert(made.shape.begin(), items);
  for (int64_t item = 0; item < std::max<int64_t>(items, 1); ++item) {
    std::vector<int64_t> cells(static_cast<size_t>(rows * columns));
    std::iota(cells.begin(), cells.end(), 0);
    std::shuffle(cells.begin(), cells.end(), random);
    cells.resize(static_cast<size_t>(perItem));
    std::sort(cells.begin(), cells.end());
    for (int64_t row = 0; row <= rows; ++row)
      made.positions.push_back(static_cast<I>(
          std::lower_bound(cells.begin(), cells.end(), row * columns) -
          cells.begin()));
    for (int64_t cell : cells)
      made.coordinates.push_back(static_cast<I>(cell % columns));
  }
  return made;
}

void expectSame(const Layout &device, const Layout &host) {
  ASSERT_EQ(device.rows, host.rows);
  ASSERT_EQ(device.stored, host.stored);
  ASSERT_EQ(device.indexType, host.indexType);
  auto same = [&](const void *a, const void *b, int64_t count) {
    withIndexType(host.indexType, [&]<typename I>(I) {
      const I *x = static_cast<const I *>(a), *y = static_cast<const I *>(b);
      EXPECT_EQ(std::vector<I>(x, x + count), std::vector<I>(y, y + count));
    });
  };
  same(device.positions, host.positions, host.rows + 1);
  same(device.coordinates, host.coordinates, host.stored);
}

void expectSameLayouts(Pattern &device, Pattern &host, const Place &place) {
  DeviceLayouts &layouts = device.layoutsOn(place.device);
  expectSame(layouts.layout(canonicalLevels(device.rank()), nullptr),
             host.csr());
  const Layout &transposed =
      layouts.layout(transposedLevels(device.rank()), nullptr);
  expectSame(transposed, host.transposed());
  // The host leaves an identity out.
  std::vector<int32_t> expected(static_cast<size_t>(host.stored()));
  std::iota(expected.begin(), expected.end(), 0);
  if (const void *map = host.transposed().permutation)
    std::copy_n(static_cast<const int32_t *>(map), host.stored(),
                expected.begin());
  const auto *map = static_cast<const int32_t *>(transposed.permutation);
  EXPECT_EQ(std::vector<int32_t>(map, map + host.stored()), expected);
  EXPECT_EQ(&layouts.layout(transposedLevels(device.rank()), nullptr),
            &transposed)
      << "computed once";
}

TEST_F(DevicePattern, HasTheHostsLayouts) {
  for (int64_t items : {0, 1, 5})
    for (auto [rows, columns, stored] : {std::array<int64_t, 3>{1, 1, 1},
                                         {7, 9, 20},
                                         {300, 40, 3000},
                                         {3, 5000, 4000},
                                         {40, 30, 0}}) {
      auto narrow = randomArrays<int32_t>(items, rows, columns, stored, random);
      expectSameLayouts(*narrow.onDevice(place), *narrow.onHost(), place);
      auto wide = randomArrays<int64_t>(items, rows, columns, stored, random);
      expectSameLayouts(*wide.onDevice(place), *wide.onHost(), place);
    }
}

TEST_F(DevicePattern, HasTheHostsLayoutsByLevels) {
  const auto dense = Level::Dense, compressed = Level::Compressed;
  const std::vector<Levels> ofMatrix{{{0, compressed}, {1, compressed}},
                                     {{1, compressed}, {0, compressed}}};
  const std::vector<Levels> ofTensor{
      {{0, compressed}, {1, compressed}, {2, compressed}},
      {{0, dense}, {1, compressed}, {2, compressed}},
      {{2, compressed}, {0, compressed}, {1, compressed}},
      {{1, dense}, {0, dense}, {2, compressed}}};
  for (int64_t items : {0, 4})
    for (int64_t stored : {0, 90}) {
      auto arrays = randomArrays<int32_t>(items, 300, 40, stored, random);
      const Owned device = arrays.onDevice(place), host = arrays.onHost();
      DeviceLayouts &layouts = device->layoutsOn(place.device);
      const int64_t before = layouts.bytes();
      for (const Levels &levels : items ? ofTensor : ofMatrix) {
        SCOPED_TRACE(print(levels));
        const Layout &expected = host->layout(levels);
        const Layout &found = layouts.layout(levels, nullptr);
        expectSame(found, expected);
        EXPECT_EQ(&layouts.layout(levels, nullptr), &found) << "made once";
        for (int64_t k = 0; k < stored * std::max<int64_t>(items, 1); ++k)
          EXPECT_EQ(found.permutationOf(k), expected.permutationOf(k));
        for (int level = 0; level < 2; ++level) {
          const UpperLevel &a = found.upper[level], &b = expected.upper[level];
          EXPECT_EQ(a.parents, b.parents);
          ASSERT_EQ(a.nodes, b.nodes);
          for (int64_t node = 0; node < b.nodes; ++node)
            EXPECT_EQ(found.at(a.coordinates, node),
                      expected.at(b.coordinates, node));
          EXPECT_EQ(a.positions == nullptr, b.positions == nullptr);
          for (int64_t parent = 0; b.positions && parent <= b.parents; ++parent)
            EXPECT_EQ(found.at(a.positions, parent),
                      expected.at(b.positions, parent));
        }
      }
      EXPECT_GE(layouts.bytes(), before + stored);
      EXPECT_THROW(
          layouts.layout(Levels{{0, dense, 2}, {1, compressed, 2}}, nullptr),
          Error);
    }
}

TEST_F(DevicePattern, KnowsWhereItIsHollow) {
  // Most rows are empty, or most columns, told by sizes alone or by a count.
  for (auto [rows, columns, used, stored] :
       {std::array<int64_t, 4>{4000, 30, 4000, 300},
        {4000, 30, 400, 3000},
        {4000, 30, 3000, 3000},
        {400, 4000, 400, 2000}}) {
    auto arrays = randomArrays<int32_t>(0, used, columns, stored, random);
    arrays.shape[0] = rows;
    arrays.positions.resize(static_cast<size_t>(rows + 1),
                            static_cast<int32_t>(stored));
    EXPECT_EQ(arrays.onDevice(place)->hollow(), arrays.onHost()->hollow());
  }
}

TEST_F(DevicePattern, OwnsItsArrays) {
  auto expectOwn = [&]<typename I>(I) {
    for (int64_t items : {0, 3}) {
      auto arrays = randomArrays<I>(items, 30, 40, 200, random);
      Owned pattern = arrays.onDevice(place), host = arrays.onHost();
      EXPECT_EQ(pattern->entryMap(), nullptr);
      std::fill(arrays.positions.begin(), arrays.positions.end(), I(-1));
      std::fill(arrays.coordinates.begin(), arrays.coordinates.end(), I(-1));
      expectSameLayouts(*pattern, *host, place);
    }
  };
  expectOwn(int32_t{});
  expectOwn(int64_t{});
}

TEST_F(DevicePattern, KeepsInt64WhereInt32DoesNotFit) {
  const int64_t wide = (int64_t{1} << 31) + 5;
  Arrays<int64_t> arrays{{2, wide}, {0, 1, 2}, {wide - 1, 0}};
  Owned device = arrays.onDevice(place), host = arrays.onHost();
  ASSERT_EQ(host->indexType(), ElementType::I64);
  expectSame(device->csr(), host->csr());
}

TEST_F(DevicePattern, BringsUnsortedAndRepeatedEntriesToOrder) {
  Arrays<int64_t> arrays{{3, 4}, {0, 4, 4, 6}, {2, 0, 2, 1, 3, 3}};
  Owned device = arrays.onDevice(place), host = arrays.onHost();
  ASSERT_EQ(device->stored(), 4);
  expectSameLayouts(*device, *host, place);
  EXPECT_EQ(std::vector<int64_t>(device->entryMap(), device->entryMap() + 6),
            std::vector<int64_t>(host->entryMap(), host->entryMap() + 6));

  // Sums of the entries' values, of two items, against a loop.
  const std::vector<double> values = {1,  2,  4,  8,  16,  32,
                                      -1, -2, -4, -8, 0.5, 0.25};
  std::vector<double> sums(8, -99), expected(8);
  for (size_t k = 0; k < values.size(); ++k)
    expected[4 * (k / 6) + host->entryMap()[k % 6]] += values[k];
  sumEntriesOn(
      place.device, nullptr, device->entrySums(), 8,
      {reinterpret_cast<char *>(const_cast<double *>(values.data())), 6 * 8},
      {reinterpret_cast<char *>(sums.data()), 4 * 8}, 2);
  EXPECT_EQ(sums, expected);
}

/// More than a grid has along y.
TEST_F(DevicePattern, SumsForAnyNumberOfItems) {
  const int64_t items = 65535 + 3;
  Arrays<int64_t> arrays{{1, 2}, {0, 3}, {1, 0, 1}};
  Owned pattern = arrays.onDevice(place);
  std::vector<float> values, sums(2 * items), again(3 * items);
  for (int64_t item = 0; item < items; ++item)
    values.insert(values.end(), {float(item), 1, 2});
  const ItemValues from{reinterpret_cast<char *>(values.data()), 3 * 4};
  const ItemValues to{reinterpret_cast<char *>(sums.data()), 2 * 4};
  sumEntriesOn(place.device, nullptr, pattern->entrySums(), 4, from, to, items);
  Layout entries;
  entries.permutation = pattern->entryMap();
  entries.permutationType = ElementType::I64;
  entries.stored = 3;
  permuteOn(place.device, nullptr, entries, 4, to,
            {reinterpret_cast<char *>(again.data()), 3 * 4}, items);
  for (int64_t item = 0; item < items; ++item) {
    ASSERT_EQ(sums[2 * item], 1) << item;
    ASSERT_EQ(sums[2 * item + 1], float(item) + 2) << item;
    ASSERT_EQ(again[3 * item], float(item) + 2) << item;
    ASSERT_EQ(again[3 * item + 1], 1) << item;
  }
}

TEST_F(DevicePattern, TakesCoordinates) {
  const std::vector<int32_t> item = {0, 0, 2, 2}, row = {0, 1, 1, 2},
                             column = {3, 0, 0, 4};
  const int64_t shape[] = {3, 3, 5};
  const void *sorted[] = {item.data(), row.data(), column.data()};
  Owned device = own(Pattern::fromCOOOn(place, 3, shape, TSGU_I32, sorted, 4));
  Owned host = own(Pattern::fromCOO(3, shape, TSGU_I32, sorted, 4));
  EXPECT_EQ(device->entryMap(), nullptr);
  expectSameLayouts(*device, *host, place);

  const std::vector<int32_t> anyRow = {2, 0, 2, 0}, anyColumn = {1, 1, 1, 0};
  const void *unsorted[] = {anyRow.data(), anyColumn.data()};
  device = own(Pattern::fromCOOOn(place, 2, shape + 1, TSGU_I32, unsorted, 4));
  host = own(Pattern::fromCOO(2, shape + 1, TSGU_I32, unsorted, 4));
  ASSERT_NE(device->entryMap(), nullptr);
  expectSameLayouts(*device, *host, place);
}

TEST_F(DevicePattern, RefusesWhatTheHostRefusesInTheSameWords) {
  auto messageOf = [](auto &&make) {
    try {
      make();
    } catch (const Error &error) {
      EXPECT_EQ(error.status(), Status::InvalidPattern);
      return std::string(error.what());
    }
    ADD_FAILURE() << "nothing was refused";
    return std::string();
  };
  const Arrays<int32_t> corrupt[] = {
      {{2, 3}, {0, 1, 3}, {0, 1, 3}},          // a column out of range
      {{2, 3}, {0, 1, 3}, {0, -1, 2}},         // below 0
      {{2, 3}, {0, 4, 3}, {0, 1, 2}},          // positions decrease
      {{2, 3}, {1, 2, 3}, {0, 1, 2}},          // do not begin at 0
      {{2, 3}, {0, 1, 2}, {0, 1, 2}},          // do not end at the entries
      {{2, 3}, {0, 2000000000, 3}, {0, 1, 2}}, // lead far away
      {{2, 2, 3}, {0, 1, 2, 0, 2, 1}, {0, 1, 2, 1}}}; // of the second item
  for (const Arrays<int32_t> &arrays : corrupt) {
    const std::string host = messageOf([&] { arrays.onHost(); });
    EXPECT_EQ(messageOf([&] { arrays.onDevice(place); }), host);
  }
}

/// Long rows against a loop.
template <typename I> void expectSplit(const Split &split, const Layout &csr) {
  std::vector<I> chunkRows, chunkPositions, longRows, firstChunks{0};
  const I *positions = static_cast<const I *>(csr.positions);
  for (int64_t row = 0; row < csr.rows; ++row) {
    if (positions[row + 1] - positions[row] <= split.length)
      continue;
    longRows.push_back(static_cast<I>(row));
    for (int64_t at = positions[row]; at < positions[row + 1];
         at += split.length) {
      chunkRows.push_back(static_cast<I>(row));
      chunkPositions.push_back(static_cast<I>(at));
    }
    firstChunks.push_back(static_cast<I>(chunkRows.size()));
  }
  ASSERT_EQ(split.chunks, static_cast<int64_t>(chunkRows.size()));
  ASSERT_EQ(split.longRows, static_cast<int64_t>(longRows.size()));
  auto expectArray = [](const void *data, const std::vector<I> &expected) {
    const I *at = static_cast<const I *>(data);
    EXPECT_EQ(std::vector<I>(at, at + expected.size()), expected);
  };
  if (split.chunks == 0)
    return;
  expectArray(split.chunkRows, chunkRows);
  expectArray(split.chunkPositions, chunkPositions);
  expectArray(split.rows, longRows);
  expectArray(split.firstChunks, firstChunks);
}

TEST_F(DevicePattern, CutsLongRowsOnly) {
  for (const std::vector<int64_t> &lengths :
       {std::vector<int64_t>{1, 0, 3000, 2, 129, 128, 127, 0, 1000},
        {5000},
        {10, 20, 30},
        {0, 0, 0}}) {
    Arrays<int32_t> arrays{
        {static_cast<int64_t>(lengths.size()), 6000}, {0}, {}};
    for (int64_t length : lengths) {
      for (int64_t k = 0; k < length; ++k)
        arrays.coordinates.push_back(static_cast<int32_t>(k));
      arrays.positions.push_back(
          static_cast<int32_t>(arrays.coordinates.size()));
    }
    Owned pattern = arrays.onDevice(place);
    DeviceLayouts &layouts = pattern->layoutsOn(place.device);
    expectSplit<int32_t>(layouts.split(canonicalLevels(2), nullptr),
                         layouts.layout(canonicalLevels(2), nullptr));
    expectSplit<int32_t>(layouts.split(transposedLevels(2), nullptr),
                         layouts.layout(transposedLevels(2), nullptr));
  }
}

} // namespace
