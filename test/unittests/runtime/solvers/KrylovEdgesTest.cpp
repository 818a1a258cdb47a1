//===- KrylovEdgesTest.cpp - Failures, scales, threads --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"

#include <gtest/gtest.h>

using namespace tsgu::test;

namespace {

TEST(KrylovEdges, OneByOneAndEmpty) {
  for (tsgu_method method : methods)
    for (double value : {2.0, 1e-200, 1e200}) {
      const Sparse<double> A = diagonal<double>({value});
      const Solved<double> solved =
          solve<double>(solverOf(method), TSGU_N, A, {3}, 1);
      EXPECT_EQ(told.worst, TSGU_CONVERGED)
          << "method " << method << ": " << told.explanation;
      EXPECT_DOUBLE_EQ(solved.x[0], 3 / value);
      const Sparse<double> none(0, 0, [](int64_t, int64_t) { return 0.0; });
      EXPECT_EQ(solve<double>(solverOf(method), TSGU_N, none, {}, 1).status,
                TSGU_OK);
      EXPECT_EQ(solve<double>(solverOf(method), TSGU_N, A, {}, 0).status,
                TSGU_OK);
    }
}

TEST(KrylovEdges, RightHandSidesOfAnyScale) {
  const Sparse<double> A = grid<double>(9);
  const std::vector<double> scales = {1,      1e-300, 1e300, 1e-30, 1e30,
                                      1e-310, 0,      1e-16, 5e-324};
  const auto p = static_cast<int64_t>(scales.size());
  const std::vector<double> one = Random<double>(1).block(81);
  std::vector<double> b(81 * p);
  for (int64_t i = 0; i < 81; ++i)
    for (int64_t j = 0; j < p; ++j)
      b[i * p + j] = scales[j] == 5e-324 ? 5e-324 : one[i] * scales[j];
  for (tsgu_method method : methods) {
    const Solved<double> solved = solve(solverOf(method), TSGU_N, A, b, p);
    for (int64_t j = 0; j < p; ++j) // Of 5e-324 x has no digits.
      EXPECT_EQ(told.reasons[j], j == 8 ? TSGU_UNDERFLOW : TSGU_CONVERGED)
          << "method " << method << ": " << told.explanation;
    EXPECT_EQ(told.iterations[6], 0);
    for (int64_t i = 0; i < 81; ++i) {
      const double wanted = solved.x[i * p];
      EXPECT_NEAR(solved.x[i * p + 1] / 1e-300, wanted, 1e-8);
      EXPECT_NEAR(solved.x[i * p + 2] / 1e300, wanted, 1e-8);
      EXPECT_NEAR(solved.x[i * p + 3] / 1e-30, wanted, 1e-8);
      EXPECT_NEAR(solved.x[i * p + 4] / 1e30, wanted, 1e-8);
      EXPECT_EQ(solved.x[i * p + 6], 0);
    }
  }
}

TEST(KrylovEdges, MatricesOfAnyScale) {
  const Sparse<double> one = grid<double>(9);
  const std::vector<double> b = Random<double>(1).block(81);
  for (tsgu_method method : methods) {
    const Solved<double> wanted = solve(solverOf(method), TSGU_N, one, b, 1);
    for (double scale : {0x1p-900, 0x1p-500, 0x1p500, 0x1p900}) {
      Sparse<double> A = grid<double>(9);
      for (double &value : A.values)
        value *= scale;
      const Solved<double> solved = solve(solverOf(method), TSGU_N, A, b, 1);
      EXPECT_EQ(told.worst, TSGU_CONVERGED)
          << "method " << method << ": " << told.explanation;
      for (int64_t i = 0; i < 81; ++i)
        EXPECT_NEAR(solved.x[i] * scale, wanted.x[i], 1e-8);
    }
  }
}

TEST(KrylovEdges, NaNStaysInItsColumn) {
  const Sparse<double> A = grid<double>(9);
  std::vector<double> b = Random<double>(1).block(81 * 3);
  b[5 * 3 + 1] = NAN;
  b[7 * 3 + 2] = INFINITY;
  std::vector<double> alone(81);
  for (int64_t i = 0; i < 81; ++i)
    alone[i] = b[i * 3];
  for (tsgu_method method : methods) {
    const Solved<double> wanted = solve(solverOf(method), TSGU_N, A, alone, 1);
    const Solved<double> solved = solve(solverOf(method), TSGU_N, A, b, 3);
    EXPECT_EQ(told.reasons,
              (std::vector<int64_t>{TSGU_CONVERGED, TSGU_NOT_FINITE,
                                    TSGU_NOT_FINITE}));
    for (int64_t i = 0; i < 81; ++i)
      EXPECT_EQ(solved.x[i * 3], wanted.x[i]);
  }
}

TEST(KrylovEdges, NaNInTheMatrixIsFound) {
  for (double bad : {static_cast<double>(NAN), HUGE_VAL}) {
    Sparse<double> A = grid<double>(9);
    A.values[A.positions[40] + 1] = bad;
    const std::vector<double> b = Random<double>(1).block(81 * 2);
    for (tsgu_method method : methods) {
      const Solved<double> solved = solve(solverOf(method), TSGU_N, A, b, 2);
      EXPECT_EQ(told.worst, TSGU_NOT_FINITE) << "method " << method;
      EXPECT_NE(told.explanation.find("row 40, column"), std::string::npos)
          << told.explanation;
      for (double value : solved.x)
        EXPECT_TRUE(std::isfinite(value));
    }
  }
}

TEST(KrylovEdges, ZeroRowsAndSingularMatrices) {
  // Consistent: b is in the range of the singular Hermitian matrix.
  std::vector<double> values(30);
  for (size_t i = 0; i < 30; ++i)
    values[i] = i < 3 ? 0 : 1.0 + i;
  const Sparse<double> A = diagonal(values);
  std::vector<double> b(30, 1);
  for (size_t i = 0; i < 3; ++i)
    b[i] = 0;
  for (tsgu_method method : methods) {
    const Solved<double> solved = solve(solverOf(method), TSGU_N, A, b, 1);
    EXPECT_EQ(told.worst, TSGU_CONVERGED)
        << "method " << method << ": " << told.explanation;
    expectHonest(A, solved, b, 1);
  }
  // Inconsistent.
  b[0] = 1;
  for (tsgu_method method : methods) {
    const Solved<double> solved = solve(solverOf(method), TSGU_N, A, b, 1);
    EXPECT_LT(told.worst, 0) << "method " << method;
    expectHonest(A, solved, b, 1);
    // What can be reached is, but by BiCGSTAB and CGS.
    if (method == TSGU_MINRES) {
      EXPECT_NEAR(told.residuals[0], 1, 1e-6);
      EXPECT_EQ(told.worst, TSGU_STAGNATED);
    }
  }
  const Sparse<double> zero = diagonal(std::vector<double>(5, 0.0));
  for (tsgu_method method : methods) {
    const std::vector<double> ones(5, 1);
    expectHonest(zero, solve(solverOf(method), TSGU_N, zero, ones, 1), ones, 1);
    EXPECT_LT(told.worst, 0) << "method " << method;
  }
}

TEST(KrylovEdges, IndefiniteMatrices) {
  const Sparse<double> A = hermitian<double>(40, 3, 0);
  const std::vector<double> b = Random<double>(2).block(40 * 2);
  expectHonest(A, solve(solverOf(TSGU_CG), TSGU_N, A, b, 2), b, 2);
  EXPECT_EQ(told.worst, TSGU_INDEFINITE_MATRIX);
  EXPECT_NE(told.explanation.find("MINRES"), std::string::npos);
  EXPECT_NE(told.explanation.find("of 2 columns"), std::string::npos);
  solve(solverOf(TSGU_MINRES), TSGU_N, A, b, 2);
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  tsgu_solver full = solverOf(TSGU_GMRES);
  full.restart = 40;
  solve(full, TSGU_N, A, b, 2);
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
}

TEST(KrylovEdges, MatricesThatAreNotHermitianAreNamed) {
  const Sparse<double> A = grid<double>(9);
  const std::vector<double> b = Random<double>(1).block(81 * 2);
  for (tsgu_method method : {TSGU_CG, TSGU_MINRES}) {
    tsgu_solver solver = solverOf(method);
    solver.max_iterations = 2; // Of a symmetric matrix nothing is said.
    solve(solver, TSGU_N, A, b, 2);
    EXPECT_EQ(told.explanation.find("Hermitian"), std::string::npos)
        << told.explanation;
    Sparse<double> other = grid<double>(9);
    other.values[other.positions[40] + 1] = 7; // Row 40, column 39.
    other.values[other.positions[10]] *= 1 + 1e-12;
    solve(solver, TSGU_N, other, b, 2);
    EXPECT_NE(told.explanation.find("not Hermitian"), std::string::npos);
    EXPECT_NE(
        told.explanation.find("entry (39, 40) is -1, entry (40, 39) is 7"),
        std::string::npos)
        << told.explanation;
  }
}

TEST(KrylovEdges, SkewMatricesBreakBiCGSTABDown) {
  const int64_t n = 30;
  const Sparse<double> A(n, n, [](int64_t i, int64_t j) {
    return j == i + 1 ? 1.0 : j + 1 == i ? -1.0 : 0.0;
  });
  const std::vector<double> b = Random<double>(2).block(n);
  expectHonest(A, solve(solverOf(TSGU_BICGSTAB), TSGU_N, A, b, 1), b, 1);
  EXPECT_EQ(told.worst, TSGU_BREAKDOWN) << told.explanation;
  EXPECT_NE(told.explanation.find("GMRES"), std::string::npos);
  tsgu_solver gmres = solverOf(TSGU_GMRES);
  expectHonest(A, solve(gmres, TSGU_N, A, b, 1), b, 1);
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
}

TEST(KrylovEdges, ShiftsOfOneStagnateGMRES) {
  // The cyclic shift: no restarted GMRES shorter than n makes any progress.
  const int64_t n = 40;
  const Sparse<double> A(
      n, n, [](int64_t i, int64_t j) { return j == (i + 1) % n ? 1.0 : 0.0; });
  std::vector<double> b(n);
  b[0] = 1;
  tsgu_solver solver = solverOf(TSGU_GMRES);
  solver.restart = 20;
  expectHonest(A, solve(solver, TSGU_N, A, b, 1), b, 1);
  EXPECT_EQ(told.worst, TSGU_STAGNATED) << told.explanation;
  solver.restart = 40;
  expectHonest(A, solve(solver, TSGU_N, A, b, 1), b, 1);
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
}

TEST(KrylovEdges, IllConditioned) {
  // Condition 1e10: what cannot be reached is not claimed.
  std::vector<double> values(60);
  for (int i = 0; i < 60; ++i)
    values[i] = std::pow(10.0, -10.0 * i / 59);
  const Sparse<double> A = diagonal(values);
  const std::vector<double> b = Random<double>(2).block(60);
  for (tsgu_method method : methods)
    for (double rtol : {1e-6, 1e-12, 0.0}) {
      tsgu_solver solver = solverOf(method, rtol);
      solver.max_iterations = 3000;
      expectHonest(A, solve(solver, TSGU_N, A, b, 1), b, 1);
      if (rtol == 0 && told.residuals[0] > 0) {
        EXPECT_LT(told.worst, 0);
      }
    }
}

TEST(KrylovEdges, ColumnsOfDifferentDifficulty) {
  // Column j holds the first j + 1 eigenvectors: it needs j + 1 steps.
  std::vector<double> values(20);
  for (size_t i = 0; i < 20; ++i)
    values[i] = 1.0 + i;
  const Sparse<double> A = diagonal(values);
  const int64_t p = 8;
  std::vector<double> b(20 * p);
  for (int64_t j = 0; j < p; ++j)
    for (int64_t i = 0; i <= j; ++i)
      b[i * p + j] = 1;
  for (tsgu_method method : {TSGU_CG, TSGU_MINRES, TSGU_GMRES}) {
    expectHonest(A, solve(solverOf(method), TSGU_N, A, b, p), b, p);
    EXPECT_EQ(told.worst, TSGU_CONVERGED);
    for (int64_t j = 0; j < p; ++j) {
      EXPECT_LE(told.iterations[j], j + 1) << "method " << method;
      EXPECT_GE(told.iterations[j], std::max<int64_t>(1, j - 2));
    }
  }
}

TEST(KrylovEdges, ColumnsDoNotKnowOfEachOther) {
  const Sparse<double> A = general<double>(70, 70, 3, 12);
  const Sparse<double> H = hermitian<double>(70, 3, 14);
  const int64_t p = 11;
  const std::vector<double> b = Random<double>(2).block(70 * p);
  for (tsgu_method method : methods) {
    const bool needsHermitian = method == TSGU_CG || method == TSGU_MINRES;
    const Sparse<double> &M = needsHermitian ? H : A;
    const Solved<double> all = solve(solverOf(method), TSGU_N, M, b, p);
    for (int64_t j = 0; j < p; ++j) {
      std::vector<double> one(70);
      for (int64_t i = 0; i < 70; ++i)
        one[i] = b[i * p + j];
      const Solved<double> alone = solve(solverOf(method), TSGU_N, M, one, 1);
      for (int64_t i = 0; i < 70; ++i)
        ASSERT_EQ(all.x[i * p + j], alone.x[i])
            << "method " << method << " column " << j;
    }
  }
}

TEST(KrylovEdges, BitwiseTheSameForEveryNumberOfThreads) {
  const Sparse<double> A = grid<double>(150, 0.01);
  for (int64_t p : {1, 5}) {
    const std::vector<double> b = Random<double>(2).block(A.rows * p);
    for (tsgu_method method : {TSGU_CG, TSGU_BICGSTAB, TSGU_MINRES, TSGU_GMRES,
                               TSGU_CGS, TSGU_LSMR}) {
      tsgu_solver solver = solverOf(method, 1e-6);
      solver.max_iterations = 60;
      std::vector<double> wanted;
      for (int32_t threads : {1, 2, 5}) {
        tsgu_set_threads(threads);
        const Solved<double> solved = solve(solver, TSGU_N, A, b, p);
        ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
        if (wanted.empty())
          wanted = solved.x;
        EXPECT_EQ(solved.x, wanted) << "method " << method;
      }
      tsgu_set_threads(0);
    }
  }
}

TEST(KrylovEdges, History) {
  const Sparse<double> A = grid<double>(20);
  const std::vector<double> b = Random<double>(2).block(400 * 2);
  for (tsgu_method method : methods) {
    solve(solverOf(method), TSGU_N, A, b, 2);
    ASSERT_EQ(told.history.size(), size_t(told.historyLength * 2));
    EXPECT_EQ(told.historyLength,
              1 + std::max(told.iterations[0], told.iterations[1]));
    for (int64_t j = 0; j < 2; ++j) {
      EXPECT_NEAR(told.history[j], told.goals[j] / 1e-10, 1e-9);
      if (method == TSGU_MINRES || method == TSGU_GMRES) {
        for (int64_t row = 1; row < told.historyLength; ++row)
          EXPECT_LE(told.history[row * 2 + j],
                    told.history[row * 2 - 2 + j] * (1 + 1e-9));
      }
    }
  }
  tsgu_solver silent = solverOf(TSGU_CG);
  silent.report = 1;
  solve(silent, TSGU_N, A, b, 2);
  EXPECT_EQ(told.historyLength, 0);
  silent.report = 0;
  solve(silent, TSGU_N, A, b, 2);
  EXPECT_EQ(told.calls, 0);
}

TEST(KrylovEdges, LimitsAndRaising) {
  const Sparse<double> A = grid<double>(40);
  const std::vector<double> b = Random<double>(2).block(1600 * 2);
  for (tsgu_method method : methods) {
    tsgu_solver solver = solverOf(method, 1e-12);
    solver.max_iterations = 7;
    expectHonest(A, solve(solver, TSGU_N, A, b, 2), b, 2);
    EXPECT_EQ(told.worst, TSGU_ITERATION_LIMIT);
    EXPECT_EQ(told.iterations, (std::vector<int64_t>{7, 7}));
    EXPECT_NE(told.explanation.find("7 iterations"), std::string::npos);
    solver.on_fail = TSGU_RAISE;
    EXPECT_EQ(solve(solver, TSGU_N, A, b, 2).status, TSGU_NOT_CONVERGED);
    solver.on_fail = TSGU_IGNORE, solver.report = 0;
    EXPECT_EQ(solve(solver, TSGU_N, A, b, 2).status, TSGU_OK);
    EXPECT_EQ(told.calls, 0);
  }
}

TEST(KrylovEdges, TolerancesAndGuesses) {
  const Sparse<double> A = grid<double>(12);
  const std::vector<double> b = Random<double>(2).block(144);
  for (tsgu_method method : methods) {
    tsgu_solver solver = solverOf(method, 0);
    solver.atol = 1e-3;
    expectHonest(A, solve(solver, TSGU_N, A, b, 1), b, 1);
    EXPECT_EQ(told.worst, TSGU_CONVERGED);
    EXPECT_EQ(told.goals[0], 1e-3);
    solver.atol = 1e6; // Zero will do.
    const Solved<double> nothing = solve(solver, TSGU_N, A, b, 1);
    EXPECT_EQ(told.iterations[0], 0);
    EXPECT_EQ(nothing.x, std::vector<double>(144, 0));
    solver = solverOf(method, -1);
    solve(solver, TSGU_N, A, b, 1);
    EXPECT_NEAR(told.goals[0], 1e-8 * told.history[0], 1e-20);
    // Guesses: the solution, anything, nonsense.
    const Solved<double> good = solve(solverOf(method), TSGU_N, A, b, 1);
    solver = solverOf(method, 1e-9);
    EXPECT_EQ(solve(solver, TSGU_N, A, b, 1, good.x).x, good.x);
    EXPECT_EQ(told.iterations[0], 0);
    for (double wild : {1.0, 1e200, static_cast<double>(NAN)}) {
      const Solved<double> again =
          solve(solver, TSGU_N, A, b, 1, std::vector<double>(144, wild));
      expectHonest(A, again, b, 1);
      EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
    }
  }
}

} // namespace
