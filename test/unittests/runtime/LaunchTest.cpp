//===- LaunchTest.cpp - Programs over ranges, batches and scratch ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Results are compared with loops in long double, and bit by bit between
// numbers of threads; outputs are poisoned before.
//
//===----------------------------------------------------------------------===//

#include "FakePrograms.h"
#include "Matrices.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

using namespace tsgu;
using namespace tsgu::test;

namespace {

/// A buffer of its own behind every executor: threads that come and go.
void runOnFreshThreads(int64_t count, tsgu_task task, void *context) {
  std::vector<std::thread> workers;
  for (int64_t i = 0; i < count; ++i)
    workers.emplace_back([=] { task(context, i, i + 1); });
  for (std::thread &worker : workers)
    worker.join();
}

template <typename T> struct Dense {
  Dense(std::vector<int64_t> extents, int64_t padding, std::vector<T> from)
      : shape(std::move(extents)), strides(shape.size(), 1),
        data(std::move(from)) {
    for (size_t d = shape.size(); d-- > 1;)
      strides[d - 1] =
          strides[d] * shape[d] + (d + 1 == shape.size() ? padding : 0);
  }
  tsgu_tensor tensor() {
    return {data.data(), typeOf<T>(), static_cast<int32_t>(shape.size()),
            shape.data(), strides.data()};
  }
  int64_t length() const { return shape[0] * strides[0]; }
  std::vector<int64_t> shape, strides;
  std::vector<T> data;
};

template <typename T>
Dense<T> poisoned(std::vector<int64_t> shape, int64_t padding) {
  Dense<T> dense(std::move(shape), padding, {});
  int64_t length = dense.shape.empty() ? 1 : dense.length();
  dense.data.assign(length + 1, std::numeric_limits<T>::quiet_NaN());
  return dense;
}

tsgu_program *programOf(const FakeObject &object) {
  tsgu_program *program = nullptr;
  check(tsgu_program_from_object(&object.object(), &program));
  return program;
}

/// Runs with 1, 2 and 4 threads of the pool and on a foreign executor; gives
/// the result after checking that all of its bits agree.
template <typename T>
Dense<T> runEverywhere(tsgu_program *program, const Pattern &pattern,
                       std::vector<tsgu_tensor> operands,
                       std::vector<int64_t> shape, int64_t padding) {
  std::vector<Dense<T>> results;
  for (int threads : {1, 2, 4, 0}) {
    results.push_back(poisoned<T>(shape, padding));
    const tsgu_executor foreign{3, runOnFreshThreads};
    const tsgu_tensor result = results.back().tensor();
    tsgu_pattern *patterns[] = {pattern.get()};
    tsgu_set_threads(threads);
    check(tsgu_program_run(program, patterns, 1, operands.data(),
                           static_cast<int32_t>(operands.size()), &result,
                           threads ? nullptr : &foreign));
  }
  tsgu_set_threads(0);
  for (const Dense<T> &other : results)
    EXPECT_EQ(0, std::memcmp(other.data.data(), results[0].data.data(),
                             sizeof(T) * other.data.size()));
  return results[0];
}

template <typename T> double tolerance(int64_t terms) {
  return static_cast<double>(2 * (terms + 1)) *
         std::numeric_limits<T>::epsilon();
}

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

template <typename TypePair> class Launch : public testing::Test {
protected:
  using T = typename TypePair::first_type;
  using I = typename TypePair::second_type;
  Types types{sizeof(T) == 4 ? ElementType::F32 : ElementType::F64,
              sizeof(I) == 4 ? ElementType::I32 : ElementType::I64,
              ElementType::I32};
  FakeObject object(const char *name) {
    return FakeObject(fakeManifest(name, types), types);
  }

  /// C must be A B for each item, and untouched where it is padding.
  void checkProduct(const Matrix<I> &A, const std::vector<T> &values,
                    Dense<T> B, Dense<T> C, int64_t itemsOfB) {
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

  std::mt19937 random{7};
};

using TypePairs =
    testing::Types<std::pair<float, int32_t>, std::pair<float, int64_t>,
                   std::pair<double, int32_t>, std::pair<double, int64_t>>;
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
        this->checkProduct(A, values, B, C, 1);
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
        this->checkProduct(A, values, B, C, items);
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

//===----------------------------------------------------------------------===//
// Solves as stages
//===----------------------------------------------------------------------===//

/// Lower triangles with a heavy diagonal, and entries above it.
template <typename I>
Matrix<I> squareMatrix(std::mt19937 &random, int64_t items, int64_t rows) {
  Matrix<I> matrix{items, rows, rows, {0}, {}};
  for (int64_t row = 0; row < items * rows; ++row) {
    std::set<I> chosen{static_cast<I>(row % rows)};
    for (int k = 0; k < 3; ++k)
      chosen.insert(static_cast<I>(random() % rows));
    matrix.coordinates.insert(matrix.coordinates.end(), chosen.begin(),
                              chosen.end());
    matrix.positions.push_back(static_cast<I>(matrix.stored()));
  }
  return matrix;
}

/// Values for it: those above the diagonal must not matter.
template <typename T, typename I>
std::vector<T> triangularValues(std::mt19937 &random, const Matrix<I> &A) {
  std::vector<T> values = randomValues<T>(random, A.stored());
  auto rowOf = A.rowOfEntry();
  for (int64_t k = 0; k < A.stored(); ++k) {
    const int64_t row = rowOf[k] % A.rows;
    if (A.coordinates[k] == row)
      values[k] += T(4);
    else if (A.coordinates[k] > row)
      values[k] = std::numeric_limits<T>::quiet_NaN();
  }
  return values;
}

tsgu_tensor solverTensor(tsgu_solver &solver) {
  static const int64_t words[] = {16}, unit[] = {1};
  return {&solver, TSGU_I64, 1, words, unit};
}

TYPED_TEST(Launch, Solve) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  for (int64_t items : {1, 3})
    for (int64_t rows : {1, 7, 2000})
      for (int64_t p : {0, 1, 5}) {
        FakeObject program =
            this->object(items == 1 ? "solve" : "batched-solve");
        auto A = squareMatrix<I>(this->random, items, rows);
        auto values = triangularValues<T>(this->random, A);
        const int64_t padding = 2, ld = p + padding;
        std::vector<int64_t> shape{rows, p};
        if (items > 1)
          shape.insert(shape.begin(), items);
        Dense<T> B(shape, padding,
                   randomValues<T>(this->random, items * rows * ld));
        tsgu_solver solver{};
        const int64_t stored[] = {A.stored()}, unit[] = {1};
        auto X =
            runEverywhere<T>(programOf(program), A.pattern(items == 1 ? 2 : 3),
                             {solverTensor(solver),
                              {values.data(), typeOf<T>(), 1, stored, unit},
                              B.tensor()},
                             shape, padding);
        // The residual of every row, entry by entry.
        for (int64_t row = 0; row < items * rows; ++row)
          for (int64_t j = 0; j < p; ++j) {
            const int64_t first = row / rows * rows;
            long double sum = 0, scale = 0;
            for (int64_t k = A.positions[row]; k < A.positions[row + 1]; ++k) {
              if (A.coordinates[k] > row - first)
                continue;
              long double term = static_cast<long double>(values[k]) *
                                 X.data[(first + A.coordinates[k]) * ld + j];
              sum += term;
              scale += std::fabs(term);
            }
            ASSERT_LE(std::fabs(sum - B.data[row * ld + j]),
                      tolerance<T>(8) * scale);
          }
      }
}

TYPED_TEST(Launch, BatchOfRightHandSidesOnOneMatrix) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject program = this->object("solve");
  const int64_t rows = 50, p = 3, batch = 4;
  auto A = squareMatrix<I>(this->random, 1, rows);
  auto values = triangularValues<T>(this->random, A);
  Dense<T> B({batch, rows, p}, 0,
             randomValues<T>(this->random, batch * rows * p));
  tsgu_solver solver{};
  const int64_t stored[] = {A.stored()}, unit[] = {1};
  const tsgu_tensor a{values.data(), typeOf<T>(), 1, stored, unit};
  auto all = runEverywhere<T>(programOf(program), A.pattern(),
                              {solverTensor(solver), a, B.tensor()},
                              {batch, rows, p}, 0);
  for (int64_t item = 0; item < batch; ++item) {
    Dense<T> one({rows, p}, 0,
                 {B.data.begin() + item * rows * p,
                  B.data.begin() + (item + 1) * rows * p});
    auto X =
        runEverywhere<T>(programOf(program), A.pattern(),
                         {solverTensor(solver), a, one.tensor()}, {rows, p}, 0);
    EXPECT_EQ(0, std::memcmp(X.data.data(), all.data.data() + item * rows * p,
                             sizeof(T) * rows * p));
  }
}

