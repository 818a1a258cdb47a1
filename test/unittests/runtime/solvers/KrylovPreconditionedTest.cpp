//===- KrylovPreconditionedTest.cpp - Methods with preconditioners --------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"

#include <gtest/gtest.h>

using namespace tsgu::test;

namespace {

TEST(KrylovEdges, Preconditioned) {
  const Sparse<double> A = grid<double>(25);
  const std::vector<double> b = Random<double>(2).block(625 * 3);
  for (tsgu_method method : methods) {
    const Solved<double> plain = solve(solverOf(method), TSGU_N, A, b, 3);
    const int64_t without = told.iterations[0];
    for (int64_t preconditioner : {TSGU_JACOBI, TSGU_SSOR, TSGU_IC0, TSGU_AMG})
      for (tsgu_mode mode : {TSGU_N, TSGU_T}) {
        tsgu_solver solver = solverOf(method);
        solver.preconditioner = preconditioner;
        expectHonest(A, solve(solver, mode, A, b, 3), b, 3);
        EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
        if (preconditioner != TSGU_JACOBI) {
          EXPECT_LT(told.iterations[0], without)
              << "method " << method << " with " << preconditioner;
        }
      }
  }
  const Sparse<double> G = general<double>(60, 60, 7, 12);
  const std::vector<double> c = Random<double>(2).block(60);
  for (tsgu_method method : {TSGU_BICGSTAB, TSGU_GMRES, TSGU_CGS})
    for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C}) {
      tsgu_solver solver = solverOf(method);
      solver.preconditioner = TSGU_ILU0;
      const Solved<double> solved = solve(solver, mode, G, c, 1);
      EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
      const auto norms = residuals(G, mode, solved.x, c, 1);
      EXPECT_LE(norms[0].first, 1.001e-10 * norms[0].second);
    }
}

TEST(KrylovEdges, IndefinitePreconditioner) {
  // Jacobi of an indefinite diagonal.
  std::vector<double> values(20, 1);
  values[3] = -1;
  const Sparse<double> A = diagonal(values);
  std::vector<double> b(20);
  b[3] = 1;
  for (tsgu_method method : {TSGU_CG, TSGU_MINRES}) {
    tsgu_solver solver = solverOf(method);
    solver.preconditioner = TSGU_JACOBI;
    expectHonest(A, solve(solver, TSGU_N, A, b, 1), b, 1);
    EXPECT_EQ(told.worst, TSGU_INDEFINITE_PRECONDITIONER) << told.explanation;
  }
}

} // namespace
