//===- DirectEdgesTest.cpp - What cannot be factorised --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"

#include <limits>
#include <numeric>

using namespace tsgu::test;

namespace {

using Rows = std::vector<std::vector<double>>;
constexpr double none = 12345; ///< Not stored.

template <typename T = double> Sparse<T> matrix(const Rows &rows) {
  Sparse<T> A;
  A.rows = A.columns = static_cast<int64_t>(rows.size());
  for (const auto &row : rows) {
    for (size_t j = 0; j < row.size(); ++j)
      if (row[j] != none)
        A.add(static_cast<int64_t>(j), T(RealOf<T>(row[j])));
    A.endRow();
  }
  A.close();
  return A;
}

template <typename T>
void expectRefused(tsgu_method method, const Sparse<T> &A, tsgu_status status,
                   const std::vector<std::string> &words) {
  const std::vector<T> b(A.rows, T(1));
  EXPECT_EQ(solve(solverOf(method, -1), TSGU_N, A, b, 1).status, status);
  const std::string message = tsgu_last_error();
  for (const std::string &word : words)
    EXPECT_NE(message.find(word), std::string::npos) << message;
}

//===----------------------------------------------------------------------===//
// Cholesky
//===----------------------------------------------------------------------===//

TEST(CholeskyRefuses, Indefinite) {
  auto expect = [](const Rows &rows, const std::string &row) {
    expectRefused(TSGU_CHOLESKY, matrix(rows), TSGU_SINGULAR,
                  {"not positive definite", row, "\"lu\""});
  };
  expect({{1, 2}, {2, 1}}, "row ");
  expect({{1, 0, 0}, {0, -2, 0}, {0, 0, 1}}, "row 1 is -2");
  expect({{1, 0, 0}, {0, 0, 0}, {0, 0, 1}}, "row 1 is 0");
  expect({{1, none, none}, {none, none, none}, {none, none, 1}},
         "row 1 is not stored");
  expect({{0, 1}, {1, 0}}, "row 0 is 0");
  // Well-conditioned, with a pivot that is not 0: no pivoting would help.
  expect({{1e-20, 1}, {1, 1}}, "row ");
  expect({{-1}}, "row 0 is -1");
}

TEST(CholeskyRefuses, SemidefiniteToWorkingPrecision) {
  expectRefused(TSGU_CHOLESKY, matrix({{1, 1}, {1, 1}}), TSGU_SINGULAR,
                {"not positive definite", "row "});
  // Rounding leaves pivots of either sign.
  for (int64_t m : {3, 7, 20, 31}) {
    Sparse<double> A = grid<double>(m);
    for (int64_t i = 0; i < A.rows; ++i) {
      double sum = 0;
      int32_t diagonal = 0;
      for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
        if (A.coordinates[e] == i)
          diagonal = e;
        else
          sum += A.values[e] *= 1 + 0.3 * double((i + A.coordinates[e]) % 7);
      A.values[diagonal] = -sum;
    }
    expectRefused(TSGU_CHOLESKY, A, TSGU_SINGULAR,
                  {"not positive definite", "row ", "sparse_generic_lstsq"});
    expectRefused(TSGU_LU, A, TSGU_SINGULAR,
                  {"singular", "row ", "sparse_generic_lstsq"});
  }
}

TEST(CholeskyRefuses, TrianglesThatDisagree) {
  auto expect = [](const Rows &rows, const std::vector<std::string> &words) {
    expectRefused(TSGU_CHOLESKY, matrix(rows), TSGU_INVALID_ARGUMENT, words);
  };
  expect({{4, 1, 0}, {1, 4, 2}, {0, 1, 4}},
         {"not Hermitian", "entry (1, 2) is 2, entry (2, 1) is 1", "\"lu\""});
  expect({{4, none}, {1, 4}},
         {"entry (1, 0) is 1, entry (0, 1) is not stored"});
  expect({{4, 1}, {none, 4}},
         {"entry (0, 1) is 1, entry (1, 0) is not stored"});
  using C = std::complex<double>;
  const Sparse<C> symmetric(
      2, 2, [](int64_t i, int64_t j) { return i == j ? C(4) : C(1, 1); });
  expectRefused(TSGU_CHOLESKY, symmetric, TSGU_INVALID_ARGUMENT,
                {"not Hermitian", "(0, 1)"});
  const Sparse<C> turned(2, 2, [](int64_t i, int64_t j) {
    return i == j ? C(4, double(i)) : C(0);
  });
  expectRefused(TSGU_CHOLESKY, turned, TSGU_INVALID_ARGUMENT,
                {"not Hermitian", "(1, 1)"});
}

TEST(Cholesky, TrianglesThatDifferByRoundingAreRefinedAway) {
  Sparse<double> A = grid<double>(15, 0.1);
  Random<double> random(3);
  for (double &value : A.values)
    value *= 1 + 1e-10 * random.real();
  const std::vector<double> b = random.block(225);
  for (tsgu_mode mode : {TSGU_N, TSGU_T}) {
    const auto solved = solve(solverOf(TSGU_CHOLESKY, -1), mode, A, b, 1);
    ASSERT_EQ(solved.status, TSGU_OK);
    const auto norms = residuals(A, mode, solved.x, b, 1);
    EXPECT_LE(norms[0].first, 1e-14 * norms[0].second);
    EXPECT_GE(told.iterations[0], 1);
  }
}

//===----------------------------------------------------------------------===//
// LU
//===----------------------------------------------------------------------===//

TEST(LURefuses, Singular) {
  auto expect = [](const Rows &rows, const std::vector<std::string> &words) {
    expectRefused(TSGU_LU, matrix(rows), TSGU_SINGULAR, words);
    expectRefused(TSGU_LU, matrix<float>(rows), TSGU_SINGULAR, words);
  };
  expect({{0}}, {"row 0", "no entry other than 0"});
  expect({{none}}, {"row 0", "no entry other than 0"});
  expect({{1, 2, 3}, {none, none, none}, {3, 1, 1}},
         {"row 1", "no entry other than 0", "sparse_generic_lstsq"});
  expect({{1, none, 3}, {4, none, 5}, {3, none, 1}},
         {"column 1", "no entry other than 0"});
  expect({{1, 0, 3}, {4, 0, 5}, {3, 0, 1}}, {"column 1"});
  // Structurally singular with an entry in every row and column.
  expect({{1, 1, 1}, {1, none, none}, {2, none, none}}, {"singular", "row "});
  expect({{1, 2}, {2, 4}}, {"singular", "row "});
  // Rounding hides it.
  expect({{1, 3, 7}, {1. / 3, 1, 7. / 3}, {2, 5, 1}}, {"singular", "row "});
}

/// A row that is a multiple of another, among many, wherever it is.
TEST(LURefuses, NamesARowOfTheDependence) {
  Random<double> random(5);
  const int64_t n = 40;
  for (int round = 0; round < 20; ++round) {
    std::vector<int64_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random.engine);
    Rows rows(n, std::vector<double>(n, none));
    for (int64_t i = 0; i < n; ++i) {
      rows[i][order[i]] = 3 + random.real();
      rows[i][random.engine() % n] = random.real();
    }
    const auto a = static_cast<int64_t>(random.engine() % n);
    const auto b =
        (a + 1 + static_cast<int64_t>(random.engine() % (n - 1))) % n;
    for (int64_t j = 0; j < n; ++j)
      rows[b][j] = rows[a][j] == none ? none : 2 * rows[a][j];
    // The column that b alone had is empty, or another row's.
    rows[a][order[b]] = 1, rows[b][order[b]] = 2;
    const Sparse<double> A = matrix(rows);
    const std::vector<double> right(n, 1);
    EXPECT_EQ(solve(solverOf(TSGU_LU, -1), TSGU_N, A, right, 1).status,
              TSGU_SINGULAR);
    const std::string message = tsgu_last_error();
    const auto names = [&](int64_t row) {
      return message.find("row " + std::to_string(row) + " ") !=
             std::string::npos;
    };
    EXPECT_TRUE(names(a) || names(b)) << a << ", " << b << ": " << message;
  }
}