TYPED_TEST(Launch, KeepTriangle) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject program = this->object("keep-triangle");
  for (int64_t upper : {0, 1})
    for (int64_t unitDiagonal : {0, 1}) {
      auto A = squareMatrix<I>(this->random, 1, 300);
      auto values = randomValues<T>(this->random, A.stored());
      tsgu_solver solver{};
      solver.upper = upper, solver.unit_diagonal = unitDiagonal;
      const int64_t stored[] = {A.stored()}, unit[] = {1};
      auto kept = runEverywhere<T>(
          programOf(program), A.pattern(),
          {solverTensor(solver), {values.data(), typeOf<T>(), 1, stored, unit}},
          {A.stored()}, 0);
      auto rowOf = A.rowOfEntry();
      for (int64_t k = 0; k < A.stored(); ++k) {
        const int64_t row = rowOf[k], column = A.coordinates[k];
        const bool inside = row == column
                                ? !unitDiagonal
                                : (upper ? column > row : column < row);
        ASSERT_EQ(kept.data[k], inside ? values[k] : T(0));
      }
    }
}

TEST(LaunchSolve, Refused) {
  std::mt19937 random(3);
  const Types types{};
  FakeObject object(fakeManifest("solve", types), types);
  auto A = squareMatrix<int32_t>(random, 1, 6);
  auto values = triangularValues<double>(random, A);
  Dense<double> B({6, 2}, 0, randomValues<double>(random, 12));
  Dense<double> X = poisoned<double>({6, 2}, 0);
  const int64_t stored[] = {A.stored()}, unit[] = {1};
  const tsgu_tensor a{values.data(), TSGU_F64, 1, stored, unit};
  const Pattern pattern = A.pattern();
  auto run = [&](const tsgu_tensor &solver) {
    const tsgu_tensor operands[] = {solver, a, B.tensor()};
    const tsgu_tensor result = X.tensor();
    tsgu_pattern *patterns[] = {pattern.get()};
    const tsgu_status status = tsgu_program_run(programOf(object), patterns, 1,
                                                operands, 3, &result, nullptr);
    EXPECT_NE(status, TSGU_OK);
    return std::string(tsgu_last_error());
  };
  tsgu_solver solver{};
  tsgu_tensor tensor = solverTensor(solver);
  const int64_t fifteen[] = {15};
  tensor.shape = fifteen;
  EXPECT_NE(run(tensor).find("operand solver of solve"), std::string::npos);
  tensor = solverTensor(solver);
  tensor.type = TSGU_F64;
  EXPECT_NE(run(tensor).find("16 words"), std::string::npos);
  tensor = solverTensor(solver);
  tensor.data = nullptr;
  EXPECT_NE(run(tensor).find("no data"), std::string::npos);
  solver.method = 99;
  EXPECT_NE(run(solverTensor(solver)).find("method is 99"), std::string::npos);
  solver.method = TSGU_CG;
  EXPECT_NE(run(solverTensor(solver)).find("does not do a triangular solve"),
            std::string::npos);
  solver = {};
  solver.reserved = 1;
  EXPECT_NE(run(solverTensor(solver)).find("reserved"), std::string::npos);
}

} // namespace
