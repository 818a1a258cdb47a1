//===- LaunchSolveTest.cpp - Programs with solves as stages ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchTesting.h"

#include <cmath>
#include <set>

using namespace tsgu;
using namespace tsgu::test;

namespace {

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

TYPED_TEST_SUITE(Launch, TypePairs);

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
