//===- LaunchTest.cpp - Programs over ranges, batches and scratch ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Results are compared with loops in long double.
//
//===----------------------------------------------------------------------===//

#include "LaunchTesting.h"

#include <atomic>
#include <cmath>

using namespace tsgu;
using namespace tsgu::test;

namespace {

/// Row `row` of A times B, entry by entry, in long double; `scale` gets the sum
/// of the magnitudes.
template <typename T, typename I>
long double entryOf(const Matrix<I> &A, const T *values, const T *B,
                    int64_t ldb, int64_t row, int64_t j, long double &scale) {
  long double sum = scale = 0;
  for (int64_t k = A.positions[row]; k < A.positions[row + 1]; ++k) {
    long double term =
        static_cast<long double>(values[k]) * B[A.coordinates[k] * ldb + j];
    sum += term;
    scale += std::fabs(term);
  }
  return sum;
}

/// C must be A B for each item, and untouched where it is padding.
template <typename T, typename I>
void checkProduct(const Matrix<I> &A, const std::vector<T> &values, Dense<T> B,
                  Dense<T> C, int64_t itemsOfB) {
  const int64_t p = C.shape.back(), ldc = C.strides[C.strides.size() - 2];
  const int64_t ldb = B.strides[B.strides.size() - 2];
  std::vector<bool> covered(C.data.size());
  for (int64_t item = 0; item < itemsOfB; ++item)
    for (int64_t r = 0; r < A.rows; ++r)
      for (int64_t j = 0; j < p; ++j) {
        int64_t row = A.items == 1 ? r : item * A.rows + r;
        long double scale;
        long double expected =
            entryOf(A, values.data(), B.data.data() + item * A.columns * ldb,
                    ldb, row, j, scale);
        int64_t at = (item * A.rows + r) * ldc + j;
        covered[at] = true;
        ASSERT_LE(std::fabs(C.data[at] - expected),
                  tolerance<T>(A.columns) * scale)
            << "item " << item << ", row " << r << ", column " << j;
      }
  for (size_t at = 0; at < covered.size(); ++at)
    if (!covered[at]) {
      ASSERT_TRUE(std::isnan(C.data[at])) << "written beside the result";
    }
}

TYPED_TEST_SUITE(Launch, TypePairs);

TYPED_TEST(Launch, Product) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject spmm = this->object("spmm");
  tsgu_program *program = programOf(spmm);
  for (auto [rows, columns, most] :
       {std::tuple<int64_t, int64_t, int64_t>{0, 0, 0},
        {0, 4, 0},
        {4, 0, 0},
        {1, 1, 1},
        {5, 7, 0},
        {300, 200, 8},
        {3000, 500, 12},
        {20, 3000, 700}})
    for (int64_t p : {0, 1, 3, 17, 32})
      for (int64_t padding : {0, 5}) {
        auto A = randomMatrix<I>(this->random, 1, rows, columns, most);
        auto values = randomValues<T>(this->random, A.stored());
        Dense<T> B({columns, p}, padding,
                   randomValues<T>(this->random, columns * (p + padding)));
        const int64_t stored[] = {A.stored()}, unit[] = {1};
        auto C = runEverywhere<T>(
            program, A.pattern(),
            {{values.data(), typeOf<T>(), 1, stored, unit}, B.tensor()},
            {rows, p}, padding);
        checkProduct(A, values, B, C, 1);
      }
}

TYPED_TEST(Launch, TransposedProductPermutesValues) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject program = this->object("spmm-transposed");
  for (auto [rows, columns, most] :
       {std::tuple<int64_t, int64_t, int64_t>{0, 3, 0},
        {3, 0, 0},
        {40, 30, 5},
        {2500, 900, 60},
        {1, 5000, 3000}})
    for (int64_t p : {0, 1, 9}) {
      auto A = randomMatrix<I>(this->random, 1, rows, columns, most);
      auto values = randomValues<T>(this->random, A.stored());
      Dense<T> B({rows, p}, 0, randomValues<T>(this->random, rows * p));
      const int64_t stored[] = {A.stored()}, unit[] = {1};
      auto C = runEverywhere<T>(
          programOf(program), A.pattern(),
          {{values.data(), typeOf<T>(), 1, stored, unit}, B.tensor()},
          {columns, p}, 0);
      // The oracle scatters instead of transposing.
      std::vector<long double> expected(columns * p, 0), scale = expected;
      auto rowOf = A.rowOfEntry();
      for (int64_t k = 0; k < A.stored(); ++k)
        for (int64_t j = 0; j < p; ++j) {
          long double term =
              static_cast<long double>(values[k]) * B.data[rowOf[k] * p + j];
          expected[A.coordinates[k] * p + j] += term;
          scale[A.coordinates[k] * p + j] += std::fabs(term);
        }
      for (int64_t at = 0; at < columns * p; ++at)
        ASSERT_LE(std::fabs(C.data[at] - expected[at]),
                  tolerance<T>(rows) * scale[at]);
    }
}

