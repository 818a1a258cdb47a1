//===- StaticLUTest.cpp - LU by pivots that are known -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every answer is judged by its residual in long double, whatever pivots it
// came by.
//
//===----------------------------------------------------------------------===//

#include "direct/lu/StaticLU.h"
#include "KrylovMatrices.h"
#include "direct/Factorization.h"

#include <Eigen/SparseCore>

#include <atomic>
#include <chrono>
#include <cstring>

using namespace tsgu::test;
namespace runtime = tsgu::runtime;

namespace {

const tsgu_executor serial{1, nullptr};

template <typename T> runtime::Matrix<T> matrixOf(const Sparse<T> &A) {
  return {reinterpret_cast<runtime::Pattern *>(A.pattern), 0, A.values.data()};
}

/// A band around a diagonal of this size, and entries away from it in some
/// rows.
template <typename T>
Sparse<T> banded(int64_t n, unsigned seed, double diagonal = 2) {
  Random<T> random(seed);
  const int64_t apart = 1 + n / 20;
  return Sparse<T>(n, n, [&](int64_t i, int64_t j) {
    if (std::abs(i - j) > 2 && (i % apart || (7 * i + 3) % n != j))
      return T(0);
    const T value = random();
    return i == j ? T(RealOf<T>(diagonal)) * (T(1) + value / T(4)) : value;
  });
}

template <typename T>
void expectSolutions(const Sparse<T> &A, double roundings = 100) {
  for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C})
    for (int64_t p : {1, 3}) {
      const std::vector<T> b = Random<T>(7).block(A.rows * p);
      const Solved<T> solved = solve(solverOf(TSGU_LU, -1), mode, A, b, p);
      ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
      ASSERT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
      // norm(r) <= norm(|A| |x| + |b|) roundings.
      Sparse<long double> sizes(A.rows, A.columns,
                                [](int64_t, int64_t) { return 0.0L; });
      sizes.positions = A.positions, sizes.coordinates = A.coordinates;
      for (const T &value : A.values)
        sizes.values.push_back(std::abs(LongOf<T>(value)));
      std::vector<long double> x;
      for (const T &value : solved.x)
        x.push_back(std::abs(LongOf<T>(value)));
      const auto terms = sizes.apply(mode == TSGU_C ? TSGU_T : mode, x, p);
      const auto norms = residuals(A, mode, solved.x, b, p);
      for (int64_t j = 0; j < p; ++j) {
        long double size = 0;
        for (int64_t i = 0; i < A.rows; ++i) {
          const auto term =
              terms[i * p + j] + std::abs(LongOf<T>(b[i * p + j]));
          size += term * term;
        }
        EXPECT_LE(norms[j].first,
                  roundings * std::numeric_limits<RealOf<T>>::epsilon() *
                      double(std::sqrt(size)));
      }
    }
}

template <typename T> class StaticLU : public testing::Test {};
using Types =
    testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(StaticLU, Types);

TYPED_TEST(StaticLU, DiagonalsOfAnySize) {
  using T = TypeParam;
  for (int64_t n : {1, 2, 9, 100, 400})
    for (double diagonal : {1e-20, 1e-6, 0.05, 0.5, 3.0, 1e6})
      for (unsigned seed : {1u, 2u})
        expectSolutions(banded<T>(n, seed, diagonal));
}

TYPED_TEST(StaticLU, APivotThatIsZero) {
  using T = TypeParam;
  Sparse<T> A(2, 2, [](int64_t i, int64_t j) { return T(i == j ? 5 : 1); });
  expectSolutions(A);
  A.values = {T(0), T(1), T(1), T(0)};
  expectSolutions(A);
  A.values = {T(RealOf<T>(1e-30)), T(1), T(1), T(1)};
  expectSolutions(A);
  A.values = {T(1), T(1), T(1), T(1)};
  const auto solved =
      solve(solverOf(TSGU_LU, -1), TSGU_N, A, std::vector<T>(2, T(1)), 1);
  EXPECT_EQ(solved.status, TSGU_SINGULAR);
  EXPECT_NE(std::strstr(tsgu_last_error(), "row"), nullptr);
}

TYPED_TEST(StaticLU, NoDiagonal) {
  using T = TypeParam;
  Random<T> random(3);
  expectSolutions(Sparse<T>(60, 60, [&](int64_t i, int64_t j) {
    return (i + 1) % 60 == j || (i + 7) % 60 == j ? random() : T(0);
  }));
}

