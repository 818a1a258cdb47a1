//===- DirectTest.cpp - Solves by factorisations --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"

#include <cstring>
#include <limits>
#include <numeric>
#include <thread>

using namespace tsgu::test;

namespace {

template <typename T> double epsilon() {
  return std::numeric_limits<RealOf<T>>::epsilon();
}

/// x solves a matrix that is A but for a few rounding errors, in long double.
template <typename T>
void expectSolved(const Sparse<T> &A, tsgu_mode mode, const std::vector<T> &b,
                  const std::vector<T> &x, int64_t p) {
  const std::vector<LongOf<T>> wide(x.begin(), x.end());
  const std::vector<LongOf<T>> y = A.apply(mode, wide, p);
  std::vector<long double> terms(b.size());
  for (int64_t i = 0; i < A.rows; ++i)
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      for (int64_t j = 0; j < p; ++j) {
        const int64_t to = mode == TSGU_N ? i : A.coordinates[e];
        const int64_t from = mode == TSGU_N ? A.coordinates[e] : i;
        terms[to * p + j] +=
            std::abs(LongOf<T>(A.values[e])) * std::abs(wide[from * p + j]);
      }
  for (int64_t j = 0; j < p; ++j) {
    long double rest = 0, all = 0;
    for (size_t e = j; e < b.size(); e += p) {
      rest += std::norm(LongOf<T>(b[e]) - y[e]);
      all += std::norm(terms[e] + std::abs(LongOf<T>(b[e])));
    }
    EXPECT_LE(double(std::sqrt(rest)),
              8 * epsilon<T>() * double(std::sqrt(all)))
        << "mode " << mode << ", column " << j << " of " << p;
  }
}

/// Rows in a random order: what is on the diagonal says nothing.
template <typename T> Sparse<T> shuffled(int64_t n, unsigned seed) {
  Random<T> random(seed);
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random.engine);
  return Sparse<T>(n, n, [&](int64_t i, int64_t j) {
    const T value = random.engine() % 4 == 0 ? random() : T(0);
    return order[i] == j ? value + T(RealOf<T>(2)) : value;
  });
}

template <typename T> class Direct : public ::testing::Test {};
using Types =
    ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Direct, Types);

TYPED_TEST(Direct, EveryMode) {
  using T = TypeParam;
  for (int64_t n : {1, 2, 5, 40})
    for (unsigned seed : {1u, 2u, 3u})
      for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT}) {
        const Sparse<T> A = method == TSGU_LU
                                ? shuffled<T>(n, seed)
                                : hermitian<T>(n, seed, double(n) / 2 + 2);
        for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C})
          for (int64_t p : {1, 3, 37}) {
            const std::vector<T> b = Random<T>(seed + 7).block(n * p);
            const Solved<T> solved = solve(solverOf(method, -1), mode, A, b, p);
            ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
            EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
            expectSolved(A, mode, b, solved.x, p);
            const auto norms = residuals(A, mode, solved.x, b, p);
            for (int64_t j = 0; j < p; ++j)
              EXPECT_NEAR(told.residuals[j], norms[j].first,
                          told.goals[j] / 20);
          }
      }
}

tsgu_executor backwards() {
  return {5, [](int64_t count, tsgu_task task, void *context) {
            for (int64_t i = count; i-- > 0;)
              task(context, i, i + 1);
          }};
}

TYPED_TEST(Direct, SameBitsWhateverTheThreadsAndTheColumnsBeside) {
  using T = TypeParam;
  const int64_t n = 60, p = 50;
  const tsgu_executor others = backwards();
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT}) {
    const Sparse<T> A = hermitian<T>(n, 4, 30);
    const std::vector<T> b = Random<T>(9).block(n * p);
    const auto all = solve(solverOf(method, -1), TSGU_N, A, b, p).x;
    const auto again =
        solve(solverOf(method, -1), TSGU_N, A, b, p, {}, &others).x;
    EXPECT_EQ(std::memcmp(all.data(), again.data(), n * p * sizeof(T)), 0);
  }
}

