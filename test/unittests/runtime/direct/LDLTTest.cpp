//===- LDLTTest.cpp - Factors of indefinite matrices ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The shapes of CholeskyTest.cpp with diagonals of every kind: of either sign,
// small, not stored. The oracle is dense and in long double; of large matrices,
// products with A.
//
//===----------------------------------------------------------------------===//

#include "HermitianShapes.h"

#include <atomic>
#include <cstring>

using namespace tsgu::test;

namespace {

template <typename T> class LDLTOf : public ::testing::Test {};
using Types =
    ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(LDLTOf, Types);

template <typename T> std::vector<Sparse<T>> indefinite() {
  std::vector<Sparse<T>> made;
  const auto add = [&](auto &&diagonal) {
    for (Sparse<T> &A : shapesWith<T>(diagonal))
      made.push_back(std::move(A));
  };
  using R = RealOf<T>;
  add([](int64_t, R sum) { return sum; });
  add([](int64_t i, R sum) { return i % 3 ? sum : -sum; });
  add([](int64_t i, R) { return R(i % 7) - R(3); });
  add([](int64_t i, R) { return R(i % 4 == 0); });
  add([](int64_t i, R) { return R(1e-5) * R(i % 2); });
  return made;
}

/// norm(A) norm(A^-1), infinity where there is no inverse.
template <typename T>
double conditionOf(const Dense<T> &dense, Dense<T> &inverse) {
  const Eigen::FullPivLU<Dense<T>> lu(dense);
  inverse = lu.inverse();
  const auto condition = double(dense.norm() * inverse.norm());
  return lu.isInvertible() && condition < 1e17 ? condition : INFINITY;
}

template <typename T>
void expectRefused(const Sparse<T> &A, tsgu::Status status, const char *words) {
  try {
    runtime::factorize(TSGU_LDLT, matrixOf(A), serial);
    ADD_FAILURE() << words;
  } catch (const tsgu::Error &error) {
    EXPECT_EQ(error.status(), status) << error.what();
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos)
        << error.what();
  }
}

TYPED_TEST(LDLTOf, DiagonalsOfEveryKind) {
  using T = TypeParam;
  int tested = 0;
  for (const Sparse<T> &A : indefinite<T>()) {
    SCOPED_TRACE(A.rows);
    const Dense<T> dense = denseOf(A, A.values);
    Dense<T> inverse;
    const double condition = conditionOf<T>(dense, inverse);
    if (std::isinf(condition)) {
      expectRefused(A, tsgu::Status::Singular, "row ");
      continue;
    }
    if (condition > 1e-2 / epsilon<T>()) // Singular or not, to a type.
      continue;
    ++tested;
    const auto factors = runtime::factorize(TSGU_LDLT, matrixOf(A), serial);
    const std::vector<T> D = Random<T>(8).block(int64_t(A.values.size()));
    const Dense<T> product =
        (inverse * denseOf(A, D) * inverse).eval().adjoint();
    std::vector<T> Z(A.values.size()), W(Z);
    factors->selectedInverse(matrixOf(A), Z.data(), serial);
    factors->selectedProduct(matrixOf(A), D.data(), W.data(), serial);
    // What growth and the condition leave of a rounding.
    const double unit = 100 * epsilon<T>() * condition;
    const double size = double(inverse.norm()), square = double(product.norm());
    for (int64_t i = 0; i < A.rows; ++i)
      for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e) {
        const int64_t j = A.coordinates[e];
        EXPECT_LE(double(std::abs(LongOf<T>(Z[e]) - inverse(i, j))),
                  unit * size);
        EXPECT_LE(double(std::abs(LongOf<T>(W[e]) - product(i, j))),
                  unit * (square + size * size));
      }
    const Eigen::SelfAdjointEigenSolver<Dense<T>> eigen(dense);
    EXPECT_EQ(factors->negative(), (eigen.eigenvalues().array() < 0).count());
    for (runtime::Mode mode :
         {runtime::Mode::N, runtime::Mode::T, runtime::Mode::C})
      for (int64_t p : {1, 2, 21}) {
        const std::vector<T> b = Random<T>(9).block(A.rows * p);
        std::vector<T> x(b.size());
        factors->apply(mode, {b.data(), A.rows, p, p}, {x.data(), A.rows, p, p},
                       serial);
        Dense<T> X(A.rows, p), B(A.rows, p);
        for (int64_t i = 0; i < A.rows; ++i)
          for (int64_t k = 0; k < p; ++k)
            X(i, k) = x[i * p + k], B(i, k) = b[i * p + k];
        const Dense<T> op =
            mode == runtime::Mode::T ? Dense<T>(dense.transpose()) : dense;
        EXPECT_LE(double((op * X - B).norm()),
                  1e3 * epsilon<T>() * double(op.norm() * X.norm()));
      }
  }
  EXPECT_GE(tested, 24);
}

