//===- MalformedPatternTest.cpp - Every corruption is named ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

constexpr int64_t big = int64_t{1} << 40;

struct Case {
  std::string name; ///< COO if it starts so.
  std::vector<int64_t> shape;
  std::vector<int64_t> positions;   ///< CSR only.
  std::vector<int64_t> coordinates; ///< COO: of all dimensions, one by one.
  int64_t stored;
  tsgu_status status;
  std::vector<std::string> texts; ///< What the message must say.
};

const tsgu_status argument = TSGU_INVALID_ARGUMENT;
const tsgu_status pattern = TSGU_INVALID_PATTERN;

const Case csrCases[] = {
    {"RankOne", {3}, {0, 1}, {0}, 1, argument, {"rank 1"}},
    {"RankFour", {1, 1, 1, 1}, {0, 1}, {0}, 1, argument, {"rank 4"}},
    {"NegativeRows", {-1, 3}, {0}, {}, 0, argument, {"dimension 0", "-1"}},
    {"NegativeColumns",
     {1, -3},
     {0, 0},
     {},
     0,
     argument,
     {"dimension 1", "-3"}},
    {"NegativeItems",
     {-2, 1, 1},
     {0, 0},
     {},
     0,
     argument,
     {"dimension 0", "-2"}},
    {"NegativeStored", {1, 3}, {0, 1}, {0}, -1, argument, {"-1"}},
    {"FirstPositionPositive",
     {2, 3},
     {1, 1, 2},
     {0, 1},
     2,
     pattern,
     {"positions[0] is 1"}},
    {"FirstPositionNegative",
     {2, 3},
     {-1, 1, 2},
     {0, 1},
     2,
     pattern,
     {"positions[0] is -1"}},
    {"Decreasing",
     {3, 3},
     {0, 2, 1, 2},
     {0, 1},
     2,
     pattern,
     {"row 1", "positions[1] is 2", "positions[2] is 1"}},
    {"DecreasingLast",
     {2, 3},
     {0, 2, 1},
     {0},
     1,
     pattern,
     {"row 0 ends at positions[1] = 2", "1 stored"}},
    {"BecomesNegative",
     {3, 3},
     {0, -5, 0, 2},
     {0, 1},
     2,
     pattern,
     {"row 0", "positions[1] is -5"}},
    {"EndsEarly",
     {2, 3},
     {0, 1, 1},
     {0, 1},
     2,
     pattern,
     {"positions[2], is 1", "2 stored"}},
    {"EndsLate",
     {2, 3},
     {0, 1, 3},
     {0, 1},
     2,
     pattern,
     {"row 1", "positions[2] = 3", "2 stored"}},
    {"JumpsBeyond",
     {3, 3},
     {0, 9, 1, 2},
     {0, 1},
     2,
     pattern,
     {"row 0", "positions[1] = 9"}},
    {"NoRowsButStored",
     {0, 3},
     {0},
     {0, 1},
     2,
     pattern,
     {"positions[0], is 0", "2 stored"}},
    {"NoStoredButPositions",
     {1, 3},
     {0, 2},
     {},
     0,
     pattern,
     {"positions[1] = 2"}},
    {"ColumnTooLarge",
     {2, 3},
     {0, 1, 2},
     {0, 3},
     2,
     pattern,
     {"row 1", "entry 1", "column 3", "0 to 2"}},
    {"ColumnNegative",
     {2, 3},
     {0, 1, 2},
     {-1, 2},
     2,
     pattern,
     {"row 0", "entry 0", "column -1", "0 to 2"}},
    {"ColumnFarAway",
     {2, 3},
     {0, 0, 3},
     {0, 1, 2000000000},
     3,
     pattern,
     {"row 1", "entry 2", "column 2000000000"}},
    {"ColumnMostNegative",
     {1, 3},
     {0, 1},
     {-2147483647 - 1},
     1,
     pattern,
     {"row 0", "column -2147483648"}},
    {"NoColumns",
     {1, 0},
     {0, 1},
     {0},
     1,
     pattern,
     {"row 0", "column 0", "can store no entries"}},
    {"AfterEmptyRows",
     {5, 3},
     {0, 0, 0, 1, 1, 2},
     {1, 7},
     2,
     pattern,
     {"row 4", "entry 1", "column 7"}},
    {"OutOfRangeAmongUnsorted",
     {1, 4},
     {0, 3},
     {3, 1, 4},
     3,
     pattern,
     {"row 0", "entry 2", "column 4"}},
    {"OutOfRangeDuplicate",
     {1, 4},
     {0, 2},
     {9, 9},
     2,
     pattern,
     {"entry 0", "column 9"}},
    {"ItemsDoNotDivide",
     {2, 1, 3},
     {0, 1, 0, 1},
     {0, 1, 2},
     3,
     pattern,
     {"3 stored", "2 items"}},
    {"StoredWithoutItems",
     {0, 1, 3},
     {},
     {0, 1},
     2,
     pattern,
     {"2 stored", "0 items"}},
    {"SecondItemStartsLate",
     {2, 1, 3},
     {0, 1, 1, 1},
     {0, 1},
     2,
     pattern,
     {"item 1", "positions[0] is 1"}},
    {"SecondItemContinues",
     {2, 1, 3},
     {0, 1, 1, 2},
     {0, 1},
     2,
     pattern,
     {"item 1", "positions[0] is 1"}},
    {"SecondItemDecreases",
     {2, 2, 3},
     {0, 1, 2, 0, 3, 2},
     {0, 1, 0, 1},
     4,
     pattern,
     {"item 1", "row 0", "positions[1] = 3"}},
    {"ItemEndsEarly",
     {2, 1, 3},
     {0, 1, 0, 0},
     {0, 1},
     2,
     pattern,
     {"item 1", "is 0", "1 stored"}},
    {"ItemColumnTooLarge",
     {2, 2, 3},
     {0, 1, 2, 0, 0, 2},
     {0, 1, 1, 5},
     4,
     pattern,
     {"item 1, row 1", "entry 3", "column 5"}},
    {"ItemColumnNegative",
     {2, 2, 3},
     {0, 1, 2, 0, 0, 2},
     {0, -4, 1, 2},
     4,
     pattern,
     {"item 0, row 1", "entry 1", "column -4"}},
};