TYPED_TEST(StaticLU, SameBitsWhateverCameBefore) {
  using T = TypeParam;
  const std::vector<T> b = Random<T>(1).block(100);
  const auto solutionOf = [&](const Sparse<T> &A) {
    return solve(solverOf(TSGU_LU, -1), TSGU_N, A, b, 1).x;
  };
  for (double diagonal : {2.0, 0.1}) {
    const std::vector<T> alone = solutionOf(banded<T>(100, 5, diagonal));
    Sparse<T> A = banded<T>(100, 5, 0.1);
    solutionOf(A);
    A.values = banded<T>(100, 6, 2).values;
    solutionOf(A);
    A.values = banded<T>(100, 5, diagonal).values;
    EXPECT_EQ(std::memcmp(solutionOf(A).data(), alone.data(), 100 * sizeof(T)),
              0);
  }
}

/// The pattern of a full matrix.
runtime::lu::Pivots full(int32_t n) {
  runtime::lu::Pivots made;
  for (int32_t k = 0; k < n; ++k) {
    made.placeOf.push_back(k);
    for (int32_t row = 0; row < n; ++row) {
      if (row == k)
        made.middles.push_back(int32_t(made.rowOf.size()));
      else
        made.rowOf.push_back(row);
    }
    made.starts.push_back(int32_t(made.rowOf.size()));
  }
  return made;
}

Eigen::SparseMatrix<double, 0, int64_t>
matrix(const std::vector<std::vector<double>> &rows) {
  const auto n = int64_t(rows.size());
  Eigen::SparseMatrix<double, 0, int64_t> M(n, n);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i)
      if (rows[i][j] != 0)
        M.insert(i, j) = rows[i][j];
  M.makeCompressed();
  return M;
}

TEST(StaticLUPivots, AreRefusedWhereErrorsGrow) {
  const auto suit = [](const std::vector<std::vector<double>> &rows) {
    auto pivots =
        std::make_shared<runtime::lu::Pivots>(full(int32_t(rows.size())));
    return runtime::lu::StaticLU<double>(pivots).factorise(matrix(rows));
  };
  EXPECT_TRUE(suit({{1, 1}, {9, 1}}));
  EXPECT_FALSE(suit({{1, 1}, {11, 1}}));
  EXPECT_FALSE(suit({{0, 1}, {1, 1}}));
  EXPECT_FALSE(suit({{1e-9, 1}, {0, 1}}));
  EXPECT_FALSE(suit({{1, 1}, {1, 1 + 1e-12}}));
  EXPECT_FALSE(suit({{1, NAN}, {1, 1}}));
}

TEST(StaticLUPivots, HaveNoEntriesThatNoMatrixHas) {
  // An arrow by its point last: nothing is filled in.
  const auto pruned = full(4).pruned(
      matrix({{1, 0, 0, 1}, {0, 1, 0, 1}, {0, 0, 1, 1}, {1, 1, 1, 1}}));
  EXPECT_EQ(pruned.rowOf, (std::vector<int32_t>{3, 3, 3, 0, 1, 2}));
  EXPECT_EQ(pruned.middles, (std::vector<int32_t>{0, 1, 2, 6}));
  // By its point first, everything is.
  const auto other = full(4).pruned(
      matrix({{1, 1, 1, 1}, {1, 1, 0, 0}, {1, 0, 1, 0}, {1, 0, 0, 1}}));
  EXPECT_EQ(other.rowOf.size(), 12u);
}

TEST(StaticLUInterrupts, StopsWithin200Milliseconds) {
  const int64_t n = 300000, width = 16;
  Random<double> random(1);
  Sparse<double> A;
  A.rows = A.columns = n;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = std::max<int64_t>(0, i - width);
         j <= std::min(n - 1, i + width); ++j)
      A.add(j, i == j ? 2.0 * width : random());
    A.endRow();
  }
  A.close();
  runtime::factorize(TSGU_LU, matrixOf(A), serial); // Analyses.
  for (double &value : A.values)
    value *= 1.25;
  using Clock = std::chrono::steady_clock;
  static std::atomic<int64_t> asked;
  static Clock::time_point answered;
  asked = 0;
  tsgu_callbacks callbacks{};
  callbacks.interrupted = []() -> int32_t {
    if (asked++ < 1)
      return 0;
    if (answered == Clock::time_point())
      answered = Clock::now();
    return 1;
  };
  tsgu_set_callbacks(&callbacks);
  EXPECT_THROW(runtime::factorize(TSGU_LU, matrixOf(A), serial), tsgu::Error);
  EXPECT_LT(Clock::now() - answered, std::chrono::milliseconds(200));
  tsgu_set_callbacks(nullptr);
}

} // namespace
