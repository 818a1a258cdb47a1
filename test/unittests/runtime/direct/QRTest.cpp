//===- QRTest.cpp - Least squares by QR against dense factorisations ------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KrylovMatrices.h"
#include "direct/PseudoInverse.h"
#include "solvers/Solve.h"

#include <Eigen/Dense>

#include <atomic>
#include <chrono>
#include <cstring>

using namespace tsgu::test;
namespace runtime = tsgu::runtime;

namespace {

template <typename T>
using Dense = Eigen::Matrix<LongOf<T>, Eigen::Dynamic, Eigen::Dynamic>;

template <typename T> Dense<T> denseOf(const Sparse<T> &A, tsgu_mode mode) {
  Dense<T> M = Dense<T>::Zero(A.rows, A.columns);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      M(i, A.coordinates[e]) = LongOf<T>(A.values[e]);
  return mode == TSGU_N   ? M
         : mode == TSGU_T ? Dense<T>(M.transpose())
                          : Dense<T>(M.adjoint());
}

template <typename T> Dense<T> denseOf(const std::vector<T> &block, int64_t p) {
  Dense<T> M(block.size() / p, p);
  for (size_t e = 0; e < block.size(); ++e)
    M(e / p, e % p) = LongOf<T>(block[e]);
  return M;
}

template <typename T> runtime::Matrix<T> matrixOf(const Sparse<T> &A) {
  return {reinterpret_cast<runtime::Pattern *>(A.pattern), 0, A.values.data()};
}

const tsgu_executor serial{1, nullptr};

template <typename T> double epsilon() {
  return std::numeric_limits<RealOf<T>>::epsilon();
}

/// Sparse, of rank `rank`: a product of two of small whole numbers, so that it
/// is exact.
template <typename T>
Sparse<T> ofRank(int64_t m, int64_t n, int64_t rank, unsigned seed,
                 double size = 1) {
  Random<T> random(seed);
  const auto whole = [&] {
    return RealOf<T>(int64_t(random.engine() % 5) - 2);
  };
  const auto factor = [&](int64_t rows, int64_t columns) {
    Dense<T> F = Dense<T>::Zero(rows, columns);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        if (random.engine() % 5 == 0) {
          const auto re = whole(), im = whole();
          if constexpr (isComplex<T>)
            F(i, j) = LongOf<T>(re, im);
          else
            F(i, j) = re + 0 * im;
        }
        if (i == j)
          F(i, j) += LongOf<T>(7);
      }
    return F;
  };
  const Dense<T> product = factor(m, rank) * factor(rank, n);
  return Sparse<T>(m, n, [&](int64_t i, int64_t j) {
    return static_cast<T>(product(i, j) * LongOf<T>(size));
  });
}

template <typename T>
void expectSolution(const Sparse<T> &A, tsgu_mode mode, int64_t p, int64_t rank,
                    unsigned seed, double bSize = 1) {
  SCOPED_TRACE(testing::Message() << A.rows << " x " << A.columns << " mode "
                                  << mode << " rank " << rank);
  std::vector<T> b =
      Random<T>(seed).block((mode == TSGU_N ? A.rows : A.columns) * p);
  for (T &value : b)
    value *= RealOf<T>(bSize);
  const Solved<T> solved = solve(solverOf(TSGU_QR, -1), mode, A, b, p);
  ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
  EXPECT_EQ(told.worst, TSGU_CONVERGED) << told.explanation;
  EXPECT_EQ(runtime::pseudoInverse(matrixOf(A), serial)->rank, rank);
  const Dense<T> M = denseOf(A, mode);
  Eigen::CompleteOrthogonalDecomposition<Dense<T>> oracle;
  oracle.setThreshold(16 * epsilon<T>());
  oracle.compute(M);
  ASSERT_EQ(oracle.rank(), rank);
  const Dense<T> right = denseOf(b, p), inverse = oracle.pseudoInverse(),
                 wanted = inverse * right, found = denseOf(solved.x, p);
  // Wedin's bound: the condition, and its square times the residual.
  const auto condition = M.norm() * inverse.norm();
  for (int64_t j = 0; j < p; ++j) {
    const auto rest = (right - M * wanted).col(j).norm();
    const auto bound =
        condition * wanted.col(j).norm() + condition * inverse.norm() * rest;
    EXPECT_LE(double((found - wanted).col(j).norm()),
              double(10 * epsilon<T>() * bound));
  }
}

template <typename T> class QR : public testing::Test {};
using Types =
    testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(QR, Types);

constexpr tsgu_mode modes[] = {TSGU_N, TSGU_T, TSGU_C};
constexpr std::pair<int64_t, int64_t> shapes[] = {
    {1, 1}, {2, 2}, {23, 23}, {40, 17}, {17, 40}, {50, 1}, {1, 5}, {60, 59}};

TYPED_TEST(QR, FullRank) {
  using T = TypeParam;
  for (auto [m, n] : shapes)
    for (tsgu_mode mode : modes)
      for (int64_t p : {1, 5, 37})
        expectSolution(general<T>(m, n, 11, 4), mode, p, std::min(m, n),
                       unsigned(m + n));
}

