//===- KrylovTest.cpp - Iterative solves against long double --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"

#include <gtest/gtest.h>

using namespace tsgu::test;

namespace {

template <typename T> class Krylov : public testing::Test {};
using Types =
    testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Krylov, Types);

template <typename T> double tolerance() {
  return std::is_same_v<RealOf<T>, float> ? 1e-4 : 1e-10;
}
/// Rounding of norms alone: the rule itself has no slack.
template <typename T> double slack() {
  return 1 + 100 * std::numeric_limits<RealOf<T>>::epsilon();
}

/// Every column meets the stopping rule, by residuals in long double, and the
/// outcome tells them.
template <typename T>
void expectSolved(tsgu_method method, tsgu_mode mode, const Sparse<T> &A,
                  int64_t p, unsigned seed) {
  SCOPED_TRACE(testing::Message() << "method " << method << " mode " << mode
                                  << " n " << A.rows << " p " << p);
  const double rtol = tolerance<T>();
  const std::vector<T> b = Random<T>(seed).block(A.rows * p);
  const Solved<T> solved = solve(solverOf(method, rtol), mode, A, b, p);
  ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
  ASSERT_EQ(told.calls, 1);
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  const double rounding =
      std::is_same_v<RealOf<T>, float> ? 1e-5 : 1e-13; // of b - A x in T
  const auto norms = residuals(A, mode, solved.x, b, p);
  for (int64_t j = 0; j < p; ++j) {
    EXPECT_LE(norms[j].first,
              rtol * norms[j].second + rounding * norms[j].second)
        << "column " << j;
    EXPECT_NEAR(told.residuals[j], norms[j].first, rounding * norms[j].second);
    EXPECT_NEAR(told.goals[j], rtol * norms[j].second,
                1e-6 * rtol * norms[j].second);
    EXPECT_GT(told.iterations[j], 0);
  }
}

constexpr tsgu_mode modes[] = {TSGU_N, TSGU_T, TSGU_C};

TYPED_TEST(Krylov, PositiveDefinite) {
  using T = TypeParam;
  for (int64_t p : {1, 2, 3, 7, 33})
    for (tsgu_method method :
         {TSGU_CG, TSGU_BICGSTAB, TSGU_MINRES, TSGU_GMRES, TSGU_CGS})
      for (tsgu_mode mode : modes) {
        expectSolved<T>(method, mode, grid<T>(13), p, 3);
        expectSolved<T>(method, mode, hermitian<T>(60, 5, 20), p, 4);
      }
}

TYPED_TEST(Krylov, General) {
  using T = TypeParam;
  for (int64_t p : {1, 4, 19})
    for (tsgu_method method : {TSGU_BICGSTAB, TSGU_GMRES, TSGU_CGS})
      for (tsgu_mode mode : modes)
        expectSolved<T>(method, mode, general<T>(60, 60, 7, 12), p, 4);
}

} // namespace