TEST(LU, BadScalesAreNotSingular) {
  for (const Rows &rows :
       {Rows{{1, 0}, {0, 1e-300}}, Rows{{1, 1}, {1e-200, 2e-200}},
        Rows{{1, 1e200}, {2, 0}}, Rows{{1e-200, 1}, {1, 1}}, Rows{{1e-320}},
        Rows{{1e308}}}) {
    const Sparse<double> A = matrix(rows);
    std::vector<double> b(A.rows);
    for (int64_t i = 0; i < A.rows; ++i) // x = 1/2.
      for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
        b[i] += A.values[e] / 2;
    const auto solved = solve(solverOf(TSGU_LU, -1), TSGU_N, A, b, 1);
    ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
    EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
    for (const double x : solved.x)
      EXPECT_NEAR(x, 0.5, A.values[0] == 1e-320 ? 1e-3 : 1e-14);
  }
}

//===----------------------------------------------------------------------===//
// Both
//===----------------------------------------------------------------------===//

class Both : public ::testing::TestWithParam<tsgu_method> {};
INSTANTIATE_TEST_SUITE_P(All, Both, ::testing::Values(TSGU_LU, TSGU_CHOLESKY));

TEST_P(Both, NothingToSolve) {
  const Sparse<double> A = matrix({});
  EXPECT_EQ(solve(solverOf(GetParam()), TSGU_N, A, {}, 3).status, TSGU_OK);
  const Sparse<double> one = matrix({{2}});
  EXPECT_EQ(solve(solverOf(GetParam()), TSGU_N, one, {}, 0).status, TSGU_OK);
}