TYPED_TEST(QR, TheSmallestSolutionWhereRankIsMissing) {
  using T = TypeParam;
  for (auto [m, n] : shapes)
    for (int64_t rank : {1, 2, 5, 16})
      for (tsgu_mode mode : modes)
        if (rank < std::min(m, n))
          expectSolution(ofRank<T>(m, n, rank, 3), mode, 3, rank, 5);
}

TYPED_TEST(QR, SizesFarFromOne) {
  using T = TypeParam;
  for (double size : {0x1p-70, 0x1p60})
    for (double bSize : {0x1p-30, 0x1p40})
      for (int64_t rank : {9, 12}) {
        expectSolution(ofRank<T>(30, 12, rank, 4, size), TSGU_N, 2, rank, 6,
                       bSize * size);
        expectSolution(ofRank<T>(12, 30, rank, 4, size), TSGU_N, 2, rank, 6,
                       bSize * size);
      }
}

TYPED_TEST(QR, EmptyRowsAndColumns) {
  using T = TypeParam;
  const auto entry = [](int64_t i, int64_t j) {
    return i % 3 == 1 || j == 2 ? T(0) : T(RealOf<T>(i + j == 7 ? 9 : i == j));
  };
  const Sparse<T> tall(20, 6, entry), wide(6, 20, entry);
  const auto rankOf = [](const Sparse<T> &A) {
    return Eigen::ColPivHouseholderQR<Dense<T>>(denseOf(A, TSGU_N)).rank();
  };
  for (tsgu_mode mode : modes) {
    expectSolution(tall, mode, 2, rankOf(tall), 8);
    expectSolution(wide, mode, 2, rankOf(wide), 8);
  }
}

TYPED_TEST(QR, NothingButZeros) {
  using T = TypeParam;
  for (auto [m, n] : {std::pair{4, 2}, {2, 4}, {3, 3}, {0, 3}}) {
    const Sparse<T> A(m, n, [](int64_t, int64_t) { return T(0); });
    const auto solved =
        solve(solverOf(TSGU_QR, -1), TSGU_N, A, Random<T>(1).block(m * 2), 2);
    ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
    for (const T &value : solved.x)
      EXPECT_EQ(value, T(0));
  }
  Sparse<T> stored = general<T>(4, 3, 1, 1);
  std::fill(stored.values.begin(), stored.values.end(), T(0));
  const auto solved =
      solve(solverOf(TSGU_QR, -1), TSGU_N, stored, Random<T>(1).block(4), 1);
  ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
  EXPECT_EQ(solved.x, std::vector<T>(3));
}

TYPED_TEST(QR, SameBitsForEveryExecutor) {
  using T = TypeParam;
  const tsgu_executor reversed{5, [](int64_t count, tsgu_task task, void *to) {
                                 for (int64_t i = count; i-- > 0;)
                                   task(to, i, i + 1);
                               }};
  const Sparse<T> A = ofRank<T>(60, 40, 33, 2);
  const std::vector<T> b = Random<T>(4).block(60 * 35);
  const auto one = solve(solverOf(TSGU_QR, -1), TSGU_N, A, b, 35, {}, &serial);
  const auto other =
      solve(solverOf(TSGU_QR, -1), TSGU_N, A, b, 35, {}, &reversed);
  EXPECT_EQ(std::memcmp(one.x.data(), other.x.data(), one.x.size() * sizeof(T)),
            0);
}

TYPED_TEST(QR, NormalEquations) {
  using T = TypeParam;
  for (auto [m, n] : {std::pair{30, 12}, {12, 30}, {15, 15}})
    for (tsgu_mode mode : modes) {
      if (m != n && (mode == TSGU_N) != (m > n))
        continue;
      const Sparse<T> A = general<T>(m, n, 3, 4);
      const int64_t length = mode == TSGU_N ? n : m, p = 2;
      const std::vector<T> g = Random<T>(5).block(length * p);
      std::vector<T> z(g.size());
      const tsgu_solver solver = solverOf(TSGU_QR, -1);
      runtime::Problem problem;
      problem.kind = runtime::Problem::NormalEquations;
      problem.mode = static_cast<runtime::Mode>(mode);
      problem.solver = &solver;
      problem.type = static_cast<tsgu::ElementType>(typeOf<T>());
      problem.pattern = reinterpret_cast<runtime::Pattern *>(A.pattern);
      problem.values = A.values.data(), problem.columns = p;
      problem.b = g.data(), problem.x = z.data();
      problem.bRow = problem.xRow = p;
      runtime::solve(problem, serial);
      const Dense<T> M = denseOf(A, mode), K = M.adjoint() * M,
                     inverse = K.inverse(), wanted = inverse * denseOf(g, p);
      EXPECT_LE(double((denseOf(z, p) - wanted).norm()),
                double(10 * epsilon<T>() * K.norm() * inverse.norm() *
                       wanted.norm()));
    }
}

