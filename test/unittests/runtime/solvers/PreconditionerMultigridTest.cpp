//===- PreconditionerMultigridTest.cpp - Smoothed aggregation -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PreconditionerTesting.h"

using namespace tsgu;
using namespace tsgu::test;

namespace {

/// A finite-difference operator on a grid with zeros around it, by stencil:
/// weight(direction, sign) of the neighbours, minus their sum on the diagonal
/// plus `shift`.
template <typename T, typename I> struct Grid {
  using Weight = std::function<Complex(int direction, int sign)>;

  Grid(std::vector<int64_t> extents, const Weight &weight, double shift = 0,
       bool neumann = false)
      : extents(extents) {
    for (int64_t extent : extents)
      rows *= extent;
    for (int64_t i = 0; i < rows; ++i)
      addRow(i, weight, shift, neumann);
    const int64_t shape[] = {rows, rows};
    pattern = runtime::Pattern::fromCSR(
        2, shape, sizeof(I) == 4 ? TSGU_I32 : TSGU_I64, positions.data(),
        coordinates.data(), static_cast<int64_t>(values.size()));
  }
  Grid(const Grid &) = delete;
  ~Grid() { pattern->release(); }

  void addRow(int64_t i, const Weight &weight, double shift, bool neumann) {
    std::map<int64_t, Complex> row;
    row[i] = shift;
    int64_t stride = rows;
    for (size_t d = 0; d < extents.size(); ++d) {
      stride /= extents[d];
      const int64_t at = i / stride % extents[d];
      for (int sign : {-1, 1}) {
        const Complex w = weight(static_cast<int>(d), sign);
        const bool inside = at + sign >= 0 && at + sign < extents[d];
        if (inside)
          row[i + sign * stride] = w;
        if (inside || !neumann)
          row[i] -= w;
      }
    }
    for (const auto &[column, value] : row) {
      coordinates.push_back(static_cast<I>(column));
      values.push_back(scalar<T>(value));
    }
    positions.push_back(static_cast<I>(coordinates.size()));
  }

  /// y = A x.
  std::vector<T> times(const std::vector<T> &x) const {
    std::vector<T> y(rows, T(0));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t k = positions[i]; k < positions[i + 1]; ++k)
        y[i] += values[k] * x[coordinates[k]];
    return y;
  }

  runtime::Matrix<T> matrix() const { return {pattern, 0, values.data()}; }
  auto multigrid() const {
    return makePreconditioner<T>(asking(TSGU_AMG), matrix(), serial());
  }

  std::vector<int64_t> extents;
  int64_t rows = 1;
  std::vector<I> positions{0}, coordinates;
  std::vector<T> values;
  runtime::Pattern *pattern;
};

Complex isotropic(int, int) { return -1; }
Complex anisotropic(int direction, int) { return direction ? -1 : -0.01; }
/// Upwind differences.
Complex convective(int direction, int sign) {
  return sign < 0 && direction == 0 ? -3 : -1;
}

template <typename T> double norm(const std::vector<T> &x) {
  double sum = 0;
  for (T entry : x)
    sum += std::norm(entry);
  return std::sqrt(sum);
}

template <typename T>
Complex inner(const std::vector<T> &x, const std::vector<T> &y) {
  Complex sum = 0;
  for (size_t i = 0; i < x.size(); ++i)
    sum += std::conj(Complex(x[i])) * Complex(y[i]);
  return sum;
}

template <typename T>
std::vector<T> apply(const Prepared<T> &M, Mode mode, const std::vector<T> &r) {
  const auto n = static_cast<int64_t>(r.size());
  std::vector<T> z(r.size());
  M.apply(mode, {r.data(), n, 1, 1}, {z.data(), n, 1, 1}, executorOr(nullptr));
  return z;
}

/// By how much x = x + M^-1 (b - A x) shrinks the error, at last.
template <typename T, typename I> double factor(const Grid<T, I> &A) {
  const auto M = A.multigrid();
  std::vector<T> error = Columns<T>(A.rows, 1, 0, 7).data;
  double last = 0;
  for (int step = 0; step < 15; ++step) {
    const double before = norm(error);
    const std::vector<T> change = apply(*M, Mode::N, A.times(error));
    for (int64_t i = 0; i < A.rows; ++i)
      error[i] -= change[i];
    last = norm(error) / before;
  }
  return last;
}

