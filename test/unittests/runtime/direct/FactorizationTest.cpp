//===- FactorizationTest.cpp - What factors say beside solutions ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Determinants, inverses on the pattern and half solves, against dense matrices
// in long double.
//
//===----------------------------------------------------------------------===//

#include "direct/Factorization.h"
#include "KrylovMatrices.h"

#include <Eigen/Dense>

#include <cstring>

using namespace tsgu::test;
namespace runtime = tsgu::runtime;

namespace {

template <typename T>
using Dense = Eigen::Matrix<LongOf<T>, Eigen::Dynamic, Eigen::Dynamic>;

template <typename T>
Dense<T> denseOf(const Sparse<T> &A, const std::vector<T> &values) {
  Dense<T> dense = Dense<T>::Zero(A.rows, A.columns);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      dense(i, A.coordinates[e]) = LongOf<T>(values[e]);
  return dense;
}

template <typename T> runtime::Matrix<T> matrixOf(const Sparse<T> &A) {
  return {reinterpret_cast<runtime::Pattern *>(A.pattern), 0, A.values.data()};
}

const tsgu_executor serial{1, nullptr};
const tsgu_executor reversed{5, [](int64_t count, tsgu_task task, void *to) {
                               for (int64_t i = count; i-- > 0;)
                                 task(to, i, i + 1);
                             }};

template <typename T> double epsilon() {
  return std::numeric_limits<RealOf<T>>::epsilon();
}

/// Nonsymmetric with pivots that are elsewhere, or positive definite.
template <typename T>
Sparse<T> matrixFor(tsgu_method method, int64_t n, unsigned seed) {
  if (method == TSGU_CHOLESKY)
    return hermitian<T>(n, seed, double(n) / 2 + 2);
  if (method == TSGU_LDLT) {
    Sparse<T> A = hermitian<T>(n, seed, double(n) / 2 + 2);
    for (int64_t i = 0; i < n; i += 3)
      for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
        if (A.coordinates[e] == i)
          A.values[e] = -A.values[e];
    return A;
  }
  Random<T> random(seed);
  return Sparse<T>(n, n, [&](int64_t i, int64_t j) {
    const T value = random.engine() % 4 == 0 ? random() : T(0);
    return (i * 7 + 3) % n == j ? value + T(RealOf<T>(3)) : value;
  });
}

template <typename T> class Factors : public ::testing::Test {};
using Types =
    ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Factors, Types);

template <typename T, typename F> void forMatrices(F &&function) {
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT})
    for (int64_t n : {1, 2, 5, 16, 50})
      for (unsigned seed : {1u, 2u, 3u}) {
        SCOPED_TRACE(testing::Message() << tsgu_method_name(method)
                                        << ", n = " << n << ", seed " << seed);
        const Sparse<T> A = matrixFor<T>(method, n, seed);
        function(method, A);
      }
}

template <typename T>
void expectDeterminant(const Sparse<T> &A, tsgu_method method) {
  const auto found =
      runtime::factorize(method, matrixOf(A), serial)->determinant();
  const Eigen::PartialPivLU<Dense<T>> lu(denseOf(A, A.values));
  // Of numbers whose product may be too large or small for any type.
  LongOf<T> sign = LongOf<T>(lu.permutationP().determinant());
  long double log = 0;
  for (int64_t k = 0; k < A.rows; ++k) {
    const LongOf<T> pivot = lu.matrixLU()(k, k);
    sign *= pivot / std::abs(pivot), log += std::log(std::abs(pivot));
  }
  const double unit = 50 * double(A.rows) * epsilon<T>();
  EXPECT_LE(double(std::abs(LongOf<T>(found.sign) - sign)), unit);
  EXPECT_NEAR(found.log, double(log),
              unit + epsilon<T>() * std::abs(double(log)));
  EXPECT_NEAR(std::abs(found.sign), 1, 4 * epsilon<T>());
}

TYPED_TEST(Factors, Determinant) {
  using T = TypeParam;
  forMatrices<T>([](tsgu_method method, const Sparse<T> &A) {
    expectDeterminant(A, method);
  });
}

TYPED_TEST(Factors, DeterminantBeyondTheRangeOfNumbers) {
  using T = TypeParam;
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT})
    for (double size : {1e-25, 1e25}) {
      Sparse<T> A = matrixFor<T>(method, 50, 4);
      for (T &value : A.values)
        value *= RealOf<T>(size);
      expectDeterminant(A, method);
    }
}

/// Of entries on A's pattern, in units of the largest number that went in.
template <typename T>
void expectSampled(const Sparse<T> &A, const std::vector<T> &found,
                   const Dense<T> &expected, double unit) {
  for (int64_t i = 0; i < A.rows; ++i)
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      EXPECT_LE(
          double(std::abs(LongOf<T>(found[e]) - expected(i, A.coordinates[e]))),
          unit)
          << i << ", " << A.coordinates[e];
}

TYPED_TEST(Factors, SelectedInverse) {
  using T = TypeParam;
  forMatrices<T>([](tsgu_method method, const Sparse<T> &A) {
    const auto factors = runtime::factorize(method, matrixOf(A), serial);
    std::vector<T> found(A.values.size()), again(found);
    factors->selectedInverse(matrixOf(A), found.data(), serial);
    const Dense<T> dense = denseOf(A, A.values), inverse = dense.inverse();
    const double condition = double(dense.norm() * inverse.norm());
    expectSampled(A, found, Dense<T>(inverse.adjoint()),
                  10 * epsilon<T>() * condition * double(inverse.norm()));
    factors->selectedInverse(matrixOf(A), again.data(), reversed);
    EXPECT_EQ(std::memcmp(found.data(), again.data(), found.size() * sizeof(T)),
              0);
  });
}