TEST_P(Both, NotFinite) {
  for (const double odd : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    expectRefused(GetParam(), matrix({{4, 1}, {1, odd}}), TSGU_INVALID_ARGUMENT,
                  {"row 1, column 1", "NaN or infinity"});
    const Sparse<double> A = matrix({{4, 1}, {1, 4}});
    // One column of two: the other is not spoilt.
    const std::vector<double> b{1, odd, 2, 3};
    const auto solved = solve(solverOf(GetParam(), -1), TSGU_N, A, b, 2);
    ASSERT_EQ(solved.status, TSGU_OK);
    EXPECT_EQ(told.reasons,
              (std::vector<int64_t>{TSGU_CONVERGED, TSGU_NOT_FINITE}));
    EXPECT_NEAR(solved.x[0], 2. / 15, 1e-15);
    EXPECT_NEAR(solved.x[2], 7. / 15, 1e-15);
  }
}

template <typename T>
std::vector<T> scaled(std::vector<T> values, int exponent) {
  for (T &value : values)
    value = std::ldexp(value, exponent);
  return values;
}

/// Matrices and right-hand sides of every size have the same relative accuracy.
TEST_P(Both, EveryScale) {
  const int64_t n = 100, p = 2;
  const Sparse<double> A = grid<double>(10, 0.1);
  const std::vector<double> b = Random<double>(4).block(n * p);
  const auto expected = solve(solverOf(GetParam(), -1), TSGU_N, A, b, p).x;
  for (const int matrixScale : {-1000, -660, -60, 0, 60, 660, 1000})
    for (const int scale : {-1000, -660, -60, 0, 60, 660, 1000}) {
      Sparse<double> scaledA = grid<double>(10, 0.1);
      scaledA.values = scaled(A.values, matrixScale);
      const auto solved =
          solve(solverOf(GetParam(), -1), TSGU_N, scaledA, scaled(b, scale), p);
      ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
      if (std::abs(scale - matrixScale) > 1010) {
        // What the type has no room for, said rather than returned as good.
        EXPECT_LT(told.worst, 0) << told.explanation;
        continue;
      }
      EXPECT_EQ(told.worst, TSGU_CONVERGED)
          << told.explanation << " " << matrixScale << " " << scale;
      for (int64_t k = 0; k < n * p; ++k)
        EXPECT_NEAR(std::ldexp(solved.x[k], matrixScale - scale), expected[k],
                    1e-13);
    }
}

