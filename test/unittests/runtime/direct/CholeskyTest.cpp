//===- CholeskyTest.cpp - Factors by supernodes ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Matrices with trees: fronts of every width, tasks, a top. The oracle is dense
// and in long double where that takes no time; of larger ones, columns of the
// inverse are checked by products with A.
//
//===----------------------------------------------------------------------===//

#include "HermitianShapes.h"

#include <atomic>
#include <cstring>
#include <utility>

using namespace tsgu::test;
namespace {

/// With diagonals that dominate.
template <typename T> std::vector<Sparse<T>> shapes() {
  return shapesWith<T>([](int64_t, RealOf<T> sum) { return sum; });
}

template <typename T> class CholeskyOf : public ::testing::Test {};
using Types =
    ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(CholeskyOf, Types);

TYPED_TEST(CholeskyOf, ShapesOfTrees) {
  using T = TypeParam;
  for (const Sparse<T> &A : shapes<T>()) {
    SCOPED_TRACE(A.rows);
    const auto factors = runtime::factorize(TSGU_CHOLESKY, matrixOf(A), serial);
    const Dense<T> inverse = denseOf(A, A.values).inverse();
    const std::vector<T> D = Random<T>(8).block(int64_t(A.values.size()));
    const Dense<T> product =
        (inverse * denseOf(A, D) * inverse).eval().adjoint();
    std::vector<T> Z(A.values.size()), W(Z);
    factors->selectedInverse(matrixOf(A), Z.data(), serial);
    factors->selectedProduct(matrixOf(A), D.data(), W.data(), serial);
    // Diagonals dominate: the condition is small.
    const double unit = 100 * epsilon<T>();
    for (int64_t i = 0; i < A.rows; ++i)
      for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e) {
        const int64_t j = A.coordinates[e];
        EXPECT_LE(double(std::abs(LongOf<T>(Z[e]) - inverse(i, j))), unit);
        EXPECT_LE(double(std::abs(LongOf<T>(W[e]) - product(i, j))), 10 * unit);
      }
    for (int64_t p : {1, 2, 16, 21}) {
      const std::vector<T> b = Random<T>(9).block(A.rows * p);
      std::vector<T> x(b.size());
      factors->apply(runtime::Mode::N, {b.data(), A.rows, p, p},
                     {x.data(), A.rows, p, p}, serial);
      for (int64_t i = 0; i < A.rows; ++i)
        for (int64_t k = 0; k < p; ++k) {
          LongOf<T> sum = 0;
          for (int64_t j = 0; j < A.rows; ++j)
            sum += inverse(i, j) * LongOf<T>(b[j * p + k]);
          EXPECT_LE(double(std::abs(sum - LongOf<T>(x[i * p + k]))), unit);
        }
    }
  }
}

TYPED_TEST(CholeskyOf, TasksGiveTheSameBits) {
  using T = TypeParam;
  const int64_t m = 90, n = m * m;
  const Sparse<T> A = grid<T>(m, 0.05), again = grid<T>(m, 0.05);
  const auto symbolic = runtime::cholesky::analyse(matrixOf(A));
  EXPECT_GT(symbolic->tasks(), 2);
  EXPECT_LT(symbolic->taskStarts.back(), symbolic->supernodes());
  const std::vector<T> D = Random<T>(8).block(int64_t(A.values.size()));
  std::vector<std::vector<T>> all;
  for (const Sparse<T> *of : {&A, &again}) {
    const tsgu_executor &executor = of == &A ? serial : reversed;
    const auto factors =
        runtime::factorize(TSGU_CHOLESKY, matrixOf(*of), executor);
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
  // Entries of the inverse, by solves, and of the product likewise.
  const auto factors = runtime::factorize(TSGU_CHOLESKY, matrixOf(A), serial);
  for (int64_t j : {int64_t{0}, n / 3, n / 2, n - 1}) {
    std::vector<T> unit(n), z(n), Dz(n), w(n);
    unit[j] = T(1);
    factors->apply(runtime::Mode::N, {unit.data(), n, 1, 1},
                   {z.data(), n, 1, 1}, serial);
    const auto wide = A.apply(TSGU_N, {z.begin(), z.end()}, 1);
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_LE(double(std::abs(wide[i] - LongOf<T>(unit[i]))),
                100 * epsilon<T>());
      for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
        Dz[A.coordinates[e]] += runtime::conjugate(D[e]) * z[i]; // D^H z.
    }
    factors->apply(runtime::Mode::N, {Dz.data(), n, 1, 1}, {w.data(), n, 1, 1},
                   serial);
    for (int32_t e = A.positions[j]; e < A.positions[j + 1]; ++e) {
      const int64_t i = A.coordinates[e];
      for (int32_t t = A.positions[i]; t < A.positions[i + 1]; ++t)
        if (A.coordinates[t] == j) {
          EXPECT_LE(double(std::abs(all[0][t] - z[i])), 100 * epsilon<T>());
          EXPECT_LE(double(std::abs(all[0][A.values.size() + t] - w[i])),
                    1000 * epsilon<T>());
        }
    }
  }
}

