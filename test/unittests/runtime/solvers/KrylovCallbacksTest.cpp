//===- KrylovCallbacksTest.cpp - Progress, and the caller's solver --------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"

#include <atomic>
#include <gtest/gtest.h>

using namespace tsgu::test;

namespace {

int stopAt;
std::vector<int64_t> ticks;
int32_t tick(int64_t id, int64_t iteration, int64_t columns,
             const double *norms) {
  EXPECT_EQ(id, 42);
  EXPECT_EQ(columns, 2);
  EXPECT_TRUE(std::isfinite(norms[0]) && std::isfinite(norms[1]));
  ticks.push_back(iteration);
  return iteration >= stopAt;
}

template <typename T>
Solved<T> solveWith(const tsgu_callbacks &callbacks, const tsgu_solver &solver,
                    tsgu_mode mode, const Sparse<T> &A, const std::vector<T> &b,
                    int64_t p) {
  Solved<T> solved{std::vector<T>(A.columns * p), TSGU_OK};
  const int64_t shape[2] = {A.rows, p}, strides[2] = {p, 1};
  const int64_t stored = A.values.size(), one = 1;
  const tsgu_tensor values{const_cast<T *>(A.values.data()), typeOf<T>(), 1,
                           &stored, &one};
  const tsgu_tensor right{const_cast<T *>(b.data()), typeOf<T>(), 2, shape,
                          strides};
  const tsgu_tensor left{solved.x.data(), typeOf<T>(), 2, shape, strides};
  told = {};
  tsgu_set_callbacks(&callbacks);
  solved.status =
      tsgu_solve(&solver, mode, A.pattern, &values, &right, &left, 0, nullptr);
  tsgu_set_callbacks(nullptr);
  return solved;
}

TEST(KrylovEdges, ProgressCanStop) {
  const Sparse<double> A = grid<double>(30);
  const std::vector<double> b = Random<double>(2).block(900 * 2);
  tsgu_callbacks callbacks = listener();
  callbacks.progress = tick;
  for (tsgu_method method :
       {TSGU_CG, TSGU_BICGSTAB, TSGU_MINRES, TSGU_GMRES, TSGU_CGS, TSGU_LSMR})
    for (int stop : {0, 5}) {
      tsgu_solver solver = solverOf(method);
      solver.report = 1 | 2, solver.callback = 42;
      ticks.clear(), stopAt = stop;
      const Solved<double> solved =
          solveWith(callbacks, solver, TSGU_N, A, b, 2);
      EXPECT_EQ(solved.status, TSGU_OK);
      EXPECT_EQ(told.worst, TSGU_STOPPED) << "method " << method;
      EXPECT_EQ(told.iterations[0], stop);
      EXPECT_EQ(ticks.size(), size_t(stop) + 1);
      for (size_t i = 0; i < ticks.size(); ++i)
        EXPECT_EQ(ticks[i], int64_t(i));
    }
}

TEST(KrylovEdges, CallbacksThatFailEndTheCall) {
  const Sparse<double> A = grid<double>(30);
  const std::vector<double> b = Random<double>(2).block(900 * 2);
  for (tsgu_method method :
       {TSGU_CG, TSGU_BICGSTAB, TSGU_MINRES, TSGU_GMRES, TSGU_CGS, TSGU_LSMR}) {
    tsgu_solver solver = solverOf(method);
    solver.report = 1 | 2, solver.callback = 42;
    tsgu_callbacks callbacks = listener();
    callbacks.progress = [](int64_t, int64_t iteration, int64_t,
                            const double *) -> int32_t {
      return iteration == 3 ? -1 : 0;
    };
    EXPECT_EQ(solveWith(callbacks, solver, TSGU_N, A, b, 2).status,
              TSGU_CALLBACK_ERROR);
    EXPECT_EQ(told.calls, 0);
    callbacks.progress = nullptr;
    callbacks.outcome = [](int64_t, const tsgu_outcome *) -> int32_t {
      return 1;
    };
    EXPECT_EQ(solveWith(callbacks, solver, TSGU_N, A, b, 2).status,
              TSGU_CALLBACK_ERROR);
    callbacks.outcome = nullptr;
    EXPECT_EQ(solveWith(callbacks, solver, TSGU_N, A, b, 2).status, TSGU_OK);
  }
}

/// Every thread that works for a solve asks, at most every 50 ms.
std::atomic<int> asked;
int32_t thirdTime() { return ++asked >= 3; }

/// Solves take far longer than the time between two questions.
TEST(KrylovEdges, TheCallerCanInterrupt) {
  const Sparse<double> A = grid<double>(500);
  const std::vector<double> b = Random<double>(2).block(A.rows * 2);
  tsgu_callbacks callbacks = listener();
  for (tsgu_method method :
       {TSGU_CG, TSGU_BICGSTAB, TSGU_MINRES, TSGU_GMRES, TSGU_CGS, TSGU_LSMR}) {
    tsgu_solver solver = solverOf(method);
    solver.rtol = 1e-14, solver.on_fail = TSGU_RAISE;
    asked = 0;
    callbacks.interrupted = thirdTime;
    EXPECT_EQ(solveWith(callbacks, solver, TSGU_N, A, b, 2).status,
              TSGU_INTERRUPTED)
        << "method " << method;
    EXPECT_GE(asked, 3);
    EXPECT_EQ(told.calls, 0);
  }
}

/// Divides by the diagonal; knows no scales.
int32_t divide(int64_t id, int32_t mode, tsgu_pattern *, int64_t item,
               const tsgu_tensor *values, const tsgu_tensor *b,
               const tsgu_tensor *x) {
  using T = std::complex<double>;
  EXPECT_EQ(item, 0);
  if (id == 13)
    return 1;
  const T *d = static_cast<const T *>(values->data);
  for (int64_t i = 0; i < b->shape[0]; ++i)
    for (int64_t j = 0; j < b->shape[1]; ++j) {
      const T right = static_cast<const T *>(b->data)[i * b->strides[0] + j];
      EXPECT_LT(std::abs(right), 1e15);
      EXPECT_TRUE(right == T(0) || std::abs(right) > 1e-15);
      static_cast<T *>(x->data)[i * x->strides[0] + j] =
          right / (mode == TSGU_C ? std::conj(d[i]) : d[i]) *
          (id == 7 ? 2.0 : 1.0);
    }
  return 0;
}

TEST(KrylovEdges, TheCallersSolver) {
  using T = std::complex<double>;
  const Sparse<T> A = diagonal<T>({T(1, 2), T(3, -1), T(-2, 4)});
  std::vector<T> b = Random<T>(3).block(9);
  for (int64_t i = 0; i < 3; ++i)
    b[i * 3 + 1] *= 1e-30, b[i * 3 + 2] *= 1e300;
  tsgu_callbacks callbacks = listener();
  callbacks.solve = divide;
  tsgu_solver solver = solverOf(TSGU_CALLBACK);
  solver.callback = 1;
  for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C}) {
    const Solved<T> solved = solveWith(callbacks, solver, mode, A, b, 3);
    ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
    EXPECT_EQ(told.worst, TSGU_CONVERGED);
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t j = 0; j < 3; ++j) {
        const T d = mode == TSGU_C ? std::conj(A.values[i]) : A.values[i];
        const T wanted = b[i * 3 + j] / d;
        EXPECT_LE(std::abs(solved.x[i * 3 + j] / wanted - 1.0), 1e-12);
      }
  }
  solver.callback = 7; // A wrong solution is told, unless rtol says not to.
  solveWith(callbacks, solver, TSGU_N, A, b, 3);
  EXPECT_EQ(told.worst, TSGU_STAGNATED);
  solver.rtol = 0;
  solveWith(callbacks, solver, TSGU_N, A, b, 3);
  EXPECT_EQ(told.worst, TSGU_CONVERGED);
  solver.callback = 13;
  EXPECT_EQ(solveWith(callbacks, solver, TSGU_N, A, b, 3).status,
            TSGU_CALLBACK_ERROR);
  callbacks.solve = nullptr;
  EXPECT_EQ(solveWith(callbacks, solver, TSGU_N, A, b, 3).status,
            TSGU_CALLBACK_ERROR);
  EXPECT_NE(std::string(tsgu_last_error()).find("gone"), std::string::npos);
}

} // namespace
