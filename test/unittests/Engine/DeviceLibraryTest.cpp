//===- DeviceLibraryTest.cpp - Kernels that work on patterns --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The oracles are loops over single rows and entries, and the standard
// library's algorithms.
//
//===----------------------------------------------------------------------===//

#include "DeviceLibraries.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <string>

using namespace tsgu;
using namespace tsgu::test;

namespace {

template <typename I> class DeviceLibrary : public testing::Test {
protected:
  std::mt19937 random{11};

  int64_t below(int64_t end) { return static_cast<int64_t>(random() % end); }
};
using IndexTypes = testing::Types<int32_t, int64_t>;
TYPED_TEST_SUITE(DeviceLibrary, IndexTypes);

template <typename I, typename T>
void expectPermuted(const char *kernel, std::mt19937 &random) {
  for (size_t count : {1, 255, 256, 257, 1000}) {
    std::vector<I> permutation(count);
    std::iota(permutation.begin(), permutation.end(), 0);
    std::shuffle(permutation.begin(), permutation.end(), random);
    std::vector<T> from(count), to(count, -1), expected(count);
    for (size_t k = 0; k < count; ++k)
      from[k] = static_cast<T>(0x0123456789abcdef * (k + 1));
    for (size_t k = 0; k < count; ++k)
      expected[k] = from[permutation[k]];
    const std::vector<I> &order = permutation;
    const std::vector<T> &values = from;
    launch<Widths<I>>("device/permute", kernel, blocksFor(count),
                      {order, values, to, count, 0, 0});
    EXPECT_EQ(to, expected);
  }
}

TYPED_TEST(DeviceLibrary, Permutes) {
  expectPermuted<TypeParam, int32_t>("permute4", this->random);
  expectPermuted<TypeParam, int64_t>("permute8", this->random);
}

TYPED_TEST(DeviceLibrary, SumsPrefixes) {
  // Tiles have 2048 elements; the last count takes three levels of them.
  for (size_t count : {1, 31, 2048, 2049, 5000, 2048 * 2048 + 1}) {
    std::vector<TypeParam> values(count), expected(count);
    for (TypeParam &value : values)
      value = static_cast<TypeParam>(this->below(500));
    std::exclusive_scan(values.begin(), values.end(), expected.begin(),
                        TypeParam(0));
    EXPECT_EQ(scan(values), expected) << count;
  }
}

TYPED_TEST(DeviceLibrary, JoinsItems) {
  using I = TypeParam;
  struct Shape {
    int64_t items, rows, perItem;
  };
  for (auto [items, rows, perItem] :
       {Shape{3, 4, 10}, Shape{1, 300, 50}, Shape{70, 9, 0}, Shape{5, 0, 0}}) {
    std::vector<I> positions, expected;
    for (int64_t item = 0; item < items; ++item) {
      std::vector<I> own(rows + 1, 0);
      for (int64_t row = 1; row < rows; ++row)
        own[row] = static_cast<I>(this->below(perItem + 1));
      std::sort(own.begin(), own.end() - 1);
      own[0] = 0;
      own[rows] = static_cast<I>(perItem);
      for (int64_t row = 0; row < rows; ++row)
        expected.push_back(static_cast<I>(item * perItem + own[row]));
      positions.insert(positions.end(), own.begin(), own.end());
    }
    expected.push_back(static_cast<I>(items * perItem));
    std::vector<I> joined(items * rows + 1, -1);
    const std::vector<I> &given = positions;
    launch<Widths<I>>("device/rows", "join_items", blocksFor(items * rows + 1),
                      {given, joined, items, rows, items * perItem});
    EXPECT_EQ(joined, expected);
  }
}

TYPED_TEST(DeviceLibrary, FlattensRows) {
  using I = TypeParam;
  const int64_t items = 7, rows = 13, count = 500;
  for (bool corrupt : {false, true}) {
    std::vector<I> item(count), row(count), flat(count, -1), expected(count);
    std::vector<int32_t> flags{0};
    for (int64_t k = 0; k < count; ++k) {
      item[k] = static_cast<I>(this->below(items));
      row[k] = static_cast<I>(this->below(rows));
      if (corrupt && k % 50 == 7)
        (k % 100 == 7 ? item[k] : row[k]) = k % 3 ? I(-1) : I(13);
      bool inRange =
          item[k] >= 0 && item[k] < items && row[k] >= 0 && row[k] < rows;
      expected[k] =
          static_cast<I>(inRange ? item[k] * rows + row[k] : items * rows);
    }
    const std::vector<I> &givenItems = item, &givenRows = row;
    launch<Widths<I>>("device/rows", "flatten_rows", blocksFor(count),
                      {givenItems, givenRows, flat, flags, items, rows, count});
    EXPECT_EQ(flat, expected);
    EXPECT_EQ(flags[0], corrupt);
  }
}

/// Rows of random lengths, some of them empty, one of them long.
template <typename I>
std::vector<I> makePositions(int64_t rows, int64_t longRow, int64_t longLength,
                             std::mt19937 &random) {
  std::vector<I> positions{0};
  for (int64_t row = 0; row < rows; ++row) {
    int64_t length = row == longRow      ? longLength
                     : random() % 3 == 0 ? 0
                                         : random() % 9;
    positions.push_back(static_cast<I>(positions.back() + length));
  }
  return positions;
}

TYPED_TEST(DeviceLibrary, GoesFromPositionsToRowsAndBack) {
  using I = TypeParam;
  for (int64_t rows : {1, 5, 255, 256, 700}) {
    const std::vector<I> positions =
        makePositions<I>(rows, rows / 2, 3000, this->random);
    const int64_t stored = positions.back();
    std::vector<I> expected;
    for (int64_t row = 0; row < rows; ++row)
      expected.insert(expected.end(), positions[row + 1] - positions[row],
                      static_cast<I>(row));
    std::vector<I> entryRows(stored, -1), back(rows + 1, -1);
    launch<Widths<I>>("device/rows", "rows_of_entries", blocksFor(stored),
                      {positions, entryRows, rows, stored});
    EXPECT_EQ(entryRows, expected);
    launch<Widths<I>>("device/rows", "positions_from_rows", blocksFor(rows + 1),
                      {std::as_const(entryRows), back, rows, stored});
    EXPECT_EQ(back, positions);
  }
}

TYPED_TEST(DeviceLibrary, FindsPositionsWithoutEntries) {
  std::vector<TypeParam> none, positions(301, -1);
  launch<Widths<TypeParam>>("device/rows", "positions_from_rows", 2,
                            {std::as_const(none), positions, 300, 0});
  EXPECT_EQ(positions, std::vector<TypeParam>(301, 0));
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// A batch of CSR matrices as a caller passes it.
template <typename I> struct Batch {
  int64_t items, rows, columns, perItem;
  std::vector<I> positions, coordinates;

  int64_t stored() const { return items * perItem; }

  /// 1: corrupt; 2: not in order; by the definition of a pattern.
  int expected() const {
    for (int64_t item = 0; item < items; ++item) {
      const I *p = positions.data() + item * (rows + 1);
      if (p[0] != 0 || p[rows] != perItem || !std::is_sorted(p, p + rows + 1))
        return 1;
    }
    for (I column : coordinates)
      if (column < 0 || column >= columns)
        return 1;
    for (int64_t item = 0; item < items; ++item)
      for (int64_t row = 0; row < rows; ++row) {
        const I *p = positions.data() + item * (rows + 1) + row;
        const I *c = coordinates.data() + item * perItem;
        for (I k = p[0] + 1; k < p[1]; ++k)
          if (c[k] <= c[k - 1])
            return 2;
      }
    return 0;
  }

  int found() const {
    std::vector<int32_t> flags{0};
    launch<Widths<I>>("device/check", "check_positions",
                      blocksFor(items * (rows + 1)),
                      {positions, flags, items, rows, stored()});
    launch<Widths<I>>(
        "device/check", "check_coordinates", blocksFor(stored()),
        {positions, coordinates, flags, items, rows, columns, stored()});
    return flags[0] & 1 ? 1 : flags[0];
  }
};

template <typename I> Batch<I> makeBatch(int64_t items, std::mt19937 &random) {
  Batch<I> batch{items, 20, 15, 40, {}, {}};
  for (int64_t item = 0; item < items; ++item) {
    std::set<std::pair<I, I>> entries;
    while (static_cast<int64_t>(entries.size()) < batch.perItem)
      entries.insert({I(random() % batch.rows), I(random() % batch.columns)});
    std::vector<I> rows;
    for (auto [row, column] : entries) {
      rows.push_back(row);
      batch.coordinates.push_back(column);
    }
    for (I row = 0; row <= batch.rows; ++row)
      batch.positions.push_back(static_cast<I>(
          std::lower_bound(rows.begin(), rows.end(), row) - rows.begin()));
  }
  return batch;
}

TYPED_TEST(DeviceLibrary, ChecksPatterns) {
  using I = TypeParam;
  const Batch<I> good = makeBatch<I>(3, this->random);
  EXPECT_EQ(good.found(), 0);

  auto expectFound = [&](int flag, auto &&change) {
    Batch<I> changed = good;
    change(changed);
    EXPECT_EQ(changed.expected(), flag);
    EXPECT_EQ(changed.found(), flag);
  };
  expectFound(1, [](auto &b) { b.positions[0] = 1; });
  expectFound(1, [](auto &b) { b.positions[21] = -1; });
  expectFound(1, [](auto &b) { b.positions[20] = 39; });
  expectFound(1, [](auto &b) { b.positions[62] = 41; });
  expectFound(1, [](auto &b) { b.positions[30] = 41; });
  expectFound(1, [](auto &b) { b.positions[5] = b.positions[7] + 1; });
  expectFound(1, [](auto &b) { b.coordinates[50] = 15; });
  expectFound(1, [](auto &b) { b.coordinates[119] = -1; });
  // Within a row of more than one entry, swapped or equal columns.
  int64_t row = 0;
  while (good.positions[row + 1] - good.positions[row] < 2)
    ++row;
  I k = good.positions[row];
  expectFound(
      2, [&](auto &b) { std::swap(b.coordinates[k], b.coordinates[k + 1]); });
  expectFound(2, [&](auto &b) { b.coordinates[k + 1] = b.coordinates[k]; });
}

TYPED_TEST(DeviceLibrary, ReadsNothingBeyondCorruptPatterns) {
  using I = TypeParam;
  for (int round = 0; round < 200; ++round) {
    Batch<I> batch = makeBatch<I>(1 + round % 3, this->random);
    for (int changes = 0; changes < 1 + round % 4; ++changes) {
      auto &array = this->below(2) ? batch.positions : batch.coordinates;
      I values[] = {I(-1), I(0), I(this->below(60)),
                    std::numeric_limits<I>::min(),
                    std::numeric_limits<I>::max()};
      array[this->below(array.size())] = values[this->below(5)];
    }
    EXPECT_EQ(batch.found(), batch.expected()) << round;
  }
}

TYPED_TEST(DeviceLibrary, ChecksPatternsWithoutRowsOrEntries) {
  using I = TypeParam;
  EXPECT_EQ((Batch<I>{2, 0, 5, 0, {0, 0}, {}}).found(), 0);
  EXPECT_EQ((Batch<I>{2, 0, 5, 0, {0, 1}, {}}).found(), 1);
  EXPECT_EQ((Batch<I>{1, 3, 0, 0, {0, 0, 0, 0}, {}}).found(), 0);
  EXPECT_EQ((Batch<I>{1, 1, 0, 1, {0, 1}, {0}}).found(), 1);
}

TYPED_TEST(DeviceLibrary, ChecksCoordinates) {
  using I = TypeParam;
  const int64_t rows = 20, columns = 30;
  auto found = [&](const std::vector<I> &r, const std::vector<I> &c) {
    std::vector<int32_t> flags{0};
    launch<Widths<I>>("device/check", "check_coo", blocksFor(r.size()),
                      {r, c, flags, rows, columns, r.size()});
    return flags[0];
  };
  std::set<std::pair<I, I>> entries;
  while (entries.size() < 300)
    entries.insert({I(this->below(rows)), I(this->below(columns))});
  std::vector<I> r, c;
  for (auto [row, column] : entries) {
    r.push_back(row);
    c.push_back(column);
  }
  EXPECT_EQ(found(r, c), 0);
  for (I wrong : {I(-1), I(20), std::numeric_limits<I>::max()}) {
    std::vector<I> changed = r;
    changed[299] = wrong;
    EXPECT_EQ(found(changed, c) & 1, 1);
  }
  for (I wrong : {I(-1), I(30), std::numeric_limits<I>::min()}) {
    std::vector<I> changed = c;
    changed[0] = wrong;
    EXPECT_EQ(found(r, changed) & 1, 1);
  }
  std::vector<I> r2 = r, c2 = c;
  std::swap(r2[0], r2[299]);
  EXPECT_EQ(found(r2, c), 2);
  r2 = r;
  r2[256] = r[255];
  c2[256] = c[255]; // Across blocks.
  EXPECT_EQ(found(r2, c2), 2);
}

//===----------------------------------------------------------------------===//
// Long rows
//===----------------------------------------------------------------------===//

template <typename I> struct Split {
  std::vector<I> chunkRows, chunkPositions, longRows, longPositions;
  bool operator==(const Split &) const = default;
};

template <typename I>
Split<I> expectedSplit(const std::vector<I> &positions, int64_t limit) {
  Split<I> split;
  for (size_t row = 0; row + 1 < positions.size(); ++row) {
    if (positions[row + 1] - positions[row] <= limit)
      continue;
    split.longRows.push_back(static_cast<I>(row));
    split.longPositions.push_back(static_cast<I>(split.chunkRows.size()));
    for (int64_t k = positions[row]; k < positions[row + 1]; k += limit) {
      split.chunkRows.push_back(static_cast<I>(row));
      split.chunkPositions.push_back(static_cast<I>(k));
    }
  }
  split.longPositions.push_back(static_cast<I>(split.chunkRows.size()));
  return split;
}

/// As split.mlir says.
template <typename I>
Split<I> split(const std::vector<I> &positions, int64_t limit) {
  const auto rows = static_cast<int64_t>(positions.size()) - 1;
  std::vector<I> chunks(rows + 1, -1), isLong(rows + 1, -1);
  launch<Widths<I>>("device/split", "count_chunks", blocksFor(rows + 1),
                    {positions, chunks, isLong, rows, limit});
  const std::vector<I> firstChunk = scan(chunks), longIndex = scan(isLong);
  Split<I> made;
  made.chunkRows.assign(firstChunk.back(), -1);
  made.chunkPositions.assign(firstChunk.back(), -1);
  made.longRows.assign(longIndex.back(), -1);
  made.longPositions.assign(longIndex.back() + 1, -1);
  launch<Widths<I>>("device/split", "fill_chunks", blocksFor(firstChunk.back()),
                    {positions, firstChunk, made.chunkRows, made.chunkPositions,
                     rows, int64_t(firstChunk.back()), limit});
  launch<Widths<I>>(
      "device/split", "fill_long_rows", blocksFor(rows + 1),
      {firstChunk, longIndex, made.longRows, made.longPositions, rows});
  return made;
}

TYPED_TEST(DeviceLibrary, SplitsLongRows) {
  using I = TypeParam;
  for (int64_t rows : {1, 40, 255, 3000})
    for (int64_t limit : {1, 4, 7, 100, 100000}) {
      const std::vector<I> positions =
          makePositions<I>(rows, rows - 1, 2500, this->random);
      EXPECT_EQ(split(positions, limit), expectedSplit(positions, limit))
          << rows << " rows, at most " << limit;
    }
  EXPECT_EQ(split<I>({0, 8, 16}, 8), (Split<I>{{}, {}, {}, {0}}));
  EXPECT_EQ(split<I>({0, 8, 17}, 8), (Split<I>{{1, 1}, {8, 16}, {1}, {0, 2}}));
}

//===----------------------------------------------------------------------===//
// Objects
//===----------------------------------------------------------------------===//

TEST(DeviceObjects, HoldKernelsInTheirOrder) {
  const tsgu_object &object =
      libraryFor("device/permute", TSGU_I32, TSGU_I32, TSGU_TARGET_EMULATOR);
  ASSERT_EQ(object.kernel_count, 3u);
  EXPECT_STREQ(object.device_kernels[0].name, "permute4");
  EXPECT_STREQ(object.device_kernels[1].name, "permute8");
  EXPECT_STREQ(object.device_kernels[2].name, "permute2");
  EXPECT_NE(object.device_kernels[0].emulated, nullptr);
  EXPECT_EQ(object.device_kernels[0].block_threads, 256u);
  EXPECT_EQ(object.device_kernels[0].workgroup_bytes, 0u);
  EXPECT_EQ(object.manifest, nullptr);
  EXPECT_EQ(object.kernels, nullptr);
  EXPECT_EQ(object.image, nullptr);
  EXPECT_EQ(libraryFor("device/scan", TSGU_I32, TSGU_I32, TSGU_TARGET_EMULATOR)
                .device_kernels[0]
                .workgroup_bytes,
            32u);
}

TEST(DeviceObjects, HoldAnImageForEachGPU) {
  for (tsgu_target target : {TSGU_TARGET_SM80, TSGU_TARGET_SM90}) {
    const tsgu_object &object =
        libraryFor("device/scan", TSGU_I64, TSGU_I32, target);
    ASSERT_EQ(object.kernel_count, 2u);
    EXPECT_STREQ(object.device_kernels[0].name, "scan_tiles");
    EXPECT_EQ(object.device_kernels[0].emulated, nullptr);
    EXPECT_EQ(object.device_kernels[0].block_threads, 256u);
    ASSERT_NE(object.image, nullptr);
    const std::string image = object.image;
    EXPECT_EQ(image.size() + 1, object.image_size);
    EXPECT_NE(image.find(".target sm_" + std::to_string(target)),
              std::string::npos);
    EXPECT_NE(image.find(".visible .entry scan_tiles("), std::string::npos);
  }
}

TEST(DeviceObjects, AreKeptApartByTargetAndIndexTypes) {
  std::set<const tsgu_object *> objects;
  for (tsgu_target target :
       {TSGU_TARGET_EMULATOR, TSGU_TARGET_SM80, TSGU_TARGET_SM90})
    for (uint8_t index : {TSGU_I32, TSGU_I64})
      for (uint8_t derived : {TSGU_I32, TSGU_I64})
        objects.insert(&libraryFor("device/sort", index, derived, target));
  EXPECT_EQ(objects.size(), 12u);
}

std::string errorOf(const char *path, tsgu_target target,
                    tsgu_type value = TSGU_F32) {
  tsgu_specialization to = specialize(TSGU_I32, TSGU_I32, target);
  to.value_type = static_cast<uint8_t>(value);
  auto object = engine().get(path, to);
  return object ? "" : llvm::toString(object.takeError());
}

TEST(DeviceObjects, SayWhatHasNoCodeForDevices) {
  EXPECT_EQ(errorOf("device/scan", TSGU_TARGET_CPU),
            "'device/scan' is a library of device kernels, and has no code for "
            "the CPU");
  EXPECT_EQ(errorOf("device/nothing", TSGU_TARGET_SM80),
            "there is no library of device kernels 'device/nothing'");
  EXPECT_EQ(errorOf("device/scan", static_cast<tsgu_target>(75)),
            "there is no target 75; there are the CPU (0), the emulator (1), "
            "sm_80 (80) and sm_90 (90)");
  EXPECT_EQ(errorOf("spmm", TSGU_TARGET_SM80, TSGU_C64),
            "'spmm': complex numbers have no code for devices yet; move the "
            "operands to the CPU");
  EXPECT_EQ(
      errorOf("triangular_solve", TSGU_TARGET_EMULATOR),
      "'triangular_solve' has the step triangular_solve, which has no code for "
      "devices yet; move its operands to the CPU");
  EXPECT_EQ(llvm::toString(engine().getCompiler().addProgram("device", "")),
            "a program cannot be named 'device': paths that begin with it are "
            "libraries of device kernels");
}

} // namespace
