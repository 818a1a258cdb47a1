//===- HermitianShapes.h - Hermitian matrices with trees --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_UNITTESTS_RUNTIME_DIRECT_HERMITIANSHAPES_H
#define TSGU_TEST_UNITTESTS_RUNTIME_DIRECT_HERMITIANSHAPES_H

#include "KrylovMatrices.h"
#include "direct/Factorization.h"
#include "direct/cholesky/Symbolic.h"

#include "tsgu/Error.h"

#include <Eigen/Dense>
#include <atomic>
#include <gtest/gtest.h>

namespace tsgu::test {

namespace runtime = tsgu::runtime;

template <typename T>
using Dense = Eigen::Matrix<LongOf<T>, Eigen::Dynamic, Eigen::Dynamic>;

template <typename T> runtime::Matrix<T> matrixOf(const Sparse<T> &A) {
  return {reinterpret_cast<runtime::Pattern *>(A.pattern), 0, A.values.data()};
}

template <typename T>
Dense<T> denseOf(const Sparse<T> &A, const std::vector<T> &values) {
  Dense<T> dense = Dense<T>::Zero(A.rows, A.columns);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      dense(i, A.coordinates[e]) = LongOf<T>(values[e]);
  return dense;
}

inline const tsgu_executor serial{1, nullptr};
inline const tsgu_executor reversed{
    5, [](int64_t count, tsgu_task task, void *to) {
      for (int64_t i = count; i-- > 0;)
        task(to, i, i + 1);
    }};

/// Where `stored` says so, Hermitian; diagonal(row, what dominates).
template <typename T, typename F, typename G>
Sparse<T> hermitianWhere(int64_t n, unsigned seed, F &&stored, G &&diagonal) {
  Random<T> random(seed);
  std::vector<std::vector<T>> values(n, std::vector<T>(n));
  std::vector<RealOf<T>> sums(n, 1);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j)
      if (stored(i, j)) {
        values[i][j] = random(),
        values[j][i] = runtime::conjugate(values[i][j]);
        sums[i] += std::abs(values[i][j]), sums[j] += std::abs(values[i][j]);
      }
  return Sparse<T>(n, n, [&](int64_t i, int64_t j) {
    return i == j ? T(diagonal(i, sums[i])) : values[i][j];
  });
}

/// By name: a grid, arrows in both directions, a band, a cycle, blocks apart, a
/// dense matrix.
template <typename T, typename G>
std::vector<Sparse<T>> shapesWith(G &&diagonal) {
  std::vector<Sparse<T>> made;
  const auto add = [&](int64_t n, auto &&stored) {
    made.push_back(hermitianWhere<T>(n, unsigned(n), stored, diagonal));
  };
  add(169, [](int64_t i, int64_t j) {
    return std::abs(i / 13 - j / 13) + std::abs(i % 13 - j % 13) == 1;
  });
  add(60, [](int64_t, int64_t j) { return j == 0; });
  add(60, [](int64_t i, int64_t) { return i == 59; });
  add(120, [](int64_t i, int64_t j) { return i - j <= 9; });
  add(90, [](int64_t i, int64_t j) { return (i - j) % 88 == 1; });
  add(70, [](int64_t i, int64_t j) { return i / 7 == j / 7; });
  add(40, [](int64_t, int64_t) { return false; });
  add(150, [](int64_t, int64_t) { return true; });
  return made;
}

/// A factorisation of new values is interrupted at the question after so many,
/// and the next one is right.
inline void expectInterrupted(tsgu_method method, Sparse<double> &A,
                              int questions) {
  static std::atomic<int> left;
  runtime::factorize(method, matrixOf(A), serial); // And analysed.
  tsgu_callbacks callbacks{};
  callbacks.interrupted = []() -> int32_t { return --left < 0; };
  for (const tsgu_executor &executor : {serial, reversed}) {
    A.values[0] += 1, left = questions;
    tsgu_set_callbacks(&callbacks);
    try {
      runtime::factorize(method, matrixOf(A), executor);
      ADD_FAILURE() << left << " of " << questions << " questions left";
    } catch (const Error &error) {
      EXPECT_EQ(error.status(), Status::Interrupted) << error.what();
    }
    const tsgu_callbacks none{};
    tsgu_set_callbacks(&none);
    const auto factors = runtime::factorize(method, matrixOf(A), serial);
    std::vector<double> b(A.rows, 1), x(b);
    factors->apply(runtime::Mode::N, {b.data(), A.rows, 1, 1},
                   {x.data(), A.rows, 1, 1}, serial);
    const auto y = A.apply(TSGU_N, {x.begin(), x.end()}, 1);
    for (const long double value : y)
      EXPECT_NEAR(double(value), 1, 1e-12);
  }
}

template <typename T> double epsilon() {
  return std::numeric_limits<RealOf<T>>::epsilon();
}

} // namespace tsgu::test

#endif // TSGU_TEST_UNITTESTS_RUNTIME_DIRECT_HERMITIANSHAPES_H
