//===- KrylovIterationTest.cpp - Reverse communication --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovIterations.h"

#include <gtest/gtest.h>

using namespace tsgu::test;

namespace {

template <typename T> class Iteration : public testing::Test {};
using Types =
    testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Iteration, Types);

template <typename T> double tolerance() {
  return std::is_same_v<RealOf<T>, float> ? 1e-4 : 1e-10;
}

TYPED_TEST(Iteration, EqualsTheDirectSolve) {
  using T = TypeParam;
  const Sparse<T> A = hermitian<T>(70, 3, 15);
  for (tsgu_method method : methods)
    for (int64_t p : {1, 4}) {
      const std::vector<T> b = Random<T>(5).block(70 * p);
      const tsgu_solver solver = solverOf(method, tolerance<T>());
      const Solved<T> direct = solve(solver, TSGU_N, A, b, p);
      const Told directly = told;
      const Asked<T> asked = ask(solver, {}, A, b, p);
      ASSERT_EQ(asked.status, TSGU_OK) << tsgu_last_error();
      EXPECT_EQ(told.reasons, directly.reasons);
      for (int64_t j = 0; j < p; ++j)
        EXPECT_NEAR(told.iterations[j], directly.iterations[j], 1);
      for (const auto &[residual, size] : residuals(A, TSGU_N, asked.x, b, p))
        EXPECT_LE(residual, 1.5 * tolerance<T>() * size);
    }
}

TYPED_TEST(Iteration, Preconditioned) {
  using T = TypeParam;
  // A diagonal from 1 to 1e4 makes it hard without.
  Random<T> random(7);
  const int64_t n = 80;
  const Sparse<T> base = hermitian<T>(n, 3, 12);
  const Sparse<T> A(n, n, [&](int64_t i, int64_t j) {
    T value(0);
    for (int32_t e = base.positions[i]; e < base.positions[i + 1]; ++e)
      if (base.coordinates[e] == j)
        value = base.values[e];
    const auto scale = [&](int64_t l) {
      return std::pow(RealOf<T>(10), 2 * RealOf<T>(l) / RealOf<T>(n));
    };
    return value * scale(i) * scale(j);
  });
  const std::vector<T> b = random.block(n * 2);
  tsgu_iteration_options options{};
  options.preconditioned = 1;
  for (tsgu_method method : methods) {
    const tsgu_solver solver = solverOf(method, tolerance<T>());
    const Asked<T> asked = ask(solver, options, A, b, 2);
    ASSERT_EQ(asked.status, TSGU_OK) << tsgu_last_error();
    EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
    for (const auto &[residual, size] : residuals(A, TSGU_N, asked.x, b, 2))
      EXPECT_LE(residual, 1.5 * tolerance<T>() * size) << "method " << method;
    EXPECT_LE(told.iterations[0], 70) << "method " << method;
  }
}

TYPED_TEST(Iteration, FixedColumns) {
  using T = TypeParam;
  const Sparse<T> A = hermitian<T>(50, 3, 15);
  std::vector<T> b = Random<T>(5).block(50 * 3);
  for (int64_t i = 0; i < 50; ++i)
    b[i * 3 + 1] = T(0); // Done at once.
  tsgu_iteration_options fixed{};
  fixed.fixed_columns = 1;
  for (tsgu_method method : methods) {
    const tsgu_solver solver = solverOf(method, tolerance<T>());
    const Asked<T> free = ask(solver, {}, A, b, 3);
    const Asked<T> all = ask(solver, fixed, A, b, 3);
    EXPECT_LT(free.most, 3);
    EXPECT_EQ(all.fewest, 3);
    EXPECT_EQ(all.most, 3);
    EXPECT_EQ(all.x, free.x);
  }
}

