//===- FactorizationAllocationTest.cpp - Factors that run out of memory ---===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As SolverAllocationTest.cpp, of what factors do beside solves.
//
//===----------------------------------------------------------------------===//

#include "FailEach.h"
#include "KrylovMatrices.h"
#include "direct/Factorization.h"
#include "solvers/Solve.h"

#include <new>

using namespace tsgu::test;
namespace runtime = tsgu::runtime;

namespace {

/// Whether memory ended, which is the only way to end.
template <typename F> bool ranOut(F &&call) {
  try {
    call();
    return false;
  } catch (const std::bad_alloc &) {
    return true;
  } catch (const tsgu::Error &error) {
    EXPECT_EQ(error.status(), tsgu::Status::OutOfMemory) << error.what();
    return true;
  }
}

/// Whether the k-th allocation of `all` is reached, and so fails; then it is a
/// typed error, and the call can be made again.
template <typename F> bool failsAt(int64_t k, const F &all) {
  untilFailure = k;
  const bool failed = ranOut(all);
  const bool reached = untilFailure == 0;
  untilFailure = -1;
  EXPECT_TRUE(reached || !failed) << "allocation " << k;
  if (failed) {
    EXPECT_FALSE(ranOut(all)) << "after allocation " << k;
  }
  return reached;
}

template <typename T> void failEachCall(tsgu_method method, int64_t side) {
  const tsgu_executor serial{1, nullptr};
  failEach(tsgu_method_name(method), [&](int64_t k) {
    // Of L D L^T pivots that are chosen, and columns that are moved.
    const Sparse<T> A = grid<T>(side, method == TSGU_LDLT ? -3.999 : 0.1);
    const runtime::Matrix<T> matrix{
        reinterpret_cast<runtime::Pattern *>(A.pattern), 0, A.values.data()};
    std::vector<T> inverse(A.values.size()), product(inverse), x(A.rows), y(x);
    std::vector<T> others = A.values; // On the analysis of the first ones.
    for (T &value : others)
      value *= RealOf<T>(1.5);
    const auto all = [&] {
      const auto factors = runtime::factorize(method, matrix, serial);
      factors->selectedInverse(matrix, inverse.data(), serial);
      factors->selectedProduct(matrix, inverse.data(), product.data(), serial);
      if (method == TSGU_CHOLESKY)
        factors->halfSolve(runtime::Mode::C, {x.data(), A.rows, 1, 1},
                           {y.data(), A.rows, 1, 1}, serial);
      runtime::factorize(
          method, runtime::Matrix<T>{matrix.pattern, 0, others.data()}, serial);
    };
    return failsAt(k, all);
  });
}

TEST(FactorizationAllocation, InversesAndHalfSolves) {
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT}) {
    failEachCall<double>(method, 7);
    failEachCall<std::complex<float>>(method, 4);
  }
}

/// Of a matrix that lacks rank, which takes a second factorisation.
TEST(FactorizationAllocation, LeastSquares) {
  const tsgu_executor serial{1, nullptr};
  failEach("qr", [&](int64_t k) {
    const Sparse<double> A(9, 6, [](int64_t i, int64_t j) {
      return i % 3 == j % 3 ? double((1 + i / 3) * (1 + j / 3)) : 0.0;
    });
    std::vector<double> b(A.rows, 1), x(A.columns);
    const tsgu_solver solver = solverOf(TSGU_QR, -1);
    runtime::Problem problem;
    problem.kind = runtime::Problem::LeastSquares;
    problem.solver = &solver;
    problem.pattern = reinterpret_cast<runtime::Pattern *>(A.pattern);
    problem.values = A.values.data(), problem.columns = 1;
    problem.b = b.data(), problem.bRow = 1;
    problem.x = x.data(), problem.xRow = 1;
    const auto all = [&] { runtime::solve(problem, serial); };
    const tsgu_callbacks none{};
    tsgu_set_callbacks(&none);
    return failsAt(k, all);
  });
}

TEST(FactorizationAllocation, BatchesInLanes) {
  const tsgu_executor serial{1, nullptr};
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY})
    failEach(tsgu_method_name(method), [&](int64_t k) {
      const int64_t count = 9;
      const Sparse<double> A = grid<double>(4, 0.1);
      std::vector<double> values, b(count * A.rows, 1), x(b);
      for (int64_t item = 0; item < count; ++item)
        values.insert(values.end(), A.values.begin(), A.values.end());
      const tsgu_solver solver = solverOf(method, -1);
      runtime::Problem problem;
      problem.solver = &solver;
      problem.pattern = reinterpret_cast<runtime::Pattern *>(A.pattern);
      problem.values = values.data(), problem.columns = 1;
      problem.b = b.data(), problem.bItem = A.rows, problem.bRow = 1;
      problem.x = x.data(), problem.xItem = A.rows, problem.xRow = 1;
      const auto all = [&] { runtime::solveBatch(problem, count, serial); };
      const tsgu_callbacks none{};
      tsgu_set_callbacks(&none);
      return failsAt(k, all);
    });
}

} // namespace
