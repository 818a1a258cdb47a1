//===- TriangularEdgesTest.cpp - Singular, tiny and extreme triangles -----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TriangularTesting.h"

#include <cmath>

using namespace tsgu;
using namespace tsgu::test;

namespace {

TYPED_TEST_SUITE(TriangularTypes, ValueTypes);

/// The error of a solve, or "".
template <typename T, typename I>
std::string errorOf(const Batch<I> &batch, const std::vector<T> &values,
                    int64_t item, Triangle triangle, Mode mode, int64_t count,
                    bool prepared, tsgu_executor executor) {
  const runtime::Matrix<T> A{batch.pattern, item, values.data()};
  std::vector<T> b(batch.rows * count, T(1)), x(b.size());
  const Vectors<const T> right{b.data(), batch.rows, count, count};
  const Vectors<T> left{x.data(), batch.rows, count, count};
  try {
    if (prepared)
      PreparedTriangle<T>(A, triangle, {A, executor}, executor)
          .apply(mode, right, left, executor);
    else
      triangularSolve<T>(A, triangle, mode, right, left, executor);
  } catch (const Error &error) {
    EXPECT_EQ(error.status(), Status::Singular);
    return error.what();
  }
  return "";
}

TEST(Triangular, SingularNamesTheFirstRow) {
  std::mt19937 engine(7);
  for (int64_t side : {6, 40}) {
    const int64_t n = side * side;
    for (Rows rows : {grid(side), chain(n), ragged(engine, n)}) {
      for (bool missing : {false, true}) {
        if (missing)
          rows[n / 2].erase(n / 2), rows[n - 1].erase(n - 1);
        const Batch<int32_t> batch({grid(side), rows}, true);
        for (bool upper : {false, true}) {
          std::vector<double> values =
              valuesFor<double>(engine, batch, {upper, false});
          auto zeroAt = [&](int64_t row) {
            for (int64_t k = batch.position(1, row);
                 k < batch.position(1, row + 1); ++k)
              if (batch.coordinateOf[k] == row)
                values[k] = k % 2 ? 0.0 : -0.0;
          };
          std::string row = missing ? std::to_string(n / 2) : "";
          for (bool zero : {false, true}) {
            if (zero) {
              zeroAt(n - 2), zeroAt(n / 2 - 3);
              row = std::to_string(n / 2 - 3);
            }
            for (Mode mode : modes)
              for (int64_t count : {1, 3, 9})
                for (bool prepared : {false, true})
                  for (tsgu_executor executor :
                       {serial, tsgu_executor{3, onThreads}}) {
                    const std::string error =
                        errorOf(batch, values, 1, {upper, false}, mode, count,
                                prepared, executor);
                    EXPECT_NE(error.find(row.empty()
                                             ? ""
                                             : " item 1 is singular: the "
                                               "diagonal of row " +
                                                   row + " "),
                              std::string::npos)
                        << error;
                    EXPECT_EQ(error.empty(), row.empty());
                    // The other item has what it needs.
                    EXPECT_EQ(errorOf(batch, values, 0, {upper, false}, mode,
                                      count, prepared, executor),
                              "");
                  }
          }
        }
      }
    }
  }
}

TEST(Triangular, MissingDiagonalOfAUnitTriangle) {
  std::mt19937 engine(8);
  Rows rows = grid(9);
  for (int64_t i = 0; i < 81; i += 3)
    rows[i].erase(i);
  const Batch<int64_t> batch({rows}, false);
  for (bool upper : {false, true}) {
    const Triangle triangle{upper, true};
    const auto values = valuesFor<double>(engine, batch, triangle);
    for (Mode mode : modes)
      for (int64_t count : {1, 9})
        solveEachWay("holes", batch, values, 0, triangle, mode, count, engine);
  }
}

TEST(Triangular, SmallestSizes) {
  std::mt19937 engine(9);
  for (int64_t n : {0, 1, 2}) {
    const Batch<int32_t> batch({diagonalRows(n)}, false);
    for (Triangle triangle : triangles) {
      const auto values = valuesFor<double>(engine, batch, triangle);
      for (Mode mode : modes)
        for (int64_t count : {0, 1, 8})
          solveEachWay("tiny", batch, values, 0, triangle, mode, count, engine);
    }
  }
  const Batch<int32_t> empty({Rows(3)}, false);
  EXPECT_EQ(
      errorOf<double>(empty, {}, 0, {false, true}, Mode::T, 1, true, serial),
      "");
  EXPECT_NE(
      errorOf<double>(empty, {}, 0, {false, false}, Mode::N, 1, false, serial)
          .find("row 0 is not stored"),
      std::string::npos);
}

/// Diagonals whose reciprocals overflow, underflow or lose digits.
TYPED_TEST(TriangularTypes, ExtremeDiagonals) {
  using T = TypeParam;
  using R = Real<T>;
  for (R scale :
       {std::numeric_limits<R>::max() / 4, std::numeric_limits<R>::min(),
        std::numeric_limits<R>::denorm_min() * 64}) {
    for (const Rows &rows : {diagonalRows(200), chain(200)}) {
      const Batch<int32_t> batch({rows}, false);
      const auto entries = static_cast<size_t>(batch.stored());
      std::vector<T> values(entries, T(0)), b(200), x(200);
      for (size_t k = 0; k < entries; ++k)
        if (batch.rowOf[k] == batch.coordinateOf[k])
          values[k] = T(k % 3 ? scale : R(1));
      const runtime::Matrix<T> A{batch.pattern, 0, values.data()};
      for (int64_t i = 0; i < 200; ++i)
        for (int64_t k = batch.position(0, i); k < batch.position(0, i + 1);
             ++k)
          if (batch.coordinateOf[k] == i)
            b[i] = values[k];
      const PreparedTriangle<T> prepared(A, {}, {A, serial}, serial);
      for (Mode mode : modes) {
        triangularSolve<T>(A, {}, mode, {b.data(), 200, 1, 1},
                           {x.data(), 200, 1, 1}, serial);
        for (T value : x)
          ASSERT_LE(std::abs(value - T(1)),
                    8 * std::numeric_limits<R>::epsilon());
        prepared.apply(mode, {b.data(), 200, 1, 1}, {x.data(), 200, 1, 1},
                       serial);
        for (T value : x)
          ASSERT_LE(std::abs(value - T(1)),
                    8 * std::numeric_limits<R>::epsilon());
      }
    }
  }
}

/// NaN and infinity reach what depends on them, and nothing else.
TEST(Triangular, NotFinite) {
  std::mt19937 engine(10);
  const Batch<int32_t> batch({grid(20)}, false);
  const auto values = valuesFor<double>(engine, batch, {});
  for (double poison : {std::numeric_limits<double>::quiet_NaN(),
                        std::numeric_limits<double>::infinity()})
    for (int64_t count : {1, 3, 8}) {
      std::vector<double> b(400 * count, 1.0), x(b.size());
      for (int64_t j = 0; j < count; ++j)
        b[(5 * 20 + 7) * count + j] = poison;
      triangularSolve<double>({batch.pattern, 0, values.data()}, {}, Mode::N,
                              {b.data(), 400, count, count},
                              {x.data(), 400, count, count}, serial);
      for (int64_t i = 0; i < 400; ++i)
        for (int64_t j = 0; j < count; ++j)
          EXPECT_EQ(!std::isfinite(x[i * count + j]),
                    i / 20 >= 5 && i % 20 >= 7)
              << i;
    }
}

TEST(Triangular, NotSquare) {
  const int64_t shape[2] = {2, 3};
  const int32_t positions[3] = {0, 0, 0};
  runtime::Pattern *pattern =
      runtime::Pattern::fromCSR(2, shape, TSGU_I32, positions, positions, 0);
  double data[3] = {};
  EXPECT_THROW(triangularSolve<double>({pattern, 0, data}, {}, Mode::N,
                                       {data, 2, 1, 1}, {data, 3, 1, 1},
                                       serial),
               Error);
  pattern->release();
}

} // namespace