TYPED_TEST(Factors, SelectedProduct) {
  using T = TypeParam;
  forMatrices<T>([](tsgu_method method, const Sparse<T> &A) {
    const auto factors = runtime::factorize(method, matrixOf(A), serial);
    const std::vector<T> D = Random<T>(8).block(int64_t(A.values.size()));
    std::vector<T> found(A.values.size()), again(found);
    factors->selectedProduct(matrixOf(A), D.data(), found.data(), serial);
    const Dense<T> dense = denseOf(A, A.values), inverse = dense.inverse();
    const Dense<T> direction = denseOf(A, D);
    const double condition = double(dense.norm() * inverse.norm());
    const Dense<T> expected = (inverse * direction * inverse).adjoint();
    const double size = double(inverse.norm() * inverse.norm());
    expectSampled(A, found, expected,
                  10 * epsilon<T>() * condition * size *
                      double(direction.norm()));
    factors->selectedProduct(matrixOf(A), D.data(), again.data(), reversed);
    EXPECT_EQ(std::memcmp(found.data(), again.data(), found.size() * sizeof(T)),
              0);
  });
}

/// Columns of op(half^-1) of the identity, in rows of a longer stride.
template <typename T>
Dense<T> halfOf(const runtime::Factorization<T> &factors, runtime::Mode mode,
                int64_t n) {
  const int64_t stride = n + 3;
  std::vector<T> in(n * n), out(n * stride);
  for (int64_t i = 0; i < n; ++i)
    in[i * n + i] = T(1);
  factors.halfSolve(mode, {in.data(), n, n, n}, {out.data(), n, n, stride},
                    serial);
  Dense<T> half(n, n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      half(i, j) = LongOf<T>(out[i * stride + j]);
  return half;
}

TYPED_TEST(Factors, HalfSolvesMakeTheInverse) {
  using T = TypeParam;
  for (int64_t n : {1, 2, 5, 16, 50}) {
    const Sparse<T> A = matrixFor<T>(TSGU_CHOLESKY, n, 6);
    const auto factors = runtime::factorize(TSGU_CHOLESKY, matrixOf(A), serial);
    const Dense<T> half = halfOf(*factors, runtime::Mode::N, n);
    const Dense<T> adjoint = halfOf(*factors, runtime::Mode::C, n);
    const Dense<T> transposed = halfOf(*factors, runtime::Mode::T, n);
    const Dense<T> dense = denseOf(A, A.values), inverse = dense.inverse();
    const double unit = 10 * epsilon<T>() *
                        double(dense.norm() * inverse.norm()) *
                        double(inverse.norm());
    EXPECT_LE(double((half.adjoint() * half - inverse).norm()), unit);
    const double halfUnit =
        10 * epsilon<T>() * double(half.norm() * dense.norm() * inverse.norm());
    EXPECT_LE(double((adjoint - half.adjoint()).norm()), halfUnit);
    EXPECT_LE(double((transposed - half.transpose()).norm()), halfUnit);
  }
}

TYPED_TEST(Factors, HalfSolvesOfLUAreRefused) {
  using T = TypeParam;
  const Sparse<T> A = matrixFor<T>(TSGU_LU, 5, 6);
  const auto factors = runtime::factorize(TSGU_LU, matrixOf(A), serial);
  T number(1);
  EXPECT_THROW(factors->halfSolve(runtime::Mode::N, {&number, 1, 1, 1},
                                  {&number, 1, 1, 1}, serial),
               tsgu::Error);
}

/// Entries of an item count from its first.
TYPED_TEST(Factors, OfOneItemOfABatch) {
  using T = TypeParam;
  const Sparse<T> A = matrixFor<T>(TSGU_CHOLESKY, 7, 1);
  const int64_t n = A.rows, stored = A.values.size();
  const int64_t shape[3] = {2, n, n};
  std::vector<int32_t> positions(A.positions), coordinates(A.coordinates);
  positions.insert(positions.end(), A.positions.begin(), A.positions.end());
  coordinates.insert(coordinates.end(), A.coordinates.begin(),
                     A.coordinates.end());
  tsgu_pattern *pattern = nullptr;
  ASSERT_EQ(tsgu_pattern_from_csr(3, shape, TSGU_I32, positions.data(),
                                  coordinates.data(), 2 * stored, &pattern),
            TSGU_OK)
      << tsgu_last_error();
  std::vector<T> values = Random<T>(5).block(stored);
  values.insert(values.end(), A.values.begin(), A.values.end());
  const runtime::Matrix<T> second{reinterpret_cast<runtime::Pattern *>(pattern),
                                  1, values.data()};
  for (tsgu_method method : {TSGU_LU, TSGU_CHOLESKY, TSGU_LDLT}) {
    std::vector<T> found(stored), expected(stored);
    const auto factors = runtime::factorize(method, second, serial);
    const auto alone = runtime::factorize(method, matrixOf(A), serial);
    EXPECT_EQ(factors->determinant().log, alone->determinant().log);
    factors->selectedInverse(second, found.data(), serial);
    alone->selectedInverse(matrixOf(A), expected.data(), serial);
    EXPECT_EQ(found, expected);
    factors->selectedProduct(second, A.values.data(), found.data(), serial);
    alone->selectedProduct(matrixOf(A), A.values.data(), expected.data(),
                           serial);
    EXPECT_EQ(found, expected);
  }
  tsgu_pattern_release(pattern);
}

} // namespace