TYPED_TEST(Iteration, Shifts) {
  using T = TypeParam;
  const int64_t n = 40, p = 2;
  const Sparse<T> A = hermitian<T>(n, 3, 0);
  const std::vector<T> b = Random<T>(5).block(n * p);
  const double shifts[] = {0.25, 20, -30};
  for (int32_t fixed : {0, 1}) {
    tsgu_iteration_options options{};
    options.shift_count = 3, options.shifts = shifts, options.factor = 0.5;
    options.fixed_columns = fixed;
    const Asked<T> asked =
        ask(solverOf(TSGU_MINRES, tolerance<T>()), options, A, b, p);
    ASSERT_EQ(asked.status, TSGU_OK) << tsgu_last_error();
    EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
    EXPECT_EQ(told.columns, 3 * p);
    for (int64_t s = 0; s < 3; ++s) {
      const Sparse<T> shifted(n, n, [&](int64_t i, int64_t j) {
        T value(0);
        for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
          if (A.coordinates[e] == j)
            value = A.values[e] * RealOf<T>(0.5);
        return i == j ? value + T(RealOf<T>(shifts[s])) : value;
      });
      const std::vector<T> x(asked.x.begin() + s * n * p,
                             asked.x.begin() + (s + 1) * n * p);
      for (const auto &[residual, size] : residuals(shifted, TSGU_N, x, b, p))
        EXPECT_LE(residual, 2 * tolerance<T>() * size) << "shift " << s;
    }
  }
}

TYPED_TEST(Iteration, LeastSquares) {
  using T = TypeParam;
  const Sparse<T> A = general<T>(30, 12, 3, 3);
  const std::vector<T> b = Random<T>(5).block(30 * 2);
  for (double damp : {0.0, 0.6})
    for (int32_t fixed : {0, 1}) {
      tsgu_solver solver = solverOf(TSGU_LSMR, tolerance<T>());
      solver.damp = damp;
      const Solved<T> direct = solve(solver, TSGU_N, A, b, 2);
      tsgu_iteration_options options{};
      options.fixed_columns = fixed;
      const Asked<T> asked = ask(solver, options, A, b, 2);
      ASSERT_EQ(asked.status, TSGU_OK) << tsgu_last_error();
      EXPECT_EQ(told.worst, TSGU_CONVERGED);
      for (size_t e = 0; e < asked.x.size(); ++e)
        EXPECT_LE(std::abs(asked.x[e] - direct.x[e]), 10 * tolerance<T>());
    }
}

TYPED_TEST(Iteration, GuessOfTheSolutionTakesNoIterations) {
  using T = TypeParam;
  const Sparse<T> A = hermitian<T>(50, 3, 15);
  const std::vector<T> b = Random<T>(5).block(50);
  for (tsgu_method method : methods) {
    const Asked<T> first = ask(solverOf(method, tolerance<T>()), {}, A, b, 1);
    tsgu_solver looser = solverOf(method, 10 * tolerance<T>());
    const Asked<T> second =
        ask(looser, {}, A, b, 1, nullptr, std::vector<T>(first.x));
    EXPECT_EQ(told.iterations[0], 0);
    EXPECT_EQ(second.products, 1);
  }
}

//===----------------------------------------------------------------------===//
// Lanczos matrices
//===----------------------------------------------------------------------===//

/// The Lanczos matrix of A from one column, with full reorthogonalisation.
void lanczos(const Sparse<double> &A, std::vector<long double> v, int64_t steps,
             std::vector<double> &diagonal, std::vector<double> &off) {
  std::vector<std::vector<long double>> basis;
  for (int64_t step = 0; step < steps; ++step) {
    long double square = 0;
    for (long double value : v)
      square += value * value;
    const long double norm = std::sqrt(square);
    if (step > 0)
      off.push_back(static_cast<double>(norm));
    for (long double &value : v)
      value /= norm;
    basis.push_back(v);
    std::vector<long double> w = A.apply(TSGU_N, v, 1);
    for (auto u = basis.rbegin(); u != basis.rend(); ++u) {
      long double dot = 0;
      for (size_t i = 0; i < w.size(); ++i)
        dot += (*u)[i] * w[i];
      for (size_t i = 0; i < w.size(); ++i)
        w[i] -= dot * (*u)[i];
      if (u == basis.rbegin())
        diagonal.push_back(static_cast<double>(dot));
    }
    v = w;
  }
}

