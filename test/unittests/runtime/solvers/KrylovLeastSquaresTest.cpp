//===- KrylovLeastSquaresTest.cpp - LSMR against dense factorisations -----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"
#include "solvers/Solve.h"

#include <Eigen/QR>

#include <gtest/gtest.h>

using namespace tsgu::test;

namespace {

template <typename T> class LeastSquares : public testing::Test {};
using Types =
    testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(LeastSquares, Types);

template <typename T>
using Dense = Eigen::Matrix<
    std::conditional_t<isComplex<T>, std::complex<long double>, long double>,
    Eigen::Dynamic, Eigen::Dynamic>;

template <typename T> Dense<T> denseOf(const Sparse<T> &A, tsgu_mode mode) {
  Dense<T> M = Dense<T>::Zero(A.rows, A.columns);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      M(i, A.coordinates[e]) = LongOf<T>(A.values[e]);
  if (mode == TSGU_T)
    return M.transpose();
  if (mode == TSGU_C)
    return M.adjoint();
  return M;
}

template <typename T> Dense<T> denseOf(const std::vector<T> &block, int64_t p) {
  Dense<T> M(block.size() / p, p);
  for (size_t e = 0; e < block.size(); ++e)
    M(e / p, e % p) = LongOf<T>(block[e]);
  return M;
}

/// argmin norm(b - M x)^2 + damp^2 norm(x)^2 of least norm.
template <typename T>
Dense<T> oracle(const Dense<T> &M, const Dense<T> &b, double damp) {
  Dense<T> all = Dense<T>::Zero(M.rows() + M.cols(), M.cols());
  all.topRows(M.rows()) = M;
  all.bottomRows(M.cols()).diagonal().setConstant(damp);
  Dense<T> right = Dense<T>::Zero(all.rows(), b.cols());
  right.topRows(M.rows()) = b;
  return Eigen::CompleteOrthogonalDecomposition<Dense<T>>(all).solve(right);
}

template <typename T> tsgu_solver solverFor(double damp = 0) {
  tsgu_solver solver =
      solverOf(TSGU_LSMR, std::is_same_v<RealOf<T>, float> ? 1e-5 : 1e-12);
  solver.damp = damp;
  return solver;
}

template <typename T>
void expectSolution(const tsgu_solver &solver, tsgu_mode mode,
                    const Sparse<T> &A, int64_t p, const std::vector<T> &b,
                    const std::vector<T> &start = {}) {
  SCOPED_TRACE(testing::Message()
               << A.rows << " x " << A.columns << " mode " << mode << " damp "
               << solver.damp << " scaled " << solver.scale_columns);
  const Solved<T> solved = solve(solver, mode, A, b, p, start);
  ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  const Dense<T> wanted =
      oracle<T>(denseOf(A, mode), denseOf(b, p), solver.damp);
  const double error = static_cast<double>(
      (denseOf(solved.x, p) - wanted).norm() / (1 + wanted.norm()));
  EXPECT_LE(error, (std::is_same_v<RealOf<T>, float> ? 1e-3 : 1e-9));
  for (int64_t j = 0; j < p; ++j)
    EXPECT_LE(told.residuals[j], told.goals[j]);
}

/// Of rank min(m, n) - `missing`.
template <typename T>
Sparse<T> matrixOf(int64_t m, int64_t n, int64_t missing = 0) {
  const Sparse<T> full = general<T>(m, n, 11, 4);
  std::vector<std::vector<T>> dense(m, std::vector<T>(n));
  for (int64_t i = 0; i < m; ++i)
    for (int32_t e = full.positions[i]; e < full.positions[i + 1]; ++e)
      dense[i][full.coordinates[e]] = full.values[e];
  for (int64_t l = 0; l < missing; ++l)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        if (m >= n && j == l)
          dense[i][j] = dense[i][n - 1 - l];
        if (m < n && i == l)
          dense[i][j] = dense[m - 1 - l][j];
      }
  return Sparse<T>(m, n, [&](int64_t i, int64_t j) { return dense[i][j]; });
}