/// A hollow grid: nothing but pairs of pivots, in tasks and above them.
TYPED_TEST(LDLTOf, TasksGiveTheSameBits) {
  using T = TypeParam;
  const int64_t m = 90, n = m * m;
  const Sparse<T> A = grid<T>(m, -4.3), again = grid<T>(m, -4.3);
  const std::vector<T> D = Random<T>(8).block(int64_t(A.values.size()));
  std::vector<std::vector<T>> all;
  for (const Sparse<T> *of : {&A, &again}) {
    const tsgu_executor &executor = of == &A ? serial : reversed;
    const auto factors = runtime::factorize(TSGU_LDLT, matrixOf(*of), executor);
    EXPECT_GT(factors->negative(), n / 4);
    std::vector<T> Z(A.values.size()), W(Z), b = Random<T>(9).block(n), x(b);
    factors->selectedInverse(matrixOf(*of), Z.data(), executor);
    factors->selectedProduct(matrixOf(*of), D.data(), W.data(), executor);
    factors->apply(runtime::Mode::N, {b.data(), n, 1, 1}, {x.data(), n, 1, 1},
                   executor);
    Z.insert(Z.end(), W.begin(), W.end());
    Z.insert(Z.end(), x.begin(), x.end());
    all.push_back(Z);
  }
  EXPECT_EQ(
      std::memcmp(all[0].data(), all[1].data(), all[0].size() * sizeof(T)), 0);
}

/// [H B^H; B 0] with rows of B after, before and among those of H.
TEST(LDLT, SaddlePoints) {
  const int64_t half = 60, n = half + half / 3;
  for (const int64_t turn : {1, 7, 37, 79}) {
    const auto place = [&](int64_t i) { return i * turn % n; };
    std::vector<std::vector<double>> A(n, std::vector<double>(n));
    Random<double> random(unsigned{5});
    const auto add = [&](int64_t i, int64_t j, double value) {
      A[place(i)][place(j)] = A[place(j)][place(i)] = value;
    };
    for (int64_t i = 0; i < half; ++i) {
      add(i, i, 3 + random());
      if (i > 0)
        add(i, i - 1, random());
    }
    for (int64_t c = half; c < n; ++c)
      for (int64_t k = 0; k < 3; ++k)
        add(c, ((c - half) * 3 + k) % half, 1 + 0.5 * random());
    const Sparse<double> sparse(n, n,
                                [&](int64_t i, int64_t j) { return A[i][j]; });
    const auto factors =
        runtime::factorize(TSGU_LDLT, matrixOf(sparse), serial);
    EXPECT_EQ(factors->negative(), n - half);
    std::vector<double> b(n, 1), x(n);
    factors->apply(runtime::Mode::N, {b.data(), n, 1, 1}, {x.data(), n, 1, 1},
                   serial);
    const auto y = sparse.apply(TSGU_N, {x.begin(), x.end()}, 1);
    for (const long double value : y)
      EXPECT_NEAR(double(value), 1, 1e-12);
  }
}

TEST(LDLT, RefusesWhatHasNoFactors) {
  const auto matrix = [](std::vector<std::vector<double>> rows) {
    const auto n = int64_t(rows.size());
    return Sparse<double>(n, n,
                          [&](int64_t i, int64_t j) { return rows[i][j]; });
  };
  using tsgu::Status;
  expectRefused(matrix({{1, 1}, {1, 1}}), Status::Singular, "row ");
  expectRefused(matrix({{0, 1, 1}, {1, 0, 0}, {1, 0, 0}}), Status::Singular,
                "row ");
  expectRefused(matrix({{1, 0}, {0, 0}}), Status::Singular, "row 1 has no");
  expectRefused(matrix({{1, 2}, {3, 1}}), Status::InvalidArgument,
                "ldlt: the matrix is not Hermitian: entry (0, 1) is 2, entry "
                "(1, 0) is 3");
  expectRefused(matrix({{NAN}}), Status::InvalidArgument, "row 0");
  using C = std::complex<double>;
  const Sparse<C> symmetric(2, 2, [](int64_t, int64_t) { return C(1, 1); });
  expectRefused(symmetric, Status::InvalidArgument, "not Hermitian");
  // Rows of a graph's Laplacian sum to nothing, whatever the signs.
  Sparse<double> A = grid<double>(20);
  for (int64_t i = 0; i < A.rows; ++i) {
    double sum = 0;
    int32_t diagonal = 0;
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      if (A.coordinates[e] == i)
        diagonal = e;
      else
        sum += A.values[e] *= (i + A.coordinates[e]) % 3 ? 1.3 : -0.7;
    A.values[diagonal] = -sum;
  }
  expectRefused(A, Status::Singular, "row ");
}

TEST(LDLT, IsInterruptedBetweenFronts) {
  Sparse<double> A = grid<double>(300, -3.7);
  expectInterrupted(TSGU_LDLT, A, 2);
}

} // namespace