const Case cooCases[] = {
    {"CooRankOne", {3}, {}, {0}, 1, argument, {"rank 1"}},
    {"CooNegativeRows", {-1, 3}, {}, {}, 0, argument, {"dimension 0", "-1"}},
    {"CooNegativeStored", {1, 3}, {}, {0, 0}, -4, argument, {"-4"}},
    {"CooRowTooLarge",
     {2, 3},
     {},
     {0, 2, 1, 1},
     2,
     pattern,
     {"entry 1", "coordinate 2", "dimension 0", "0 to 1"}},
    {"CooRowNegative",
     {2, 3},
     {},
     {-1, 1, 1, 1},
     2,
     pattern,
     {"entry 0", "coordinate -1", "dimension 0"}},
    {"CooColumnTooLarge",
     {2, 3},
     {},
     {0, 1, 1, 3},
     2,
     pattern,
     {"entry 1", "coordinate 3", "dimension 1", "0 to 2"}},
    {"CooColumnNegative",
     {2, 3},
     {},
     {0, 1, -9, 1},
     2,
     pattern,
     {"entry 0", "coordinate -9", "dimension 1"}},
    {"CooSecondOfUnsorted",
     {3, 3},
     {},
     {2, 0, 1, 7},
     2,
     pattern,
     {"entry 1", "coordinate 7", "dimension 1"}},
    {"CooNoRows",
     {0, 3},
     {},
     {0, 1},
     1,
     pattern,
     {"entry 0", "dimension 0", "can store no entries"}},
    {"CooNoColumns",
     {3, 0},
     {},
     {0, 1},
     1,
     pattern,
     {"entry 0", "dimension 1", "can store no entries"}},
    {"CooItemTooLarge",
     {2, 2, 2},
     {},
     {0, 2, 1, 1, 1, 0},
     2,
     pattern,
     {"entry 1", "coordinate 2", "dimension 0"}},
    {"CooItemNegative",
     {2, 2, 2},
     {},
     {-1, 1, 1, 1, 1, 0},
     2,
     pattern,
     {"entry 0", "coordinate -1", "dimension 0"}},
    {"CooItemColumn",
     {2, 2, 2},
     {},
     {0, 1, 1, 1, 1, 2},
     2,
     pattern,
     {"entry 1", "coordinate 2", "dimension 2"}},
    {"CooItemsWithoutEnd",
     {big, big, 1},
     {},
     {0, 0, 0},
     1,
     TSGU_OUT_OF_MEMORY,
     {"could not be allocated"}}, // positions of items, not of all rows
    {"CooRowsWithoutEnd",
     {INT64_MAX, 1},
     {},
     {0, 0},
     1,
     TSGU_OUT_OF_MEMORY,
     {"more than 64 bits"}},
};

struct Attempt {
  tsgu_status status;
  std::string message;
};

template <typename I> Attempt attempt(const Case &test) {
  std::vector<I> positions(test.positions.begin(), test.positions.end());
  std::vector<I> coordinates(test.coordinates.begin(), test.coordinates.end());
  const auto rank = static_cast<int32_t>(test.shape.size());
  const tsgu_type type = sizeof(I) == 4 ? TSGU_I32 : TSGU_I64;
  Attempt result{TSGU_OK, ""};
  tsgu_pattern *made = nullptr;
  if (test.name.rfind("Coo", 0) != 0) {
    result.status =
        tsgu_pattern_from_csr(rank, test.shape.data(), type, positions.data(),
                              coordinates.data(), test.stored, &made);
  } else {
    std::vector<const void *> pointers;
    for (int32_t d = 0; d < rank; ++d)
      pointers.push_back(coordinates.data() +
                         d * std::max<int64_t>(test.stored, 0));
    result.status = tsgu_pattern_from_coo(rank, test.shape.data(), type,
                                          pointers.data(), test.stored, &made);
  }
  result.message = tsgu_last_error();
  EXPECT_EQ(made, nullptr);
  return result;
}