constexpr tsgu_mode modes[] = {TSGU_N, TSGU_T, TSGU_C};

TYPED_TEST(LeastSquares, AnyShape) {
  using T = TypeParam;
  for (auto [m, n] : {std::pair{40, 17}, {17, 40}, {23, 23}, {50, 1}, {1, 5}})
    for (tsgu_mode mode : modes)
      for (double damp : {0.0, 0.7})
        for (int64_t scaled : {0, 1})
          for (int64_t p : {1, 5}) {
            if (scaled && std::min(m, n) < std::max(m, n) && damp == 0 &&
                (mode == TSGU_N ? m < n : m > n))
              continue; // Of least norm of the scaled unknowns: see below.
            tsgu_solver solver = solverFor<T>(damp);
            solver.scale_columns = scaled;
            const Sparse<T> A = matrixOf<T>(m, n);
            const int64_t rows = mode == TSGU_N ? m : n;
            expectSolution(solver, mode, A, p,
                           Random<T>(m + n).block(rows * p));
          }
}

TYPED_TEST(LeastSquares, RankDeficientGivesTheLeastNorm) {
  using T = TypeParam;
  for (auto [m, n] : {std::pair{30, 12}, {12, 30}, {15, 15}})
    expectSolution(solverFor<T>(), TSGU_N, matrixOf<T>(m, n, 3), 2,
                   Random<T>(9).block(m * 2));
}

TYPED_TEST(LeastSquares, ScaledColumnsGiveTheLeastScaledNorm) {
  using T = TypeParam;
  const Sparse<T> A = matrixOf<T>(8, 20);
  tsgu_solver solver = solverFor<T>();
  solver.scale_columns = 1;
  const std::vector<T> b = Random<T>(2).block(8);
  const Solved<T> solved = solve(solver, TSGU_N, A, b, 1);
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  Dense<T> M = denseOf(A, TSGU_N);
  const auto norms = M.colwise().norm().eval();
  for (int64_t j = 0; j < 20; ++j)
    M.col(j) /= norms(j) > 0 ? norms(j) : 1;
  Dense<T> wanted = oracle<T>(M, denseOf(b, 1), 0);
  for (int64_t j = 0; j < 20; ++j)
    wanted(j, 0) /= norms(j) > 0 ? norms(j) : 1;
  EXPECT_LE((denseOf(solved.x, 1) - wanted).norm(),
            (std::is_same_v<RealOf<T>, float> ? 1e-4 : 1e-9) * wanted.norm());
}

TYPED_TEST(LeastSquares, GuessesAreOnlyWhereToStart) {
  using T = TypeParam;
  const Sparse<T> A = matrixOf<T>(30, 12);
  const std::vector<T> b = Random<T>(3).block(60);
  expectSolution(solverFor<T>(), TSGU_N, A, 2, b, Random<T>(4).block(24));
  tsgu_solver damped = solverFor<T>(0.5);
  expectSolution(damped, TSGU_N, A, 2, b, Random<T>(5).block(24));
  damped.scale_columns = 1;
  expectSolution(damped, TSGU_N, A, 2, b, Random<T>(6).block(24));
  std::vector<T> nothing(24, T(RealOf<T>(NAN)));
  expectSolution(solverFor<T>(), TSGU_N, A, 2, b, nothing);
}

TYPED_TEST(LeastSquares, ScalesAndZeros) {
  using T = TypeParam;
  const Sparse<T> A = matrixOf<T>(20, 10);
  const double most = std::is_same_v<RealOf<T>, float> ? 1e30 : 1e300;
  std::vector<T> b = Random<T>(3).block(20 * 4);
  std::vector<T> unscaled = b;
  for (int64_t i = 0; i < 20; ++i) {
    b[i * 4 + 1] *= RealOf<T>(most), b[i * 4 + 2] *= RealOf<T>(1 / most);
    b[i * 4 + 3] = unscaled[i * 4 + 3] = T(0);
  }
  const Solved<T> one = solve(solverFor<T>(), TSGU_N, A, unscaled, 4);
  const Solved<T> two = solve(solverFor<T>(), TSGU_N, A, b, 4);
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  const RealOf<T> eps =
      std::is_same_v<RealOf<T>, float> ? RealOf<T>(1e-3) : RealOf<T>(1e-9);
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_LE(std::abs(two.x[i * 4 + 1] / RealOf<T>(most) - one.x[i * 4 + 1]),
              eps);
    EXPECT_LE(std::abs(two.x[i * 4 + 2] * RealOf<T>(most) - one.x[i * 4 + 2]),
              eps);
    EXPECT_EQ(two.x[i * 4 + 3], T(0));
  }
}

