//===- PackingTest.cpp - Values that stay are packed ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ErrorTesting.h"
#include "TriangularTesting.h"

using namespace tsgu;
using namespace tsgu::test;
using runtime::KnownValues;
using runtime::PreparedCache;
using runtime::PreparedCounters;
using runtime::solveTriangle;

namespace {

/// More solves than any wait for.
constexpr int many = 120;

/// A triangle, and solves with it that say what is known of its values.
template <typename T> struct Solves {
  explicit Solves(const Rows &rows, Triangle triangle = {})
      : triangle(triangle), engine(3), batch({rows}, false),
        values(valuesFor<T>(engine, batch, triangle)), b(batch.rows) {
    for (T &value : b)
      value = random<T>(engine);
  }
  ~Solves() { KnownValues::set({}); }

  std::vector<T> solve(Mode mode, tsgu_executor executor = serial) {
    std::vector<T> x(b.size());
    solveTriangle<T>(matrix(), triangle, mode, {b.data(), batch.rows, 1, 1},
                     {x.data(), batch.rows, 1, 1}, executor);
    return x;
  }
  std::vector<T> expected(Mode mode) {
    return oracle(batch, 0, values, triangle, mode, b, 1);
  }
  void know(uint64_t number, bool sure = true) {
    KnownValues::set({values.data(), number, sure});
  }
  runtime::Matrix<T> matrix() const {
    return {batch.pattern, 0, values.data()};
  }

  Triangle triangle;
  std::mt19937 engine;
  Batch<int32_t> batch;
  std::vector<T> values, b;
};

/// How many were prepared meanwhile.
struct Made {
  uint64_t before = PreparedCache::get().counters().made;
  uint64_t since() const {
    return PreparedCache::get().counters().made - before;
  }
};

template <typename T> class PackingTypes : public ::testing::Test {};
TYPED_TEST_SUITE(PackingTypes, ValueTypes);

TYPED_TEST(PackingTypes, SameBitsBeforeAndAfter) {
  using T = TypeParam;
  for (const Triangle triangle : triangles)
    for (Mode mode : modes)
      for (bool sure : {true, false}) {
        Solves<T> solves(grid(40), triangle);
        solves.know(1, sure);
        const Made made;
        const std::vector<T> first = solves.solve(mode);
        expectNear(first, solves.expected(mode), "first");
        for (int k = 1; k < many; ++k)
          expectSame(
              solves.solve(mode, k % 2 ? serial : tsgu_executor{3, oneByOne}),
              first, std::to_string(k));
        EXPECT_EQ(made.since(), 1u);
      }
}

TEST(Packing, WaitsAndIsFound) {
  Solves<double> solves(grid(40));
  const Made made;
  for (int k = 0; k < many; ++k)
    solves.solve(Mode::N);
  EXPECT_EQ(made.since(), 0u); // Nothing is known.
  solves.know(5);
  for (int k = 0; k < 40; ++k)
    solves.solve(Mode::N);
  EXPECT_EQ(made.since(), 0u);
  for (int k = 40; k < 49; ++k)
    solves.solve(Mode::N);
  EXPECT_EQ(made.since(), 1u);
  const PreparedCounters before = PreparedCache::get().counters();
  for (int k = 0; k < 50; ++k)
    solves.solve(Mode::T); // By the same one.
  EXPECT_EQ(made.since(), 1u);
  EXPECT_GT(PreparedCache::get().counters().bytes, before.bytes);
}

TEST(Packing, ANewNumberIsOtherValues) {
  Solves<double> solves(grid(40));
  uint64_t number = 0;
  for (int phase = 0; phase < 6; ++phase) {
    solves.know(++number, phase % 2 == 0);
    for (int k = 0; k < many; ++k)
      for (Mode mode : modes) {
        const auto x = solves.solve(mode);
        if (k % 40 == 0)
          expectNear(x, solves.expected(mode), std::to_string(phase));
      }
    solves.values = valuesFor<double>(solves.engine, solves.batch, {});
  }
}

TEST(Packing, ValuesThatAreNotSurelyTheSameAreLookedAt) {
  for (const size_t changed : {size_t{0}, size_t{17}, size_t{3000}}) {
    Solves<double> solves(grid(40));
    solves.know(1, false);
    for (int k = 0; k < many; ++k)
      solves.solve(Mode::N);
    solves.values[changed] *= 1.5; // Under the same number.
    for (int k = 0; k < many; ++k)
      for (Mode mode : modes)
        expectNear(solves.solve(mode), solves.expected(mode), "changed");
  }
}

/// Where a number is wrong, a look at a few values at each call finds out.
TYPED_TEST(PackingTypes, AWrongNumberIsDistrusted) {
  using T = TypeParam;
  for (Mode mode : {Mode::N, Mode::C}) {
    Solves<T> solves(grid(40));
    solves.know(1);
    for (int k = 0; k < many; ++k)
      solves.solve(mode);
    for (T &value : solves.values)
      value *= T(1.5);
    const auto expected = solves.expected(mode);
    for (int k = 0; k < many; ++k)
      expectNear(solves.solve(mode), expected, "rewritten");
  }
  // Of the diagonal alone.
  Solves<T> solves(grid(40));
  solves.know(1);
  for (int k = 0; k < many; ++k)
    solves.solve(Mode::N);
  for (size_t k = 0; k < solves.values.size(); ++k)
    if (solves.batch.rowOf[k] == solves.batch.coordinateOf[k])
      solves.values[k] *= T(2);
  expectNear(solves.solve(Mode::N), solves.expected(Mode::N), "diagonal");
}

TEST(Packing, NarrowLevelsAndManyColumnsAreNot) {
  const Made made;
  Solves<double> solves(chain(3000));
  solves.know(1);
  for (int k = 0; k < many; ++k)
    solves.solve(Mode::N), solves.solve(Mode::T);
  Solves<double> wide(grid(20));
  wide.know(2);
  std::vector<double> b(400 * 8, 1.0), x(b.size());
  for (int k = 0; k < many; ++k)
    solveTriangle<double>(wide.matrix(), {}, Mode::N, {b.data(), 400, 8, 8},
                          {x.data(), 400, 8, 8}, serial);
  EXPECT_EQ(made.since(), 0u);
}

/// What has to go at once is not made again and again.
TEST(Packing, NoRoomForTwo) {
  const int64_t limit = PreparedCache::get().setLimit(0);
  Solves<double> first(grid(40)), second(grid(41));
  const Made made;
  for (int k = 0; k < 6 * many; ++k) {
    for (Solves<double> *solves : {&first, &second}) {
      solves->know(1);
      const auto x = solves->solve(Mode::N);
      if (k % 50 == 0)
        expectNear(x, solves->expected(Mode::N), "no room");
    }
  }
  EXPECT_LE(made.since(), 20u);
  PreparedCache::get().setLimit(limit);
}

TEST(Packing, ZerosAreFoundWhenItPacks) {
  Solves<double> solves(grid(40));
  const size_t diagonal = solves.values.size() - 1; // Of the last row.
  for (bool sure : {true, false})
    for (int before : {0, 47, 48, 100}) {
      const double good = solves.values[diagonal];
      static uint64_t number = 0;
      solves.know(++number, sure);
      for (int k = 0; k < before; ++k)
        solves.solve(Mode::N);
      solves.values[diagonal] = 0;
      solves.know(++number, sure);
      for (int k = 0; k < many; ++k)
        errorOf(Status::Singular, [&] { solves.solve(Mode::N); });
      solves.values[diagonal] = good;
    }
}

TEST(Packing, ManyThreads) {
  Solves<double> solves(grid(60));
  std::vector<std::vector<double>> expected;
  for (Mode mode : modes)
    expected.push_back(solves.solve(mode));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      solves.know(4, t % 2);
      for (int k = 0; k < 2 * many; ++k) {
        const Mode mode = modes[(k + t) % 3];
        wrong += solves.solve(mode, runtime::executorOr(nullptr)) !=
                 expected[static_cast<size_t>(mode)];
      }
      solves.know(0);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

} // namespace