TYPED_TEST(Launch, BatchedProduct) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  for (const char *name : {"batched-spmm", "shared-spmm"}) {
    FakeObject program = this->object(name);
    const bool shared = program.manifest.patterns[0].shape.size() == 2;
    for (auto [items, rows, columns, most] :
         {std::tuple<int64_t, int64_t, int64_t, int64_t>{0, 3, 4, 2},
          {2, 0, 4, 0},
          {3, 4, 0, 0},
          {1, 5, 6, 3},
          {3, 700, 300, 9},
          {40, 60, 50, 8},
          {2000, 3, 9, 4}})
      for (int64_t p : {1, 8}) {
        auto A = randomMatrix<I>(this->random, shared ? 1 : items, rows,
                                 columns, most);
        auto values = randomValues<T>(this->random, A.stored());
        Dense<T> B({items, columns, p}, 0,
                   randomValues<T>(this->random, items * columns * p));
        const int64_t stored[] = {A.stored()}, unit[] = {1};
        auto C = runEverywhere<T>(
            programOf(program), A.pattern(shared ? 2 : 3),
            {{values.data(), typeOf<T>(), 1, stored, unit}, B.tensor()},
            {items, rows, p}, 0);
        checkProduct(A, values, B, C, items);
      }
  }
}

TYPED_TEST(Launch, TwoStagesWithScratch) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject program = this->object("row-normalize");
  for (int64_t rows : {0, 1, 50, 20000}) {
    auto A = randomMatrix<I>(this->random, 1, rows, 100, 20);
    auto values = randomValues<T>(this->random, A.stored());
    for (T &value : values)
      value = std::fabs(value) + 1;
    const int64_t stored[] = {A.stored()}, unit[] = {1};
    auto result = runEverywhere<T>(
        programOf(program), A.pattern(),
        {{values.data(), typeOf<T>(), 1, stored, unit}}, {A.stored()}, 0);
    for (int64_t r = 0; r < rows; ++r) {
      long double sum = 0;
      for (int64_t k = A.positions[r]; k < A.positions[r + 1]; ++k)
        sum += values[k];
      for (int64_t k = A.positions[r]; k < A.positions[r + 1]; ++k)
        ASSERT_NEAR(result.data[k], values[k] / sum, tolerance<T>(100));
    }
  }
}

TYPED_TEST(Launch, ScalarResult) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject program = this->object("total");
  for (int64_t rows : {0, 1, 9000}) {
    auto A = randomMatrix<I>(this->random, 1, rows, 100, 20);
    auto values = randomValues<T>(this->random, A.stored());
    const int64_t stored[] = {A.stored()}, unit[] = {1};
    auto result = runEverywhere<T>(
        programOf(program), A.pattern(),
        {{values.data(), typeOf<T>(), 1, stored, unit}}, {}, 0);
    long double sum = 0;
    for (T value : values)
      sum += value;
    EXPECT_NEAR(result.data[0], sum, tolerance<T>(A.stored()) * A.stored());
  }
}

TYPED_TEST(Launch, WholeItems) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject program = this->object("item-length");
  for (auto [items, rows] :
       {std::pair<int64_t, int64_t>{0, 3}, {7, 0}, {1, 9}, {5000, 6}}) {
    auto A = randomMatrix<I>(this->random, items, rows, 90, 30);
    // Not read: its shape is enough.
    const int64_t stored[] = {A.stored()};
    auto result = runEverywhere<T>(programOf(program), A.pattern(3),
                                   {{nullptr, typeOf<T>(), 1, stored, nullptr}},
                                   {items}, 0);
    for (int64_t i = 0; i < items; ++i)
      ASSERT_EQ(result.data[i],
                A.positions[(i + 1) * rows] - A.positions[i * rows]);
  }
}

