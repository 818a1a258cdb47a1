//===- TriangularTest.cpp - Triangular solves -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TriangularTesting.h"
#include "triangular/Analysis.h"

using namespace tsgu;
using namespace tsgu::test;

namespace {

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
        {"long rows", longRows},
        {"bordered", bordered(engine, 1200, 100)}}) {
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

TEST(Triangular, LongRowsOfNarrowLevelsAreSharedOut) {
  std::mt19937 engine(22);
  const Batch<int32_t> batch({bordered(engine, 1200, 100)}, false);
  for (bool upper : {false, true})
    for (bool transposed : {false, true}) {
      const auto analysis = runtime::analysisOf(*batch.pattern, 0, upper);
      ASSERT_FALSE(analysis->narrow());
      const runtime::Sweep &sweep = analysis->sweep(transposed, serial);
      int64_t heads = 0, rests = 0;
      for (const runtime::Slice &slice : sweep.slices) {
        heads += slice.kind == runtime::Slice::Head;
        rests += slice.kind == runtime::Slice::Rest;
      }
      EXPECT_EQ(heads, rests);
      EXPECT_GE(heads, 90);
    }
}

TEST(Triangular, PreparedHasItsOwnValues) {
  std::mt19937 engine(12);
  for (const Rows &rows : {grid(30), chain(100)}) {
    const Batch<int32_t> batch({rows}, false);
    const int64_t n = batch.rows;
    auto values = valuesFor<double>(engine, batch, {});
    const runtime::Matrix<double> A{batch.pattern, 0, values.data()};
    const PreparedTriangle<double> prepared(A, {}, {A, serial}, serial);
    const auto before = values;
    std::fill(values.begin(), values.end(), 3.0);
    std::vector<double> b(n), x(n);
    for (double &value : b)
      value = random<double>(engine);
    for (Mode mode : modes) {
      prepared.apply(mode, {b.data(), n, 1, 1}, {x.data(), n, 1, 1}, serial);
      expectNear(x, oracle(batch, 0, before, {}, mode, b, 1), "own values");
    }
    EXPECT_GT(prepared.bytes(), 0);
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
