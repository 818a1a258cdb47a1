//===- KrylovCriteriaTest.cpp - When an iteration ends --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovIterations.h"

#include <gtest/gtest.h>

using namespace tsgu::test;

namespace {

/// norm(b - A x) / norm(b) by column.
std::vector<double> distances(const Sparse<double> &A,
                              const std::vector<double> &x,
                              const std::vector<double> &b, int64_t p) {
  const std::vector<long double> wide(x.begin(), x.end());
  const auto product = A.apply(TSGU_N, wide, p);
  std::vector<double> found;
  for (int64_t j = 0; j < p; ++j) {
    long double rest = 0, size = 0;
    for (int64_t i = 0; i < A.rows; ++i) {
      const long double r = b[i * p + j] - product[i * p + j];
      rest += r * r,
          size += static_cast<long double>(b[i * p + j]) * b[i * p + j];
    }
    found.push_back(static_cast<double>(std::sqrt(rest / size)));
  }
  return found;
}

struct Criteria : testing::Test {
  const Sparse<double> A = grid<double>(9);
  const int64_t n = 81, p = 4;
  std::vector<double> b = Random<double>(5).block(n * p);
  tsgu_solver solver = solverOf(TSGU_CG, 1e-6);
  tsgu_iteration_options options{};

  Criteria() {
    solver.report = 1; // Columns 1 .. 3 are eigenvectors: one step each.
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 1; j < p; ++j)
        b[i * p + j] = std::sin(M_PI * (i / 9 + 1) / 10) *
                       std::sin(M_PI * j * (i % 9 + 1) / 10);
  }
  std::vector<double> run() {
    const Asked<double> asked = ask(solver, options, A, b, p);
    EXPECT_EQ(asked.status, TSGU_OK) << tsgu_last_error();
    return distances(A, asked.x, b, p);
  }
};

TEST_F(Criteria, LeastIterations) {
  run();
  ASSERT_EQ(told.iterations[1], 1);
  options.min_iterations = 7;
  for (double distance : run())
    EXPECT_LE(distance, 1e-6);
  EXPECT_EQ(told.worst, TSGU_CONVERGED);
  EXPECT_GT(told.iterations[0], 7);
  for (int64_t j = 1; j < p; ++j)
    EXPECT_EQ(told.iterations[j], 7);
}

TEST_F(Criteria, MeanOfTheColumns) {
  run();
  const int64_t every = told.iterations[0];
  options.mean = 1;
  const std::vector<double> found = run();
  EXPECT_EQ(told.worst, TSGU_CONVERGED);
  EXPECT_LT(told.iterations[0], every);
  EXPECT_GT(found[0], 1e-6);
  EXPECT_LE((found[0] + found[1] + found[2] + found[3]) / 4, 1e-6);
}

TEST_F(Criteria, ColumnsRest) {
  options.rest = 1e-2;
  const std::vector<double> found = run();
  EXPECT_EQ(told.reasons[0], TSGU_STAGNATED);
  EXPECT_GT(found[0], 1e-6);
  EXPECT_LE(found[0], 1e-2);
  EXPECT_EQ(told.reasons[1], TSGU_CONVERGED);
  // Beyond their goals, as long as others are not there.
  for (int64_t i = 0; i < n; ++i)
    b[i * p + 1] += 1e-4 * b[i * p];
  options.rest = 0;
  const double before = run()[1];
  options.rest = 1e-14;
  const double after = run()[1];
  EXPECT_EQ(told.worst, TSGU_CONVERGED);
  EXPECT_GT(before, 1e-8);
  EXPECT_LT(after, before / 100);
}

TEST_F(Criteria, LeastProduct) {
  options.least_product = 1e3;
  run();
  EXPECT_EQ(told.reasons[0], TSGU_BREAKDOWN);
  options.least_product = 1e-20;
  run();
  EXPECT_EQ(told.worst, TSGU_CONVERGED);
}

TEST_F(Criteria, MostProducts) {
  for (tsgu_method method : {TSGU_CG, TSGU_BICGSTAB, TSGU_MINRES, TSGU_CGS}) {
    solver = solverOf(method, 1e-12);
    const std::vector<double> one(b.begin(), b.begin() + n);
    for (int64_t most : {1, 2, 3, 8, 9}) {
      options = {}, options.max_products = most;
      for (bool guess : {false, true}) {
        std::vector<double> start;
        if (guess)
          start.assign(n, 0.01);
        const Asked<double> asked =
            ask(solver, options, A, one, 1, nullptr, start);
        EXPECT_LE(asked.products, most);
        EXPECT_GE(asked.products, most - 3);
        EXPECT_EQ(told.worst, TSGU_ITERATION_LIMIT);
      }
    }
    options.max_products = 1000;
    ask(solver, options, A, one, 1);
    EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  }
}

} // namespace
