//===- LanesTest.cpp - Batches of small systems on one pattern ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ErrorTesting.h"
#include "KrylovMatrices.h"
#include "base/Parallel.h"
#include "solvers/Solve.h"

#include <cstring>
#include <limits>

using namespace tsgu::test;
namespace runtime = tsgu::runtime;

namespace {

uint64_t factorizations() {
  tsgu_counters counters;
  tsgu_get_counters(&counters);
  return counters.factorizations;
}

/// Matrices on the pattern of the first one, and right-hand sides.
template <typename T> struct Systems {
  Sparse<T> A;
  int64_t count, p;
  std::vector<T> values, b, x;

  Systems(int64_t count, int64_t n, int64_t p, tsgu_method method)
      : A(hermitian<T>(n, 3, double(n) / 2 + 2)), count(count), p(p) {
    Random<T> random(static_cast<unsigned>(count));
    for (int64_t item = 0; item < count; ++item)
      for (int64_t i = 0; i < n; ++i)
        for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
          values.push_back(method == TSGU_LU && A.coordinates[e] != i
                               ? random()
                               : A.values[e] * RealOf<T>(1 + item % 5));
    b = random.block(count * n * p);
    x.assign(b.size(), T(NAN));
  }

  int64_t n() const { return A.rows; }
  T *item(int64_t i) { return values.data() + i * A.values.size(); }

  void solve(tsgu_method method, tsgu_mode mode,
             const tsgu_executor &executor) {
    const tsgu_solver solver = solverOf(method, -1);
    runtime::Problem problem;
    problem.mode = static_cast<runtime::Mode>(mode);
    problem.solver = &solver;
    problem.pattern = reinterpret_cast<runtime::Pattern *>(A.pattern);
    problem.type = static_cast<tsgu::ElementType>(typeOf<T>());
    problem.values = values.data(), problem.columns = p;
    problem.b = b.data(), problem.bItem = n() * p, problem.bRow = p;
    problem.x = x.data(), problem.xItem = n() * p, problem.xRow = p;
    const tsgu_callbacks callbacks = listener();
    told = {};
    tsgu_set_callbacks(&callbacks);
    runtime::solveBatch(problem, count, executor);
  }

  /// In long double, each item by itself.
  void expectSolved(tsgu_mode mode) {
    const std::vector<T> own = A.values;
    for (int64_t i = 0; i < count; ++i) {
      A.values.assign(item(i), item(i) + own.size());
      const auto part = [&](const std::vector<T> &all) {
        return std::vector<T>(all.begin() + i * n() * p,
                              all.begin() + (i + 1) * n() * p);
      };
      for (const auto &[rest, size] : residuals(A, mode, part(x), part(b), p))
        EXPECT_LE(rest, 64 * std::numeric_limits<RealOf<T>>::epsilon() * size)
            << "item " << i << " of " << count;
    }
    A.values = own;
  }
};

const tsgu_executor serial{1, nullptr};

tsgu_executor backwards() {
  return {5, [](int64_t count, tsgu_task task, void *context) {
            for (int64_t i = count; i-- > 0;)
              task(context, i, i + 1);
          }};
}

template <typename T> class Lanes : public ::testing::Test {};
using Types =
    ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Lanes, Types);

TYPED_TEST(Lanes, EveryModeAndCount) {
  for (tsgu_method method : {TSGU_CHOLESKY, TSGU_LU})
    for (int64_t n : {1, 2, 23})
      for (int64_t count : {1, 7, 8, 9, 40})
        for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C})
          for (int64_t p : {1, 3}) {
            Systems<TypeParam> systems(count, n, p, method);
            systems.solve(method, mode, serial);
            systems.expectSolved(mode);
            EXPECT_EQ(told.calls, count);
            EXPECT_EQ(told.columns, p);
            EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
          }
}

TYPED_TEST(Lanes, OneFactorisationForEachItem) {
  for (tsgu_method method : {TSGU_CHOLESKY, TSGU_LU}) {
    Systems<TypeParam> systems(21, 12, 1, method);
    // Of equal values, one by itself is found again.
    for (size_t e = 0; e < systems.values.size(); ++e)
      systems.values[e] *=
          RealOf<TypeParam>(1 + e / systems.A.values.size() / 64.0);
    const uint64_t before = factorizations();
    for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C})
      systems.solve(method, mode, serial);
    EXPECT_EQ(factorizations(), before + 21);
  }
}

TYPED_TEST(Lanes, SameBitsWhateverTheThreads) {
  for (tsgu_method method : {TSGU_CHOLESKY, TSGU_LU}) {
    Systems<TypeParam> one(50, 20, 2, method), other(50, 20, 2, method);
    one.solve(method, TSGU_N, serial);
    other.solve(method, TSGU_N, backwards());
    EXPECT_EQ(std::memcmp(one.x.data(), other.x.data(),
                          one.x.size() * sizeof(TypeParam)),
              0);
  }
}

TYPED_TEST(Lanes, WhatIsSingularIsNamedByItself) {
  for (tsgu_method method : {TSGU_CHOLESKY, TSGU_LU}) {
    Systems<TypeParam> systems(20, 12, 1, method);
    const auto &A = systems.A;
    for (int32_t e = A.positions[5]; e < A.positions[6]; ++e)
      systems.item(13)[e] = 0;
    for (size_t e = 0; e < A.coordinates.size(); ++e)
      if (A.coordinates[e] == 5)
        systems.item(13)[e] = 0;
    const std::string error = errorOf(
        tsgu::Status::Singular, [&] { systems.solve(method, TSGU_N, serial); });
    EXPECT_NE(error.find("row 5"), std::string::npos) << error;
  }
}

/// Its diagonal pivots are 0, where those of the others are large.
TYPED_TEST(Lanes, AnItemThatWantsOtherPivots) {
  using T = TypeParam;
  Systems<T> systems(20, 2, 1, TSGU_LU);
  systems.A = Sparse<T>(2, 2, [](int64_t, int64_t) { return T(1); });
  systems.values.clear();
  for (int64_t item = 0; item < 20; ++item)
    for (const double value : {2., 1., 1., 3.})
      systems.values.push_back(T(RealOf<T>(value + double(item))));
  for (const int k : {0, 3})
    systems.item(11)[k] = 0;
  systems.solve(TSGU_LU, TSGU_N, serial);
  systems.expectSolved(TSGU_N);
}

} // namespace