TEST(IterationTridiagonal, IsThatOfLanczos) {
  const int64_t n = 40, p = 3;
  const Sparse<double> A = hermitian<double>(n, 3, 12);
  const std::vector<double> b = Random<double>(5).block(n * p);
  tsgu_iteration_options options{};
  options.tridiagonals = 2;
  tsgu_iteration *iteration = nullptr;
  ask(solverOf(TSGU_CG, 1e-13), options, A, b, p, &iteration);
  int64_t steps = 0;
  const double *diagonal = nullptr, *off = nullptr;
  for (int64_t column : {0, 1}) {
    ASSERT_EQ(
        tsgu_iteration_tridiagonal(iteration, column, &steps, &diagonal, &off),
        TSGU_OK);
    ASSERT_GT(steps, 10);
    EXPECT_LE(steps, told.iterations[column]);
    std::vector<long double> start(n);
    for (int64_t i = 0; i < n; ++i)
      start[i] = b[i * p + column];
    std::vector<double> wantedDiagonal, wantedOff;
    lanczos(A, start, 10, wantedDiagonal, wantedOff);
    for (int64_t i = 0; i < 10; ++i)
      EXPECT_NEAR(diagonal[i], wantedDiagonal[i], 1e-9);
    for (int64_t i = 0; i < 9; ++i)
      EXPECT_NEAR(off[i], wantedOff[i], 1e-9);
  }
  EXPECT_EQ(tsgu_iteration_tridiagonal(iteration, 2, &steps, &diagonal, &off),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_iteration_tridiagonal(iteration, 0, nullptr, &diagonal, &off),
            TSGU_INVALID_ARGUMENT);
  tsgu_iteration_free(iteration);
}

//===----------------------------------------------------------------------===//
// Misuse
//===----------------------------------------------------------------------===//

struct Misuse : testing::Test {
  std::vector<double> b = std::vector<double>(6, 1), x = b;
  int64_t shape[2] = {3, 2}, strides[2] = {2, 1};
  tsgu_tensor bTensor = tensorOf(b, 2, shape, strides);
  tsgu_tensor xTensor = tensorOf(x, 2, shape, strides);
  tsgu_solver solver = solverOf(TSGU_CG);
  tsgu_iteration_options options{};
  tsgu_iteration *iteration = nullptr;

  tsgu_status start() {
    return tsgu_iteration_start(&solver, &options, &bTensor, &xTensor, nullptr,
                                &iteration);
  }
  ~Misuse() override { tsgu_iteration_free(iteration); }
};

TEST_F(Misuse, OfStart) {
  EXPECT_EQ(tsgu_iteration_start(nullptr, nullptr, &bTensor, &xTensor, nullptr,
                                 &iteration),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_iteration_start(&solver, nullptr, nullptr, &xTensor, nullptr,
                                 &iteration),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_iteration_start(&solver, nullptr, &bTensor, nullptr, nullptr,
                                 &iteration),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_iteration_start(&solver, nullptr, &bTensor, &xTensor, nullptr,
                                 nullptr),
            TSGU_INVALID_ARGUMENT);
  for (int64_t method :
       {TSGU_TRIANGULAR, TSGU_CALLBACK, TSGU_LU, TSGU_CHOLESKY}) {
    solver.method = method;
    EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  }
  solver = solverOf(TSGU_MINRES);
  options.tridiagonals = 1;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  options = {}, options.shift_count = 2;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  options = {}, solver.preconditioner = TSGU_JACOBI;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  solver = solverOf(TSGU_LSMR), options.preconditioned = 1;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  options = {}, options.max_products = 5;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  using Set = void (*)(tsgu_iteration_options &, double);
  const Set settings[] = {
      [](auto &o, double value) { o.rest = value; },
      [](auto &o, double value) { o.least_product = value; },
      [](auto &o, double value) { o.min_iterations = int64_t(value); },
      [](auto &o, double value) { o.mean = value == 1; }};
  for (const Set &set : settings) {
    options = {}, set(options, 1);
    solver = solverOf(TSGU_MINRES);
    EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
    for (double rtol : {0.0, 1e-3}) {
      solver = solverOf(TSGU_CG, rtol), solver.atol = rtol;
      EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
    }
  }
  solver = solverOf(TSGU_CG);
  for (double bad : {-1.0, static_cast<double>(NAN), HUGE_VAL})
    for (int which : {0, 1}) {
      options = {}, settings[which](options, bad);
      EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
    }
  options = {}, options.min_iterations = -1;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  options = {}, options.max_products = -1;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  solver = solverOf(TSGU_CG), options = {};
  const int64_t other[2] = {4, 2};
  xTensor.shape = other;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  xTensor.shape = shape, xTensor.type = TSGU_F32;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  bTensor.type = xTensor.type = TSGU_I32;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  bTensor.type = xTensor.type = TSGU_F64, bTensor.data = nullptr;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
}