/// Rows of the item are named, also those of a task that is not the first.
TEST(CholeskyNames, TheFirstRowEliminatedWithoutAPivot) {
  Sparse<double> A = grid<double>(90, 0.05);
  const int64_t bad = 4321;
  for (int32_t e = A.positions[bad]; e < A.positions[bad + 1]; ++e)
    if (A.coordinates[e] == bad)
      A.values[e] = 0.01;
  std::vector<std::string> messages;
  for (const tsgu_executor &executor : {serial, reversed})
    try {
      runtime::factorize(TSGU_CHOLESKY, matrixOf(A), executor);
      ADD_FAILURE();
    } catch (const tsgu::Error &error) {
      messages.push_back(error.what());
    }
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0], messages[1]);
  EXPECT_NE(messages[0].find("not positive definite"), std::string::npos);
}

/// The 7-point Laplacian of an m x m x m grid, plus `shift`.
Sparse<double> cube(int64_t m, double shift) {
  Sparse<double> A;
  A.rows = A.columns = m * m * m;
  for (int64_t i = 0; i < A.rows; ++i) {
    const int64_t x = i % m, y = i / m % m, z = i / m / m;
    for (const auto &[at, step] : {std::pair{z > 0, -m * m},
                                   {y > 0, -m},
                                   {x > 0, int64_t{-1}},
                                   {true, int64_t{0}},
                                   {x + 1 < m, int64_t{1}},
                                   {y + 1 < m, m},
                                   {z + 1 < m, m * m}})
      if (at)
        A.add(i + step, step == 0 ? 6 + shift : -1.0);
    A.endRow();
  }
  A.close();
  return A;
}

/// Fronts above the tasks that threads share out, of one column and of several.
TYPED_TEST(CholeskyOf, SolvesWithLargeFrontsGiveTheSameBits) {
  using T = TypeParam;
  const Sparse<double> real = cube(24, 0.1);
  Sparse<T> A;
  A.rows = A.columns = real.rows;
  for (int64_t i = 0; i < real.rows; ++i, A.endRow())
    for (int32_t e = real.positions[i]; e < real.positions[i + 1]; ++e) {
      const int64_t j = real.coordinates[e];
      T value(RealOf<T>(real.values[e]));
      if constexpr (runtime::isComplex<T>)
        value += T(0, RealOf<T>(0.2 * double((i > j) - (i < j))));
      A.add(j, value);
    }
  A.close();
  const auto symbolic = runtime::cholesky::analyse(matrixOf(A));
  int large = 0;
  for (auto s = symbolic->taskStarts.back(); s < symbolic->supernodes(); ++s)
    large += int64_t{symbolic->width(s)} * symbolic->below(s) >= 1 << 16;
  EXPECT_GT(large, 1);
  for (tsgu_method method : {TSGU_CHOLESKY, TSGU_LDLT}) {
    const auto factors = runtime::factorize(method, matrixOf(A), serial);
    for (int64_t p : {1, 3}) {
      const std::vector<T> b = Random<T>(9).block(A.rows * p);
      std::vector<T> x(b.size()), again(x);
      for (const auto &[executor, to] :
           {std::pair{&serial, &x}, {&reversed, &again}})
        factors->apply(runtime::Mode::N, {b.data(), A.rows, p, p},
                       {to->data(), A.rows, p, p}, *executor);
      EXPECT_EQ(std::memcmp(x.data(), again.data(), x.size() * sizeof(T)), 0);
      const auto y = A.apply(TSGU_N, {x.begin(), x.end()}, p);
      for (size_t k = 0; k < b.size(); ++k)
        EXPECT_LE(double(std::abs(y[k] - LongOf<T>(b[k]))), 1e4 * epsilon<T>());
    }
  }
}

TEST(Cholesky, IsInterruptedBetweenFronts) {
  Sparse<double> A = cube(36, 0.1);
  expectInterrupted(TSGU_CHOLESKY, A, 1);
}

/// What the pattern alone has on one side is a zero there, and has a value of
/// the inverse.
TEST(Cholesky, EntriesStoredOnOneSide) {
  const Sparse<double> A(4, 4, [](int64_t i, int64_t j) {
    return i == j ? 4.0 : std::abs(i - j) == 1 ? 1.0 : 0.0;
  });
  Sparse<double> B;
  B.rows = B.columns = 4;
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 4; ++j)
      if (std::abs(i - j) <= 1 || (i == 0 && j == 3))
        B.add(j, i == j ? 4.0 : j == 3 && i == 0 ? 0.0 : 1.0);
    B.endRow();
  }
  B.close();
  const Dense<double> inverse = denseOf(A, A.values).inverse();
  const auto factors = runtime::factorize(TSGU_CHOLESKY, matrixOf(B), serial);
  std::vector<double> Z(B.values.size());
  factors->selectedInverse(matrixOf(B), Z.data(), serial);
  for (int64_t i = 0; i < 4; ++i)
    for (int32_t e = B.positions[i]; e < B.positions[i + 1]; ++e)
      EXPECT_NEAR(Z[e], double(inverse(i, B.coordinates[e])), 1e-15);
}

} // namespace