/// Iterations of preconditioned CG to 1e-8 (Saad, algorithm 9.1).
template <typename T, typename I> int iterations(const Grid<T, I> &A) {
  const auto M = A.multigrid();
  std::vector<T> r = Columns<T>(A.rows, 1, 0, 7).data;
  const double goal = 1e-8 * norm(r);
  std::vector<T> z = apply(*M, Mode::N, r), p = z;
  T rz = static_cast<T>(inner(r, z).real());
  int count = 0;
  while (norm(r) > goal && count < 200) {
    const std::vector<T> q = A.times(p);
    const T alpha = rz / static_cast<T>(inner(p, q).real());
    for (int64_t i = 0; i < A.rows; ++i)
      r[i] -= alpha * q[i];
    z = apply(*M, Mode::N, r);
    const T next = static_cast<T>(inner(r, z).real());
    for (int64_t i = 0; i < A.rows; ++i)
      p[i] = z[i] + next / rz * p[i];
    rz = next;
    ++count;
  }
  return count;
}

template <typename P> class Multigrid : public ::testing::Test {
public:
  using T = typename P::Value;
  using I = typename P::Index;
  static constexpr double epsilon =
      std::numeric_limits<Real<typename P::Value>>::epsilon();
};
TYPED_TEST_SUITE(Multigrid, AllTypes);

TYPED_TEST(Multigrid, HermitianAndPositive) {
  using T = typename TestFixture::T;
  // The Laplacian in other phases: as definite as that.
  auto rotated = [](int direction, int sign) {
    return isComplex<T> ? -std::exp(Complex(0, 0.3 * sign * (direction + 1)))
                        : Complex(-1);
  };
  const double shift =
      isComplex<T> ? 4 - 2 * std::cos(0.3) - 2 * std::cos(0.6) : 0;
  const Grid<T, typename TestFixture::I> A({60, 50}, rotated, shift + 1e-3);
  const auto M = A.multigrid();
  for (unsigned seed = 1; seed < 5; ++seed) {
    const std::vector<T> x = Columns<T>(A.rows, 1, 0, seed).data;
    const std::vector<T> y = Columns<T>(A.rows, 1, 0, seed + 50).data;
    const std::vector<T> Mx = apply(*M, Mode::N, x), My = apply(*M, Mode::N, y);
    const double scale = norm(Mx) * norm(y) + norm(x) * norm(My);
    EXPECT_LE(std::abs(inner(Mx, y) - inner(x, My)),
              20 * TestFixture::epsilon * scale);
    EXPECT_GT(inner(x, Mx).real(), 0);
    EXPECT_LE(std::abs(inner(x, Mx).imag()), 20 * TestFixture::epsilon * scale);
  }
}

/// <M^-H x, y> = <x, M^-1 y>, and M^-T x = conj(M^-H conj(x)), of a matrix that
/// is far from Hermitian.
TYPED_TEST(Multigrid, Modes) {
  using T = typename TestFixture::T;
  auto weight = [](int direction, int sign) {
    return convective(direction, sign) * Complex(1, 0.1 * sign);
  };
  const Grid<T, typename TestFixture::I> A({40, 50}, weight);
  const auto M = A.multigrid();
  const std::vector<T> x = Columns<T>(A.rows, 1, 0, 1).data;
  const std::vector<T> y = Columns<T>(A.rows, 1, 0, 2).data;
  const std::vector<T> My = apply(*M, Mode::N, y);
  const std::vector<T> MHx = apply(*M, Mode::C, x);
  const std::vector<T> MTx = apply(*M, Mode::T, x);
  const double scale = norm(MHx) * norm(y) + norm(x) * norm(My);
  EXPECT_LE(std::abs(inner(MHx, y) - inner(x, My)),
            50 * TestFixture::epsilon * scale);
  std::vector<T> bar = x;
  for (T &entry : bar)
    entry = conjugate(entry);
  bar = apply(*M, Mode::C, bar);
  for (int64_t i = 0; i < A.rows; ++i)
    ASSERT_EQ(MTx[i], conjugate(bar[i]));
}