uint64_t factorizations() {
  tsgu_counters counters;
  tsgu_get_counters(&counters);
  return counters.factorizations;
}

TYPED_TEST(Direct, FoundAgainByTheContentOfTheValues) {
  using T = TypeParam;
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT}) {
    Sparse<T> A = hermitian<T>(20, 5, 12);
    const std::vector<T> b = Random<T>(9).block(20);
    const tsgu_solver solver = solverOf(method, -1);
    auto made = [&] {
      const uint64_t before = factorizations();
      for (tsgu_mode mode : {TSGU_N, TSGU_C, TSGU_T})
        expectSolved(A, mode, b, solve(solver, mode, A, b, 1).x, 1);
      return factorizations() - before;
    };
    EXPECT_EQ(made(), 1u);
    const std::vector<T> kept = A.values;
    for (int k = 1; k < 8; ++k) {
      A.values[0] = kept[0] + T(RealOf<T>(k));
      EXPECT_EQ(made(), 1u) << k;
    }
    A.values = std::vector<T>(kept); // Elsewhere in memory.
    EXPECT_EQ(made(), 0u);
  }
}

TEST(DirectCache, CountsItsBytesAndGoesWithThePattern) {
  tsgu_counters before, after;
  tsgu_get_counters(&before);
  {
    Sparse<double> A = grid<double>(40, 0.1);
    const std::vector<double> b = Random<double>(1).block(1600);
    int64_t most = 0;
    for (int k = 0; k < 200; ++k) {
      A.values[0] = 8 + k;
      for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT})
        ASSERT_EQ(solve(solverOf(method, -1), TSGU_N, A, b, 1).status, TSGU_OK);
      tsgu_get_counters(&after);
      most = std::max(most, after.prepared_bytes - before.prepared_bytes);
    }
    EXPECT_GT(most, 1 << 20);
    EXPECT_LE(most, 195 << 20); // 64 MiB each, and what entries cost besides.
    EXPECT_GT(after.pattern_bytes, before.pattern_bytes);
  }
  tsgu_get_counters(&after);
  EXPECT_EQ(after.pattern_bytes, before.pattern_bytes);
  EXPECT_EQ(after.prepared_bytes, before.prepared_bytes);
  EXPECT_EQ(after.prepared, before.prepared);
}

TEST(DirectThreads, ManyMatricesAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  const Sparse<double> shared = grid<double>(12, 0.2);
  const tsgu_callbacks none{};
  tsgu_set_callbacks(&none);
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      std::vector<double> values = shared.values;
      for (int round = 0; round < 30; ++round) {
        values[0] = 5 + (t + round) % 7;
        const std::vector<double> b = Random<double>(t + round).block(144);
        std::vector<double> x(144);
        const int64_t n[2] = {144, 1}, strides[2] = {1, 1}, one = 1;
        const auto stored = static_cast<int64_t>(values.size());
        const tsgu_tensor v{values.data(), TSGU_F64, 1, &stored, &one};
        const tsgu_tensor bb{const_cast<double *>(b.data()), TSGU_F64, 2, n,
                             strides};
        const tsgu_tensor xx{x.data(), TSGU_F64, 2, n, strides};
        const tsgu_solver solver =
            solverOf(round % 2 ? TSGU_LU : TSGU_CHOLESKY, -1);
        if (tsgu_solve(&solver, TSGU_N, shared.pattern, &v, &bb, &xx, 0,
                       nullptr) != TSGU_OK)
          ++wrong;
        double rest = 0;
        for (int64_t i = 0; i < 144; ++i) {
          double sum = b[i];
          for (int32_t e = shared.positions[i]; e < shared.positions[i + 1];
               ++e)
            sum -= values[e] * x[shared.coordinates[e]];
          rest = std::max(rest, std::abs(sum));
        }
        if (rest > 1e-13)
          ++wrong;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

} // namespace