//===----------------------------------------------------------------------===//
// Normal equations
//===----------------------------------------------------------------------===//

/// z = (M^H M + damp^2)^-1 g.
template <typename T>
std::vector<T> normalSolve(const tsgu_solver &solver, tsgu_mode mode,
                           const Sparse<T> &A, const std::vector<T> &g,
                           int64_t p) {
  using namespace tsgu::runtime;
  std::vector<T> z(g.size());
  Problem problem;
  problem.kind = Problem::NormalEquations;
  problem.mode = static_cast<Mode>(mode);
  problem.solver = &solver;
  problem.pattern = reinterpret_cast<tsgu::runtime::Pattern *>(A.pattern);
  problem.type = static_cast<tsgu::ElementType>(typeOf<T>());
  problem.values = A.values.data();
  problem.columns = p;
  problem.b = g.data(), problem.x = z.data();
  problem.bRow = problem.xRow = p;
  const tsgu_callbacks callbacks = listener();
  told = {};
  tsgu_set_callbacks(&callbacks);
  tsgu::runtime::solve(problem, {1, nullptr});
  return z;
}

TYPED_TEST(LeastSquares, NormalEquations) {
  using T = TypeParam;
  for (tsgu_mode mode : modes)
    for (double damp : {0.0, 0.3}) {
      const Sparse<T> A =
          mode == TSGU_N ? matrixOf<T>(30, 12) : matrixOf<T>(12, 30);
      const std::vector<T> g = Random<T>(8).block(12 * 3);
      const std::vector<T> z = normalSolve(solverFor<T>(damp), mode, A, g, 3);
      EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
      const Dense<T> M = denseOf(A, mode), G = denseOf(g, 3);
      Dense<T> K = M.adjoint() * M;
      K.diagonal().array() += damp * damp;
      const Dense<T> wanted = K.householderQr().solve(G);
      EXPECT_LE((denseOf(z, 3) - wanted).norm(),
                (std::is_same_v<RealOf<T>, float> ? 1e-3 : 1e-9) *
                    wanted.norm());
    }
}

TYPED_TEST(LeastSquares, NormalEquationsNeedRank) {
  using T = TypeParam;
  const tsgu_solver solver = solverFor<T>();
  tsgu_solver quiet = solver;
  quiet.on_fail = TSGU_IGNORE;
  auto refused = [&](const Sparse<T> &A, const std::vector<T> &g) {
    try {
      normalSolve(quiet, TSGU_N, A, g, 1);
    } catch (const tsgu::Error &error) {
      EXPECT_NE(std::string(error.what()).find("rank deficient"),
                std::string::npos)
          << error.what();
      return error.status() == tsgu::Status::Singular;
    }
    return false;
  };
  EXPECT_TRUE(refused(matrixOf<T>(30, 12, 1), Random<T>(3).block(12)));
  EXPECT_TRUE(refused(matrixOf<T>(12, 30), Random<T>(3).block(30)));
  // Even where g is in the range of M^H.
  const Sparse<T> A = matrixOf<T>(30, 12, 1);
  const std::vector<LongOf<T>> ones(30, 1);
  const auto inRange = A.apply(TSGU_C, ones, 1);
  EXPECT_TRUE(refused(A, std::vector<T>(inRange.begin(), inRange.end())));
  // Damping makes up for it.
  EXPECT_NO_THROW(
      normalSolve(solverFor<T>(0.5), TSGU_N, A, Random<T>(3).block(12), 1));
}

} // namespace