TYPED_TEST(Multigrid, BlocksAreTheirColumns) {
  using T = typename TestFixture::T;
  const Grid<T, typename TestFixture::I> A({40, 50}, convective);
  const auto M = A.multigrid();
  for (Mode mode : {Mode::N, Mode::T, Mode::C})
    for (int64_t count : {2, 9, 16}) {
      const Columns<T> r(A.rows, count, 3, 11);
      const Columns<T> z = applied(*M, mode, r);
      for (int64_t j = 0; j < count; ++j) {
        std::vector<T> column(A.rows);
        for (int64_t i = 0; i < A.rows; ++i)
          column[i] = r.data[i * r.stride + j];
        const std::vector<T> alone = apply(*M, mode, column);
        for (int64_t i = 0; i < A.rows; ++i)
          ASSERT_EQ(alone[i], z.data[i * z.stride + j]);
      }
    }
}

TYPED_TEST(Multigrid, Reproducible) {
  using T = typename TestFixture::T;
  const Grid<T, typename TestFixture::I> A({70, 80}, isotropic);
  const Columns<T> r(A.rows, 1, 0, 3);
  const Columns<T> z = applied(*A.multigrid(), Mode::N, r);
  for (const tsgu_executor &executor : {backwards(), executorOr(nullptr)}) {
    const Grid<T, typename TestFixture::I> B({70, 80}, isotropic);
    const auto M =
        makePreconditioner<T>(asking(TSGU_AMG), B.matrix(), executor);
    const Columns<T> again = applied(*M, Mode::N, r);
    EXPECT_EQ(0, std::memcmp(z.data.data(), again.data.data(),
                             z.data.size() * sizeof(T)));
  }
}

/// Small ones are inverted.
TYPED_TEST(Multigrid, DirectWhereSmall) {
  using T = typename TestFixture::T;
  const Grid<T, typename TestFixture::I> A({5, 6}, convective);
  DenseMatrix dense = DenseMatrix::Zero(30, 30);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k)
      dense(i, A.coordinates[k]) = Complex(A.values[k]);
  expectInverse(*A.multigrid(), dense, 2000);
}

using Real32 = Grid<double, int32_t>;

// Iterations of CG with the default of pyamg 5.4, smoothed_aggregation_solver,
// to 1e-8: 10 on 300^2, 11 on 1000^2, 12 on 100^3, 43 on 1000^2 with 1 : 100.
TEST(MultigridConvergence, Iterations) {
  EXPECT_LE(iterations(Real32({300, 300}, isotropic)), 12);
  EXPECT_LE(iterations(Real32({40, 40, 40}, isotropic)), 12);
  EXPECT_LE(iterations(Real32({300, 300}, anisotropic)), 22);
  EXPECT_LE(iterations(Grid<float, int64_t>({100, 100}, isotropic)), 14);
}

TEST(MultigridConvergence, Factor) {
  EXPECT_LT(factor(Real32({200, 200}, isotropic)), 0.35);
  EXPECT_LT(factor(Real32({30, 30, 30}, isotropic)), 0.35);
  EXPECT_LT(factor(Real32({200, 200}, anisotropic)), 0.7);
  EXPECT_LT(factor(Real32({200, 200}, convective)), 0.5);
}

TEST(MultigridConvergence, Singular) {
  // Constants are in the kernel; the error in them stays, all others go.
  const Real32 A({60, 60}, isotropic, 0, true);
  const auto M = A.multigrid();
  std::vector<double> error = Columns<double>(A.rows, 1, 0, 7).data;
  for (int step = 0; step < 40; ++step) {
    const std::vector<double> change = apply(*M, Mode::N, A.times(error));
    for (int64_t i = 0; i < A.rows; ++i)
      error[i] -= change[i];
  }
  EXPECT_LT(norm(A.times(error)), 1e-10);
}

TEST(MultigridConvergence, NothingToAggregate) {
  const Real32 A({5000}, [](int, int) { return 0; }, 2);
  const Columns<double> r(5000, 1, 0, 3);
  const Columns<double> z = applied(*A.multigrid(), Mode::N, r);
  for (int64_t i = 0; i < A.rows; ++i)
    ASSERT_NEAR(z.data[i * z.stride], r.data[i] / 2, 0.5 * std::abs(r.data[i]));
}

} // namespace