class MalformedPattern : public testing::TestWithParam<Case> {};

void checkAttempt(const Attempt &attempt, const Case &test) {
  EXPECT_EQ(attempt.status, test.status) << attempt.message;
  for (const std::string &text : test.texts)
    EXPECT_NE(attempt.message.find(text), std::string::npos)
        << '\'' << text << "' is not in: " << attempt.message;
}

TEST_P(MalformedPattern, Int32) {
  checkAttempt(attempt<int32_t>(GetParam()), GetParam());
}
TEST_P(MalformedPattern, Int64) {
  checkAttempt(attempt<int64_t>(GetParam()), GetParam());
}

auto caseName = [](const auto &info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(CSR, MalformedPattern, testing::ValuesIn(csrCases),
                         caseName);
INSTANTIATE_TEST_SUITE_P(COO, MalformedPattern, testing::ValuesIn(cooCases),
                         caseName);

//===----------------------------------------------------------------------===//
// Corruptions that only one call can have
//===----------------------------------------------------------------------===//

class MalformedCall : public testing::Test {
protected:
  void expect(tsgu_status got, tsgu_status wanted, const char *text) {
    EXPECT_EQ(got, wanted);
    EXPECT_NE(std::string(tsgu_last_error()).find(text), std::string::npos)
        << tsgu_last_error();
    EXPECT_EQ(made, nullptr);
  }

  tsgu_status csr(tsgu_type type, const void *positions,
                  const void *coordinates, int64_t stored) {
    return tsgu_pattern_from_csr(2, shape, type, positions, coordinates, stored,
                                 &made);
  }

  const int64_t shape[2] = {2, 3};
  const int32_t positions[3] = {0, 1, 2};
  const int32_t coordinates[2] = {0, 1};
  const void *const entries[2] = {coordinates, coordinates};
  tsgu_pattern *made = nullptr;
};

TEST_F(MalformedCall, FloatIndices) {
  expect(csr(TSGU_F32, positions, coordinates, 2), argument, "index type 0");
  expect(csr(TSGU_F64, positions, coordinates, 2), argument, "index type 1");
}

TEST_F(MalformedCall, UnknownIndexType) {
  expect(csr(static_cast<tsgu_type>(7), positions, coordinates, 2), argument,
         "index type 7");
}

TEST_F(MalformedCall, NullArrays) {
  expect(csr(TSGU_I32, nullptr, coordinates, 2), argument, "positions is NULL");
  expect(csr(TSGU_I32, positions, nullptr, 2), argument, "coordinates is NULL");
}

TEST_F(MalformedCall, UnalignedArrays) {
  const char *bytes = reinterpret_cast<const char *>(positions);
  expect(csr(TSGU_I32, bytes + 1, coordinates, 2), argument,
         "positions is not aligned");
  expect(csr(TSGU_I32, positions, bytes + 2, 1), argument,
         "coordinates is not aligned");
}

TEST_F(MalformedCall, MoreThanInt32Counts) {
  expect(csr(TSGU_I32, positions, coordinates, int64_t{1} << 31), argument,
         "2147483648 stored entries; pass the pattern with int64");
}

TEST_F(MalformedCall, NullShape) {
  expect(tsgu_pattern_from_csr(2, nullptr, TSGU_I32, positions, coordinates, 2,
                               &made),
         argument, "shape is NULL");
  expect(tsgu_pattern_from_coo(2, nullptr, TSGU_I32, entries, 2, &made),
         argument, "shape is NULL");
}

TEST_F(MalformedCall, NullResult) {
  expect(tsgu_pattern_from_csr(2, shape, TSGU_I32, positions, coordinates, 2,
                               nullptr),
         argument, "pattern is NULL");
  expect(tsgu_pattern_from_coo(2, shape, TSGU_I32, entries, 2, nullptr),
         argument, "pattern is NULL");
}

TEST_F(MalformedCall, NullCoordinates) {
  expect(tsgu_pattern_from_coo(2, shape, TSGU_I32, nullptr, 2, &made), argument,
         "coordinates is NULL");
  const void *half[2] = {coordinates, nullptr};
  expect(tsgu_pattern_from_coo(2, shape, TSGU_I32, half, 2, &made), argument,
         "NULL");
}

TEST_F(MalformedCall, LayoutOrders) {
  ASSERT_EQ(csr(TSGU_I32, positions, coordinates, 2), TSGU_OK);
  tsgu_layout layout;
  for (auto [x, y] : {std::pair{0, 0}, {1, 1}, {-1, 0}, {0, 2}, {2, 1}}) {
    const int32_t order[2] = {x, y};
    EXPECT_EQ(tsgu_pattern_layout(made, order, &layout), argument);
  }
  EXPECT_EQ(tsgu_pattern_layout(nullptr, nullptr, &layout), argument);
  EXPECT_EQ(tsgu_pattern_layout(made, nullptr, nullptr), argument);
  tsgu_pattern_release(made);
}

} // namespace