/// In single precision too, where the range is small.
TEST_P(Both, EveryScaleOfSingles) {
  const Sparse<float> A = grid<float>(6, 0.1);
  const std::vector<float> b = Random<float>(4).block(36);
  const auto expected = solve(solverOf(GetParam(), -1), TSGU_N, A, b, 1).x;
  for (const int matrixScale : {-120, -60, 0, 60, 120})
    for (const int scale : {-120, -60, 0, 60, 120}) {
      if (std::abs(scale - matrixScale) > 120)
        continue;
      Sparse<float> scaledA = grid<float>(6, 0.1);
      scaledA.values = scaled(A.values, matrixScale);
      const auto solved =
          solve(solverOf(GetParam(), -1), TSGU_N, scaledA, scaled(b, scale), 1);
      ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
      EXPECT_EQ(told.worst, TSGU_CONVERGED)
          << told.explanation << " " << matrixScale << " " << scale;
      for (int64_t k = 0; k < 36; ++k)
        EXPECT_NEAR(std::ldexp(solved.x[k], matrixScale - scale), expected[k],
                    1e-5);
    }
}

/// The residual is that of a solution as good as rounding lets it be, although
/// it is large beside b.
TEST_P(Both, BadlyConditioned) {
  const int64_t n = 400;
  const Sparse<double> A =
      grid<double>(20, 1e-9 - 16 * std::pow(std::sin(std::acos(-1.0) / 84), 2));
  const std::vector<double> b = Random<double>(4).block(n);
  const auto solved = solve(solverOf(GetParam(), -1), TSGU_N, A, b, 1);
  ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  const auto norms = residuals(A, TSGU_N, solved.x, b, 1);
  double size = 0;
  for (const double x : solved.x)
    size += x * x;
  EXPECT_LE(norms[0].first, 8 * 3e-16 * std::sqrt(size));
}

TEST_P(Both, OfABatchTheItemIsNamed) {
  // Items [[4, 1], [1, 4]] and one that is bad.
  const int64_t shape[3] = {2, 2, 2};
  const int32_t items[] = {0, 0, 0, 0, 1, 1, 1, 1},
                rows[] = {0, 0, 1, 1, 0, 0, 1, 1},
                columns[] = {0, 1, 0, 1, 0, 1, 0, 1};
  const void *arrays[] = {items, rows, columns};
  tsgu_pattern *pattern = nullptr;
  ASSERT_EQ(tsgu_pattern_from_coo(3, shape, TSGU_I32, arrays, 8, &pattern),
            TSGU_OK);
  double values[8] = {4, 1, 1, 4, 1, 1, 1, 1}, b[4] = {5, 5, 2, 2}, x[4];
  const int64_t bShape[3] = {2, 2, 1}, strides[3] = {2, 1, 1}, eight = 8,
                one = 1;
  const tsgu_tensor v{values, TSGU_F64, 1, &eight, &one},
      right{b, TSGU_F64, 3, bShape, strides},
      left{x, TSGU_F64, 3, bShape, strides};
  const tsgu_solver solver = solverOf(GetParam(), -1);
  auto run = [&] {
    return tsgu_solve(&solver, TSGU_N, pattern, &v, &right, &left, 0, nullptr);
  };
  EXPECT_EQ(run(), TSGU_SINGULAR);
  EXPECT_NE(std::string(tsgu_last_error()).find("of item 1"), std::string::npos)
      << tsgu_last_error();
  values[7] = 4, b[3] = 5;
  EXPECT_EQ(run(), TSGU_OK) << tsgu_last_error();
  for (const double value : {x[0], x[1], x[2], x[3]})
    EXPECT_NEAR(value, 1, 1e-15);
  tsgu_pattern_release(pattern);
}

TEST(DirectSolver, DoesNoLeastSquares) {
  const Sparse<double> A(2, 3, [](int64_t, int64_t) { return 1.0; });
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT})
    EXPECT_EQ(solve(solverOf(method), TSGU_N, A, {1, 1}, 1).status,
              TSGU_INVALID_ARGUMENT);
}

} // namespace
