//===- RangesTest.cpp - Ranges of equal work, sizes without end -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Ranges.h"
#include "Matrices.h"
#include "base/Scratch.h"

#include <gtest/gtest.h>

#include <cstring>

#include <sys/mman.h>

using namespace tsgu;
using namespace tsgu::runtime;

namespace {

template <typename I> Layout layoutOf(const test::Matrix<I> &matrix) {
  Layout layout;
  layout.indexType = indexTypeOf<I>();
  layout.positions = matrix.positions.data();
  layout.rows = static_cast<int64_t>(matrix.positions.size()) - 1;
  layout.stored = matrix.stored();
  return layout;
}

TEST(Ranges, CoverEverythingInOrder) {
  for (int64_t iterations : {0, 1, 2, 7, 100})
    for (int64_t parts : {1, 2, 3, 8, 100, 1000}) {
      const Ranges ranges(iterations, parts);
      EXPECT_EQ(ranges.boundary(0), 0);
      EXPECT_EQ(ranges.boundary(parts), iterations);
      for (int64_t part = 0; part < parts; ++part)
        EXPECT_LE(ranges.boundary(part), ranges.boundary(part + 1));
    }
}

TEST(Ranges, AreOfEqualWork) {
  std::mt19937 random(1);
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto matrix =
        test::randomMatrix<int32_t>(random, 1, 1 + random() % 400, 200, 30);
    const Layout layout = layoutOf(matrix);
    int64_t longest = 0;
    for (int64_t row = 0; row < matrix.rows; ++row)
      longest = std::max<int64_t>(longest, matrix.positions[row + 1] -
                                               matrix.positions[row]);
    for (int64_t parts : {1, 2, 5, 16}) {
      const Ranges ranges(matrix.rows, parts, layout, 1);
      EXPECT_EQ(ranges.boundary(0), 0);
      EXPECT_EQ(ranges.boundary(parts), matrix.rows);
      const int64_t fair = (matrix.stored() + 2 * matrix.rows) / parts;
      for (int64_t part = 0; part < parts; ++part) {
        const int64_t begin = ranges.boundary(part);
        const int64_t end = ranges.boundary(part + 1);
        ASSERT_LE(begin, end);
        const int64_t work =
            matrix.positions[end] - matrix.positions[begin] + 2 * (end - begin);
        EXPECT_LE(work, fair + longest + 3);
      }
    }
  }
}

TEST(Ranges, WholeItemsAndSharedPatterns) {
  std::mt19937 random(2);
  const auto matrix = test::randomMatrix<int64_t>(random, 12, 5, 40, 9);
  const Layout layout = layoutOf(matrix);
  const Ranges items(12, 4, layout, 5);         // Iterations are items.
  const Ranges repeated(12 * 60, 4, layout, 1); // 12 times all the rows.
  for (int64_t part = 0; part < 4; ++part) {
    EXPECT_LE(items.boundary(part), items.boundary(part + 1));
    EXPECT_NEAR(static_cast<double>(repeated.boundary(part)), 180 * part, 60);
  }
  EXPECT_EQ(items.boundary(4), 12);
  EXPECT_EQ(repeated.boundary(4), 12 * 60);
}

TEST(Ranges, NoRowsAtAll) {
  const Layout none = layoutOf(test::Matrix<int32_t>{});
  const Ranges ranges(9, 3, none, 0);
  EXPECT_EQ(ranges.boundary(1), 3);
  EXPECT_EQ(ranges.boundary(3), 9);
}

/// 2^33 rows without entries: memory that is all zeros and never touched.
TEST(Ranges, BillionsOfRows) {
  const int64_t rows = int64_t{1} << 33;
  const size_t bytes = static_cast<size_t>(rows + 1) * 8;
  void *zeros = mmap(nullptr, bytes, PROT_READ,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(zeros, MAP_FAILED);
  Layout layout;
  layout.indexType = ElementType::I64;
  layout.positions = zeros;
  layout.rows = rows;
  for (int64_t parts : {1, 3, 64}) {
    const Ranges ranges(rows, parts, layout, 1);
    for (int64_t part = 0; part <= parts; ++part)
      EXPECT_NEAR(static_cast<double>(ranges.boundary(part)),
                  static_cast<double>(rows) / parts * part, 1.0);
    EXPECT_EQ(ranges.boundary(parts), rows);
  }
  munmap(zeros, bytes);
  // Iterations alike need no memory to be cut.
  const Ranges huge(INT64_MAX, 1000);
  EXPECT_EQ(huge.boundary(1000), INT64_MAX);
  EXPECT_EQ(huge.boundary(500), INT64_MAX / 2);
  EXPECT_THROW(Ranges(INT64_MAX, 4, layout, 1), Error);
}

TEST(Arithmetic, Overflow) {
  const int64_t big = int64_t{1} << 33;
  EXPECT_EQ(multiply(big, 1 << 29), int64_t{1} << 62);
  EXPECT_THROW(multiply(big, big), Error);
  EXPECT_THROW(add(INT64_MAX, 1), Error);
  EXPECT_EQ(mulDiv(INT64_MAX, 3, 4), INT64_MAX / 4 * 3 + 2);
  EXPECT_EQ(derivedIndexType(big, 1, 1), ElementType::I64);
  EXPECT_EQ(derivedIndexType(1, big, 1), ElementType::I64);
  EXPECT_EQ(derivedIndexType(1, 1, big), ElementType::I64);
  EXPECT_EQ(derivedIndexType(INT32_MAX, INT32_MAX, INT32_MAX),
            ElementType::I32);
  EXPECT_FALSE(fitsInt32(int64_t{1} << 31));
}

TEST(Scratch, IsAlignedAndKept) {
  {
    Scratch small(1), large(int64_t{5} << 20);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(small.data()) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(large.data()) % 64, 0u);
    std::memset(large.data(), 1, int64_t{5} << 20);
  }
  const int64_t kept = Scratch::kept();
  EXPECT_GE(kept, int64_t{5} << 20);
  {
    Scratch again(int64_t{5} << 20);
  }
  EXPECT_EQ(Scratch::kept(), kept);
  EXPECT_EQ(Scratch(0).data(), nullptr);
}

TEST(Scratch, IsBounded) {
  for (int64_t i = 0; i < 64; ++i)
    Scratch scratch((i % 7 + 1) * (int64_t{20} << 20)); // Never touched.
  EXPECT_LE(Scratch::kept(), int64_t{256} << 20);
  {
    Scratch beyond(int64_t{300} << 20);
  }
  EXPECT_LE(Scratch::kept(), int64_t{256} << 20);
  EXPECT_THROW(Scratch(int64_t{1} << 60), Error);
}

} // namespace
