//===- TriangularTest.cpp - Triangular solves -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TriangularMatrices.h"

#include "Parallel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

using namespace tsgu;
using namespace tsgu::test;
using runtime::PreparedTriangle;
using runtime::triangularSolve;

namespace {

/// Runs every task of a region on a thread of its own, the last one first.
void onThreads(int64_t count, tsgu_task task, void *context) {
  std::vector<std::thread> threads;
  for (int64_t k = count; k-- > 0;)
    threads.emplace_back(task, context, k, k + 1);
  for (std::thread &thread : threads)
    thread.join();
}

/// One after the other on the calling thread, as some pools do when nested.
void oneByOne(int64_t count, tsgu_task task, void *context) {
  for (int64_t k = 0; k < count; ++k)
    task(context, k, k + 1);
}

void atOnce(int64_t count, tsgu_task task, void *context) {
  task(context, 0, count);
}

const tsgu_executor serial{1, nullptr};

template <typename T> class Block {
public:
  Block(int64_t length, int64_t count, int64_t stride)
      : data(length * stride, T(std::numeric_limits<Real<T>>::quiet_NaN())),
        length(length), count(count), stride(stride) {}
  Block(int64_t length, int64_t count, int64_t stride,
        const std::vector<T> &from)
      : Block(length, count, stride) {
    for (int64_t i = 0; i < length; ++i)
      for (int64_t j = 0; j < count; ++j)
        data[i * stride + j] = from[i * count + j];
  }
  Vectors<T> vectors() { return {data.data(), length, count, stride}; }
  Vectors<const T> constant() const {
    return {data.data(), length, count, stride};
  }
  std::vector<T> dense() const {
    std::vector<T> result(length * count);
    for (int64_t i = 0; i < length; ++i)
      for (int64_t j = 0; j < count; ++j)
        result[i * count + j] = data[i * stride + j];
    return result;
  }

private:
  std::vector<T> data;
  int64_t length, count, stride;
};

template <typename T>
void expectNear(const std::vector<T> &found, const std::vector<T> &expected,
                const std::string &what) {
  ASSERT_EQ(found.size(), expected.size());
  // Rows are diagonally dominant: errors do not grow along the solve.
  const Real<T> bound = 64 * std::numeric_limits<Real<T>>::epsilon();
  for (size_t k = 0; k < found.size(); ++k)
    ASSERT_LE(std::abs(found[k] - expected[k]),
              bound * (1 + std::abs(expected[k])))
        << what << ", element " << k << " is " << found[k] << ", expected "
        << expected[k];
}

template <typename T>
void expectSame(const std::vector<T> &found, const std::vector<T> &expected,
                const std::string &what) {
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_TRUE(found.empty() || std::memcmp(found.data(), expected.data(),
                                           found.size() * sizeof(T)) == 0)
      << what;
}

std::string describe(const std::string &pattern, Triangle triangle, Mode mode,
                     int64_t count) {
  return pattern + (triangle.upper ? " upper" : " lower") +
         (triangle.unit ? " unit" : "") + " mode " + "NTC"[int(mode)] +
         " p = " + std::to_string(count);
}

template <typename T, typename I>
void solveEachWay(const std::string &name, const Batch<I> &batch,
                  const std::vector<T> &values, int64_t item, Triangle triangle,
                  Mode mode, int64_t count, std::mt19937 &engine) {
  const std::string what = describe(name, triangle, mode, count);
  const int64_t n = batch.rows;
  std::vector<T> right(n * count);
  for (T &value : right)
    value = random<T>(engine);
  const std::vector<T> expected =
      oracle(batch, item, values, triangle, mode, right, count);
  const runtime::Matrix<T> A{batch.pattern, item, values.data()};
  const Block<T> b(n, count, count + 3, right);

  std::vector<T> first, firstPrepared;
  const PreparedTriangle<T> prepared(A, triangle, serial);
  for (tsgu_executor executor :
       {serial, tsgu_executor{2, onThreads}, tsgu_executor{3, oneByOne},
        tsgu_executor{16, atOnce}, runtime::executorOr(nullptr)}) {
    Block<T> x(n, count, count + 1);
    triangularSolve<T>(A, triangle, mode, b.constant(), x.vectors(), executor);
    expectNear(x.dense(), expected, what);
    if (first.empty())
      first = x.dense();
    expectSame(x.dense(), first, what + ": threads");

    Block<T> y(n, count, count);
    prepared.solve(mode, b.constant(), y.vectors(), executor);
    expectNear(y.dense(), expected, what + " prepared");
    if (firstPrepared.empty())
      firstPrepared = y.dense();
    expectSame(y.dense(), firstPrepared, what + " prepared: threads");
  }

  Block<T> inPlace(n, count, count, right);
  const Vectors<T> both = inPlace.vectors();
  triangularSolve<T>(A, triangle, mode, {both.data, n, count, count}, both,
                     runtime::executorOr(nullptr));
  expectSame(inPlace.dense(), first, what + ": in place");
}

constexpr Triangle triangles[] = {
    {false, false}, {false, true}, {true, false}, {true, true}};
constexpr Mode modes[] = {Mode::N, Mode::T, Mode::C};

template <typename T> class TriangularTypes : public testing::Test {};
using ValueTypes =
    testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(TriangularTypes, ValueTypes);

template <typename T, typename I> void solveAll(int64_t side) {
  std::mt19937 engine(static_cast<unsigned>(side));
  for (const auto &[name, rows] : patternsOf(engine, side)) {
    const Batch<I> batch({rows}, false);
    for (Triangle triangle : triangles) {
      const std::vector<T> values = valuesFor<T>(engine, batch, triangle);
      for (Mode mode : modes)
        for (int64_t count : {1, 2, 5, 8, 19, 33})
          solveEachWay(name, batch, values, 0, triangle, mode, count, engine);
    }
  }
}

TYPED_TEST(TriangularTypes, SmallI32) { solveAll<TypeParam, int32_t>(4); }
TYPED_TEST(TriangularTypes, I32) { solveAll<TypeParam, int32_t>(11); }
TYPED_TEST(TriangularTypes, I64) { solveAll<TypeParam, int64_t>(11); }

/// Large enough for several threads, which do not solve in the order that one
/// does: long segments, rows of unlike length, long rows side by side.
TYPED_TEST(TriangularTypes, LargeOnesByEveryPath) {
  using T = TypeParam;
  std::mt19937 engine(21);
  Rows longRows = diagonalRows(1200);
  for (int64_t i = 40; i < 1200; ++i)
    for (int64_t k = 0, count = 10 + i % 30; k < count; ++k) {
      const auto j = static_cast<int64_t>(engine() % (i / 2 + 1));
      longRows[i].insert(j), longRows[j].insert(i);
    }
  for (const auto &[name, rows] :
       {std::pair<std::string, Rows>{"grid", grid(70)},
        {"ragged", ragged(engine, 6000)},
        {"long rows", longRows}}) {
    const Batch<int32_t> batch({rows}, false);
    ASSERT_GE(batch.stored(), 16384);
    for (bool upper : {false, true}) {
      const Triangle triangle{upper, false};
      const std::vector<T> values = valuesFor<T>(engine, batch, triangle);
      for (Mode mode : modes)
        for (int64_t count : {1, 3})
          solveEachWay(name, batch, values, 0, triangle, mode, count, engine);
    }
  }
}

TYPED_TEST(TriangularTypes, BatchOfUnlikeItems) {
  using T = TypeParam;
  std::mt19937 engine(5);
  std::vector<Rows> items;
  for (const auto &[name, rows] : patternsOf(engine, 12))
    items.push_back(rows);
  const Batch<int32_t> batch(items, true);
  for (Triangle triangle : triangles) {
    const std::vector<T> values = valuesFor<T>(engine, batch, triangle);
    for (int64_t item = 0; item < batch.pattern->items(); ++item)
      for (Mode mode : modes)
        solveEachWay("item", batch, values, item, triangle, mode, 3, engine);
  }
}

/// Levels wide enough for a team, and long rows beside short ones.
TYPED_TEST(TriangularTypes, LargeEnoughForThreads) {
  using T = TypeParam;
  std::mt19937 engine(6);
  for (const auto &[name, rows] :
       {std::pair<std::string, Rows>{"grid", grid(90)},
        std::pair<std::string, Rows>{"ragged", ragged(engine, 9000)}}) {
    const Batch<int32_t> batch({rows}, false);
    for (Triangle triangle : {triangles[0], triangles[2]}) {
      const std::vector<T> values = valuesFor<T>(engine, batch, triangle);
      for (Mode mode : modes)
        for (int64_t count : {1, 3})
          solveEachWay(name, batch, values, 0, triangle, mode, count, engine);
    }
  }
}

//===----------------------------------------------------------------------===//
// Errors and edges
//===----------------------------------------------------------------------===//

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
      PreparedTriangle<T>(A, triangle, executor)
          .solve(mode, right, left, executor);
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
      const PreparedTriangle<T> prepared(A, {}, serial);
      for (Mode mode : modes) {
        triangularSolve<T>(A, {}, mode, {b.data(), 200, 1, 1},
                           {x.data(), 200, 1, 1}, serial);
        for (T value : x)
          ASSERT_LE(std::abs(value - T(1)),
                    8 * std::numeric_limits<R>::epsilon());
        prepared.solve(mode, {b.data(), 200, 1, 1}, {x.data(), 200, 1, 1},
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
  runtime::Pattern *pattern = runtime::Pattern::fromCSR(
      2, shape, TSGU_I32, positions, positions, 0, {});
  double data[3] = {};
  EXPECT_THROW(triangularSolve<double>({pattern, 0, data}, {}, Mode::N,
                                       {data, 2, 1, 1}, {data, 3, 1, 1},
                                       serial),
               Error);
  pattern->release();
}

//===----------------------------------------------------------------------===//
// Analyses, prepared values, threads
//===----------------------------------------------------------------------===//

TEST(Triangular, OneAnalysisPerTriangle) {
  std::mt19937 engine(11);
  const Batch<int32_t> batch({grid(30), grid(30)}, true);
  const uint64_t before = runtime::triangularAnalyses();
  for (bool upper : {false, true})
    for (int repeat = 0; repeat < 3; ++repeat)
      for (bool unit : {false, true}) {
        const auto values = valuesFor<double>(engine, batch, {upper, unit});
        for (int64_t item : {0, 1})
          for (Mode mode : modes)
            for (int64_t count : {1, 9})
              solveEachWay("grid", batch, values, item, {upper, unit}, mode,
                           count, engine);
      }
  EXPECT_EQ(runtime::triangularAnalyses() - before, 4u);
}

TEST(Triangular, PreparedTakesNewValues) {
  std::mt19937 engine(12);
  for (const Rows &rows : {grid(30), chain(100)}) {
    const Batch<int32_t> batch({rows}, false);
    const int64_t n = batch.rows;
    auto values = valuesFor<double>(engine, batch, {});
    PreparedTriangle<double> prepared({batch.pattern, 0, values.data()}, {},
                                      serial);
    std::vector<double> b(n), x(n);
    for (double &value : b)
      value = random<double>(engine);
    for (int repeat = 0; repeat < 3; ++repeat) {
      for (Mode mode : modes) {
        prepared.solve(mode, {b.data(), n, 1, 1}, {x.data(), n, 1, 1}, serial);
        expectNear(x, oracle(batch, 0, values, {}, mode, b, 1), "update");
      }
      values = valuesFor<double>(engine, batch, {});
      prepared.update(values.data(), serial);
    }
    EXPECT_GT(prepared.bytes(), static_cast<int64_t>(8 * n));
  }
}

TEST(Triangular, SixteenThreadsAtOnce) {
  std::mt19937 engine(13);
  const Batch<int32_t> batch({grid(60)}, false);
  const auto lower = valuesFor<double>(engine, batch, {});
  const auto upper = valuesFor<double>(engine, batch, {true, false});
  std::vector<double> b(3600);
  for (double &value : b)
    value = random<double>(engine);
  std::vector<std::thread> threads;
  for (int k = 0; k < 16; ++k)
    threads.emplace_back([&, k] {
      const Triangle triangle{k % 2 == 1, false};
      const auto &values = triangle.upper ? upper : lower;
      for (int repeat = 0; repeat < 20; ++repeat) {
        const Mode mode = modes[(k + repeat) % 3];
        std::vector<double> x(3600);
        triangularSolve<double>({batch.pattern, 0, values.data()}, triangle,
                                mode, {b.data(), 3600, 1, 1},
                                {x.data(), 3600, 1, 1},
                                runtime::executorOr(nullptr));
        expectNear(x, oracle(batch, 0, values, triangle, mode, b, 1),
                   "at once");
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Triangular, OnPoolsOfAllSizes) {
  std::mt19937 engine(14);
  const Batch<int32_t> batch({grid(90)}, false);
  const auto values = valuesFor<double>(engine, batch, {});
  std::vector<double> b(8100), first;
  for (double &value : b)
    value = random<double>(engine);
  for (int32_t threads : {1, 2, 3, 16}) {
    runtime::setThreads(threads);
    for (int repeat = 0; repeat < 5; ++repeat) {
      std::vector<double> x(8100);
      triangularSolve<double>({batch.pattern, 0, values.data()}, {}, Mode::T,
                              {b.data(), 8100, 1, 1}, {x.data(), 8100, 1, 1},
                              runtime::executorOr(nullptr));
      if (first.empty())
        first = x;
      expectSame(x, first, std::to_string(threads));
    }
  }
  runtime::setThreads(0);
}

TYPED_TEST(TriangularTypes, KeepTriangle) {
  using T = TypeParam;
  std::mt19937 engine(15);
  Rows inside = grid(9);
  for (int64_t i = 0; i < 81; ++i)
    inside[i].erase(inside[i].upper_bound(i), inside[i].end());
  for (const Rows &rows : {grid(9), inside, Rows(81)}) {
    const Batch<int64_t> batch({rows, inside}, true);
    std::vector<T> values(batch.stored());
    for (T &value : values)
      value = random<T>(engine);
    for (Triangle triangle : triangles) {
      std::vector<T> expected = values, kept(values.size()), same = values;
      for (size_t k = 0; k < values.size(); ++k) {
        const int64_t i = batch.rowOf[k], c = batch.coordinateOf[k];
        if (i == c ? triangle.unit : triangle.upper ? c < i : c > i)
          expected[k] = T(0);
      }
      keepTriangle(*batch.pattern, triangle, elementTypeOf<T>(), values.data(),
                   kept.data(), runtime::executorOr(nullptr));
      EXPECT_EQ(kept, expected);
      keepTriangle(*batch.pattern, triangle, elementTypeOf<T>(), same.data(),
                   same.data(), serial);
      EXPECT_EQ(same, expected);
    }
  }
}

} // namespace
