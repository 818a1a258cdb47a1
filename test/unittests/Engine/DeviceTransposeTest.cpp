//===- DeviceTransposeTest.cpp - Transposed layouts by kernels ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceLibraries.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

using namespace tsgu;
using namespace tsgu::test;

namespace {

template <typename W> class DeviceTranspose : public testing::Test {};
using IndexTypes =
    testing::Types<Widths<int32_t>, Widths<int64_t, int32_t>, Widths<int64_t>>;
TYPED_TEST_SUITE(DeviceTranspose, IndexTypes);

/// Items of a batch one after the other, rows counted through.
template <typename I> struct Pattern {
  int64_t items, rows, columns;
  std::vector<I> positions{0}, coordinates;

  int64_t stored() const { return static_cast<int64_t>(coordinates.size()); }

  Pattern(int64_t items, int64_t rows, int64_t columns, int64_t meanLength,
          std::mt19937 &random)
      : items(items), rows(rows), columns(columns) {
    for (int64_t row = 0; row < items * rows; ++row) {
      std::vector<I> own;
      for (int64_t k = random() % (2 * meanLength); k > 0; --k)
        own.push_back(static_cast<I>(random() % columns));
      std::sort(own.begin(), own.end());
      own.erase(std::unique(own.begin(), own.end()), own.end());
      coordinates.insert(coordinates.end(), own.begin(), own.end());
      positions.push_back(static_cast<I>(coordinates.size()));
    }
  }
};

template <typename D> struct Transposed {
  std::vector<D> positions, coordinates, permutation;
  bool operator==(const Transposed &) const = default;
};

template <typename D, typename I>
Transposed<D> expectedTranspose(const Pattern<I> &pattern) {
  Transposed<D> expected;
  std::vector<int64_t> rowOf, column;
  for (int64_t row = 0; row < pattern.items * pattern.rows; ++row)
    for (I k = pattern.positions[row]; k < pattern.positions[row + 1]; ++k) {
      rowOf.push_back(row);
      column.push_back(row / pattern.rows * pattern.columns +
                       pattern.coordinates[k]);
    }
  expected.permutation.resize(pattern.stored());
  std::iota(expected.permutation.begin(), expected.permutation.end(), 0);
  std::sort(expected.permutation.begin(), expected.permutation.end(),
            [&](D a, D b) {
              return std::pair(column[a], a) < std::pair(column[b], b);
            });
  for (D entry : expected.permutation)
    expected.coordinates.push_back(static_cast<D>(rowOf[entry] % pattern.rows));
  for (int64_t c = 0; c <= pattern.items * pattern.columns; ++c)
    expected.positions.push_back(static_cast<D>(
        std::count_if(column.begin(), column.end(),
                      [&](int64_t other) { return other < c; })));
  return expected;
}

/// As sort.mlir says.
template <typename W>
Transposed<typename W::DerivedIndex>
transpose(const Pattern<typename W::Index> &pattern) {
  using I = typename W::Index;
  using D = typename W::DerivedIndex;
  const int64_t stored = pattern.stored(), tiles = blocksFor(stored, 2048);
  const int64_t flatColumns = pattern.items * pattern.columns;
  std::vector<I> rows(stored, -1);
  launch<Widths<I>>(
      "device/rows", "rows_of_entries", blocksFor(stored),
      {pattern.positions, rows, pattern.items * pattern.rows, stored});
  const std::vector<I> &entryRows = rows;
  std::vector<D> keys(stored, -1), permutation(stored, -1);
  launch<W>("device/sort", "make_keys", blocksFor(stored),
            {entryRows, pattern.coordinates, keys, permutation, pattern.items,
             pattern.rows, pattern.columns, stored});
  for (int64_t shift = 0; (flatColumns - 1) >> shift > 0; shift += 4) {
    std::vector<D> counts(16 * tiles, -1), sortedKeys(stored, -1),
        sortedPermutation(stored, -1);
    launch<W>("device/sort", "count_digits", tiles,
              {std::as_const(keys), counts, shift, tiles, stored});
    const std::vector<D> offsets = scan(counts);
    launch<W>("device/sort", "scatter", tiles,
              {std::as_const(keys), std::as_const(permutation), offsets,
               sortedKeys, sortedPermutation, shift, tiles, stored});
    keys.swap(sortedKeys);
    permutation.swap(sortedPermutation);
  }
  Transposed<D> result;
  result.positions.assign(flatColumns + 1, -1);
  launch<Widths<D>>(
      "device/rows", "positions_from_rows", blocksFor(flatColumns + 1),
      {std::as_const(keys), result.positions, flatColumns, stored});
  result.coordinates.assign(stored, -1);
  launch<W>("device/sort", "gather_rows", blocksFor(stored),
            {entryRows, std::as_const(permutation), result.coordinates,
             pattern.rows, stored});
  result.permutation = permutation;
  return result;
}

TYPED_TEST(DeviceTranspose, SortsEntriesByColumns) {
  using I = typename TypeParam::Index;
  using D = typename TypeParam::DerivedIndex;
  std::mt19937 random(5);
  struct Shape {
    int64_t items, rows, columns, meanLength;
  };
  // None, one and several digits of columns; less than a tile, and several.
  for (auto [items, rows, columns, meanLength] :
       {Shape{1, 50, 1, 2}, Shape{1, 100, 16, 6}, Shape{1, 300, 17, 5},
        Shape{1, 1500, 3000, 8}, Shape{1, 40, 70000, 30},
        Shape{1, 2, 9000, 6000}, Shape{5, 60, 33, 7}, Shape{40, 30, 20, 6}}) {
    Pattern<I> pattern(items, rows, columns, meanLength, random);
    EXPECT_EQ(transpose<TypeParam>(pattern), expectedTranspose<D>(pattern))
        << items << " items of " << rows << " x " << columns;
  }
}

} // namespace