TEST(QRErrors, NormalEquationsTellTheRank) {
  const Sparse<double> A = ofRank<double>(9, 6, 4, 1);
  const tsgu_solver solver = solverOf(TSGU_QR, -1);
  std::vector<double> g(6, 1), z(6);
  runtime::Problem problem;
  problem.kind = runtime::Problem::NormalEquations;
  problem.solver = &solver;
  problem.pattern = reinterpret_cast<runtime::Pattern *>(A.pattern);
  problem.values = A.values.data(), problem.columns = 1;
  problem.b = g.data(), problem.x = z.data();
  problem.bRow = problem.xRow = 1;
  try {
    runtime::solve(problem, serial);
    FAIL();
  } catch (const tsgu::Error &error) {
    EXPECT_EQ(error.status(), tsgu::Status::Singular);
    EXPECT_NE(std::string(error.what())
                  .find("9 x 6, is rank deficient, of "
                        "rank 4"),
              std::string::npos)
        << error.what();
  }
}

void expectRefused(const tsgu_solver &solver, const Sparse<double> &A,
                   tsgu_status status, const char *words) {
  const auto solved =
      solve(solver, TSGU_N, A, std::vector<double>(A.rows, 1), 1);
  EXPECT_EQ(solved.status, status);
  EXPECT_NE(std::string(tsgu_last_error()).find(words), std::string::npos)
      << tsgu_last_error();
}

TEST(QRErrors, EntriesThatAreNotFinite) {
  Sparse<double> A = general<double>(6, 4, 2, 3);
  A.values[3] = NAN;
  expectRefused(solverOf(TSGU_QR, -1), A, TSGU_INVALID_ARGUMENT,
                "qr: the matrix has row");
}

TEST(QRErrors, OptionsOfOthers) {
  tsgu_solver solver = solverOf(TSGU_QR, -1);
  solver.damp = 0.5;
  expectRefused(solver, general<double>(6, 4, 2, 3), TSGU_INVALID_ARGUMENT,
                "QR takes no damp");
  expectRefused(solverOf(TSGU_LU, -1), general<double>(6, 4, 2, 3),
                TSGU_INVALID_ARGUMENT, "square");
}

/// Kahan's matrix, no pivot of which says how near it is to one of less rank.
TEST(QRRanks, ThatPivotsDoNotTell) {
  const double c = 0.6, s = 0.8;
  const Sparse<double> A(90, 90, [&](int64_t i, int64_t j) {
    return i > j ? 0 : std::pow(s, double(i)) * (i == j ? 1 : -c);
  });
  const Dense<double> M = denseOf(A, TSGU_N);
  const auto sizes = Eigen::JacobiSVD<Dense<double>>(M).singularValues();
  ASSERT_LT(double(sizes(89)), 1e-3 * epsilon<double>());
  ASSERT_GT(double(sizes(88)), 1e-10);
  EXPECT_EQ(runtime::pseudoInverse(matrixOf(A), serial)->rank, 89);
}

/// Columns before the one that depends on them nearly depend on each other.
TYPED_TEST(QR, RanksOfManyMatrices) {
  using T = TypeParam;
  constexpr int64_t sizes[][3] = {{40, 17, 16}, {35, 43, 29}, {29, 52, 11}};
  for (auto [m, n, rank] : sizes)
    for (unsigned seed = 0; seed < 60; ++seed) {
      const Sparse<T> A = ofRank<T>(m, n, rank, seed);
      EXPECT_EQ(runtime::pseudoInverse(matrixOf(A), serial)->rank, rank)
          << m << " x " << n << ", seed " << seed;
    }
}

TEST(QRErrors, InfiniteRightHandSides) {
  const Sparse<double> A = general<double>(6, 4, 2, 3);
  std::vector<double> b(6, 1);
  b[2] = INFINITY;
  const auto solved = solve(solverOf(TSGU_QR, -1), TSGU_N, A, b, 1);
  EXPECT_EQ(solved.status, TSGU_OK);
  EXPECT_EQ(told.worst, TSGU_NOT_FINITE);
}

TEST(QRInterrupts, StopsWithin200Milliseconds) {
  // A dense R of 2500 columns takes seconds.
  const Sparse<double> A = general<double>(2500, 2500, 3, 4);
  static std::atomic<int64_t> asked;
  asked = 0;
  static std::chrono::steady_clock::time_point told;
  tsgu_callbacks callbacks{};
  callbacks.interrupted = [] {
    if (asked++ < 3)
      return 0;
    if (told == std::chrono::steady_clock::time_point())
      told = std::chrono::steady_clock::now();
    return 1;
  };
  tsgu_set_callbacks(&callbacks);
  EXPECT_THROW(runtime::pseudoInverse(matrixOf(A), serial), tsgu::Error);
  const auto took = std::chrono::steady_clock::now() - told;
  tsgu_set_callbacks(nullptr);
  EXPECT_LT(took, std::chrono::milliseconds(200));
}

} // namespace
