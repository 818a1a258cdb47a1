//===- PreconditionerTesting.h - Matrices and dense oracles -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_PRECONDITIONERTESTING_H
#define TSGU_TEST_PRECONDITIONERTESTING_H

#define EIGEN_MPL2_ONLY

#include "ErrorTesting.h"
#include "base/Parallel.h"
#include "solvers/Preconditioners.h"

#include <Eigen/Dense>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <vector>

namespace tsgu::test {

using namespace tsgu::runtime;

using Complex = std::complex<double>;
using DenseMatrix = Eigen::MatrixXcd;

inline tsgu_executor serial() { return {1, nullptr}; }

/// More ranges than there are threads, the last first.
inline tsgu_executor backwards() {
  return {5, [](int64_t count, tsgu_task task, void *context) {
            for (int64_t i = count; i-- > 0;)
              task(context, i, i + 1);
          }};
}

template <typename T> T scalar(Complex value) {
  if constexpr (isComplex<T>)
    return T(value);
  else
    return static_cast<T>(value.real());
}

/// A few matrices of one size, and the pattern they are items of.
template <typename T, typename I> struct Sample {
  using Entry = std::function<Complex(int64_t item, int64_t i, int64_t j)>;

  /// Entries where `entry` is not NaN.
  Sample(int32_t rank, int64_t items, int64_t rows, int64_t columns,
         const Entry &entry) {
    std::vector<I> coordinates[3];
    for (int64_t item = 0; item < items; ++item)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          const Complex value = entry(item, i, j);
          if (std::isnan(value.real()))
            continue;
          coordinates[0].push_back(static_cast<I>(item));
          coordinates[1].push_back(static_cast<I>(i));
          coordinates[2].push_back(static_cast<I>(j));
          values.push_back(scalar<T>(value));
        }
    const int64_t shape[] = {items, rows, columns};
    const void *arrays[] = {coordinates[0].data(), coordinates[1].data(),
                            coordinates[2].data()};
    const int32_t skip = 3 - rank;
    pattern = runtime::Pattern::fromCOO(
        rank, shape + skip, sizeof(I) == 4 ? TSGU_I32 : TSGU_I64, arrays + skip,
        static_cast<int64_t>(values.size()));
  }
  Sample(const Sample &) = delete;
  ~Sample() { pattern->release(); }

  runtime::Matrix<T> matrix(int64_t item = 0) const {
    return {pattern, item, values.data()};
  }

  DenseMatrix dense(int64_t item = 0) const {
    DenseMatrix result = DenseMatrix::Zero(pattern->rows(), pattern->columns());
    forEntries(item, [&](int64_t i, int64_t j, int64_t k) {
      result(i, j) = Complex(values[k]);
    });
    return result;
  }

  /// 1 where there is an entry.
  Eigen::MatrixXi mask(int64_t item = 0) const {
    Eigen::MatrixXi result =
        Eigen::MatrixXi::Zero(pattern->rows(), pattern->columns());
    forEntries(item, [&](int64_t i, int64_t j, int64_t) { result(i, j) = 1; });
    return result;
  }

  template <typename F> void forEntries(int64_t item, F &&function) const {
    const Layout &csr = pattern->csr();
    for (int64_t i = 0; i < pattern->rows(); ++i) {
      const int64_t row = item * pattern->rows() + i;
      for (int64_t k = csr.position(row); k < csr.position(row + 1); ++k)
        function(i, static_cast<const int32_t *>(csr.coordinates)[k], k);
    }
  }

  std::vector<T> values;
  runtime::Pattern *pattern;
};

/// A block of vectors with a free stride.
template <typename T> struct Columns {
  Columns(int64_t length, int64_t count, int64_t padding, unsigned seed)
      : length(length), count(count), stride(count + padding),
        data(length * stride, std::numeric_limits<Real<T>>::quiet_NaN()) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> uniform(-1, 1);
    for (int64_t i = 0; seed && i < length; ++i)
      for (int64_t j = 0; j < count; ++j) {
        const double real = uniform(random);
        data[i * stride + j] = scalar<T>({real, uniform(random)});
      }
  }
  Vectors<T> get() { return {data.data(), length, count, stride}; }
  Vectors<const T> read() const { return {data.data(), length, count, stride}; }
  DenseMatrix dense() const {
    DenseMatrix result(length, count);
    for (int64_t i = 0; i < length; ++i)
      for (int64_t j = 0; j < count; ++j)
        result(i, j) = Complex(data[i * stride + j]);
    return result;
  }
  int64_t length, count, stride;
  std::vector<T> data;
};

inline DenseMatrix in(Mode mode, const DenseMatrix &A) {
  return mode == Mode::N   ? A
         : mode == Mode::T ? DenseMatrix(A.transpose())
                           : DenseMatrix(A.adjoint());
}

/// z = M^-1 r, the same bits whoever runs it; poisoned before, padding kept.
template <typename T>
Columns<T> applied(const Prepared<T> &M, Mode mode, const Columns<T> &r) {
  Columns<T> z(r.length, r.count, 2, 0);
  M.apply(mode, r.read(), z.get(), serial());
  for (const tsgu_executor &executor : {backwards(), executorOr(nullptr)}) {
    Columns<T> again(r.length, r.count, 2, 0);
    M.apply(mode, r.read(), again.get(), executor);
    EXPECT_TRUE(z.data.empty() || std::memcmp(z.data.data(), again.data.data(),
                                              z.data.size() * sizeof(T)) == 0);
  }
  return z;
}

/// op(M) z = r for every mode, but for rounding errors.
template <typename T>
void expectInverse(const Prepared<T> &made, const DenseMatrix &M,
                   double slack = 200) {
  const double epsilon = std::numeric_limits<Real<T>>::epsilon();
  for (Mode mode : {Mode::N, Mode::T, Mode::C})
    for (int64_t count : {1, 3, 11}) {
      const Columns<T> r(M.rows(), count, 1, 5);
      const DenseMatrix z = applied(made, mode, r).dense();
      const DenseMatrix op = in(mode, M);
      const double scale =
          (op.cwiseAbs() * z.cwiseAbs()).maxCoeff() + r.dense().norm();
      EXPECT_LE((op * z - r.dense()).cwiseAbs().maxCoeff(),
                slack * epsilon * scale)
          << "mode " << static_cast<int>(mode) << ", " << count << " columns";
    }
}

inline tsgu_solver asking(int64_t preconditioner) {
  tsgu_solver solver{};
  solver.preconditioner = preconditioner;
  return solver;
}

template <typename T, typename I> struct Types {
  using Value = T;
  using Index = I;
};
using AllTypes = ::testing::Types<
    Types<float, int32_t>, Types<double, int32_t>, Types<double, int64_t>,
    Types<std::complex<float>, int64_t>, Types<std::complex<double>, int32_t>>;

} // namespace tsgu::test

#endif // TSGU_TEST_PRECONDITIONERTESTING_H