/// A leading dimension on values, dense operands or both.
TYPED_TEST(Launch, BatchOfValues) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  for (const char *name : {"spmm", "spmm-transposed"}) {
    const bool transposed = std::string(name) == "spmm-transposed";
    FakeObject program = this->object(name);
    for (auto [batch, rows, most] :
         {std::tuple<int64_t, int64_t, int64_t>{0, 5, 3},
          {1, 5, 3},
          {3, 4000, 9},
          {500, 12, 4}})
      for (int which = 1; which < 4; ++which) {
        const int64_t columns = 30, p = 6;
        auto A = randomMatrix<I>(this->random, 1, rows, columns, most);
        const int64_t lines = transposed ? rows : columns;
        const int64_t z = A.stored(), outer = transposed ? columns : rows;
        const bool batchedA = which & 1, batchedB = which & 2;
        auto values = randomValues<T>(this->random, batchedA ? batch * z : z);
        auto B =
            randomValues<T>(this->random, (batchedB ? batch : 1) * lines * p);
        const int64_t shapeA[] = {batch, z}, strideA[] = {z, 1};
        const int64_t shapeB[] = {batch, lines, p};
        const int64_t strideB[] = {lines * p, p, 1};
        auto C = runEverywhere<T>(programOf(program), A.pattern(),
                                  {{values.data(), typeOf<T>(), 1 + batchedA,
                                    shapeA + !batchedA, strideA + !batchedA},
                                   {B.data(), typeOf<T>(), 2 + batchedB,
                                    shapeB + !batchedB, strideB + !batchedB}},
                                  {batch, outer, p}, 0);
        auto rowOf = A.rowOfEntry();
        for (int64_t item = 0; item < batch; ++item) {
          std::vector<long double> expected(outer * p, 0), scale = expected;
          for (int64_t k = 0; k < z; ++k)
            for (int64_t j = 0; j < p; ++j) {
              int64_t from = transposed ? rowOf[k] : A.coordinates[k];
              int64_t to = transposed ? A.coordinates[k] : rowOf[k];
              long double term =
                  static_cast<long double>(
                      values[(batchedA ? item * z : 0) + k]) *
                  B[((batchedB ? item : 0) * lines + from) * p + j];
              expected[to * p + j] += term;
              scale[to * p + j] += std::fabs(term);
            }
          for (int64_t at = 0; at < outer * p; ++at)
            ASSERT_LE(std::fabs(C.data[item * outer * p + at] - expected[at]),
                      tolerance<T>(lines) * scale[at]);
        }
      }
  }
}

TEST(Launch, IdentityPermutationsCopyNothing) {
  // A diagonal: the transposed layout has the entries in the same order.
  const int64_t n = 70;
  std::vector<int32_t> positions(n + 1), columns(n);
  for (int32_t i = 0; i <= n; ++i)
    positions[i] = i;
  for (int32_t i = 0; i < n; ++i)
    columns[i] = i;
  Matrix<int32_t> A{1, n, n, positions, columns};
  FakeObject program(fakeManifest("spmm-transposed", {}), {});
  std::mt19937 random(3);
  auto values = randomValues<double>(random, n);
  Dense<double> B({n, 2}, 0, randomValues<double>(random, 2 * n));
  const int64_t stored[] = {n}, unit[] = {1};
  auto C = runEverywhere<double>(
      programOf(program), A.pattern(),
      {{values.data(), TSGU_F64, 1, stored, unit}, B.tensor()}, {n, 2}, 0);
  for (int64_t at = 0; at < 2 * n; ++at)
    EXPECT_EQ(C.data[at], values[at / 2] * B.data[at]);
}

TEST(Launch, SixteenThreadsThousandCalls) {
  FakeObject program(fakeManifest("spmm", {}), {});
  tsgu_program *spmm = programOf(program);
  std::mt19937 random(5);
  auto A = randomMatrix<int32_t>(random, 1, 400, 100, 10);
  Pattern pattern = A.pattern();
  auto values = randomValues<double>(random, A.stored());
  Dense<double> B({100, 16}, 0, randomValues<double>(random, 1600));
  const int64_t stored[] = {A.stored()}, unit[] = {1};
  const tsgu_tensor operands[] = {{values.data(), TSGU_F64, 1, stored, unit},
                                  B.tensor()};
  auto expected = runEverywhere<double>(
      spmm, pattern, {operands[0], operands[1]}, {400, 16}, 0);
  tsgu_set_threads(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 16; ++t)
    callers.emplace_back([&] {
      auto C = poisoned<double>({400, 16}, 0);
      tsgu_pattern *patterns[] = {pattern.get()};
      const tsgu_tensor result = C.tensor();
      for (int i = 0; i < 1000; ++i) {
        C.data[i % 400] = std::numeric_limits<double>::quiet_NaN();
        wrong += tsgu_program_run(spmm, patterns, 1, operands, 2, &result,
                                  nullptr) != TSGU_OK;
        wrong += std::memcmp(C.data.data(), expected.data.data(),
                             400 * 16 * sizeof(double)) != 0;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  tsgu_set_threads(0);
  EXPECT_EQ(wrong, 0);
}

} // namespace