TEST_F(Misuse, OfMemory) {
  bTensor.data = x.data() + 5;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  EXPECT_STREQ(tsgu_last_error(), "b overlaps x; give x memory of its own");
  bTensor.data = b.data();
  const int64_t narrow[2] = {1, 1};
  xTensor.strides = narrow;
  EXPECT_EQ(start(), TSGU_INVALID_ARGUMENT);
  xTensor.strides = strides;
  EXPECT_EQ(start(), TSGU_OK) << tsgu_last_error();
}

TEST_F(Misuse, OfTheOrderOfCalls) {
  tsgu_request request;
  tsgu_tensor in, out;
  tsgu_outcome outcome;
  EXPECT_EQ(tsgu_iteration_next(nullptr, &request, &in, &out),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_iteration_outcome(nullptr, &outcome), TSGU_INVALID_ARGUMENT);
  ASSERT_EQ(start(), TSGU_OK) << tsgu_last_error();
  EXPECT_EQ(tsgu_iteration_outcome(iteration, &outcome), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_iteration_next(iteration, nullptr, &in, &out),
            TSGU_INVALID_ARGUMENT);
  // Answers that are no matrix: what comes out is a reason.
  for (int calls = 0; calls < 1000; ++calls) {
    ASSERT_EQ(tsgu_iteration_next(iteration, &request, &in, &out), TSGU_OK);
    if (request == TSGU_DONE)
      break;
    std::fill_n(static_cast<double *>(out.data), out.shape[0] * out.shape[1],
                NAN);
  }
  ASSERT_EQ(request, TSGU_DONE);
  EXPECT_EQ(tsgu_iteration_next(iteration, &request, &in, &out), TSGU_OK);
  EXPECT_EQ(request, TSGU_DONE);
  EXPECT_EQ(tsgu_iteration_outcome(iteration, nullptr), TSGU_INVALID_ARGUMENT);
  ASSERT_EQ(tsgu_iteration_outcome(iteration, &outcome), TSGU_OK);
  EXPECT_EQ(outcome.worst, TSGU_NOT_FINITE);
  EXPECT_EQ(x, std::vector<double>(6, 0)); // The best iterate.
  tsgu_iteration_free(nullptr);
}

TEST_F(Misuse, FreedInTheMiddle) {
  ASSERT_EQ(start(), TSGU_OK);
  tsgu_request request;
  tsgu_tensor in, out;
  ASSERT_EQ(tsgu_iteration_next(iteration, &request, &in, &out), TSGU_OK);
  EXPECT_EQ(request, TSGU_APPLY);
}

TEST_F(Misuse, Empty) {
  const int64_t none[2] = {0, 2}, noColumns[2] = {3, 0};
  tsgu_request request;
  tsgu_tensor in, out;
  for (const int64_t *empty : {none, noColumns})
    for (tsgu_method method : {TSGU_CG, TSGU_GMRES, TSGU_LSMR}) {
      solver = solverOf(method);
      bTensor.shape = xTensor.shape = empty;
      ASSERT_EQ(start(), TSGU_OK);
      int calls = 0;
      do
        ASSERT_EQ(tsgu_iteration_next(iteration, &request, &in, &out), TSGU_OK);
      while (request != TSGU_DONE && ++calls < 100);
      EXPECT_EQ(request, TSGU_DONE);
      tsgu_iteration_free(std::exchange(iteration, nullptr));
    }
}

TEST_F(Misuse, RaisesWhereTheSolverSaysSo) {
  solver.on_fail = TSGU_RAISE;
  ASSERT_EQ(start(), TSGU_OK);
  tsgu_request request;
  tsgu_tensor in, out;
  tsgu_status status;
  while ((status = tsgu_iteration_next(iteration, &request, &in, &out)) ==
             TSGU_OK &&
         request != TSGU_DONE)
    std::fill_n(static_cast<double *>(out.data), out.shape[0] * out.shape[1],
                0);
  EXPECT_EQ(status, TSGU_NOT_CONVERGED);
  tsgu_outcome outcome;
  ASSERT_EQ(tsgu_iteration_outcome(iteration, &outcome), TSGU_OK);
  EXPECT_EQ(outcome.worst, TSGU_INDEFINITE_MATRIX);
  EXPECT_NE(std::string(outcome.explanation).find("MINRES"), std::string::npos);
}

} // namespace
