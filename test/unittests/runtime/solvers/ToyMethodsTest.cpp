//===- ToyMethodsTest.cpp - One file and one line make a method -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ToyKrylovMethod.cpp, ToyPreconditioner.cpp, ToyFactorization.cpp and their
// lines of ToyMethods.def, through the C API.
//
//===----------------------------------------------------------------------===//

#include "SolverSystems.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

using namespace tsgu::test;

namespace {

tsgu_solver asking(int64_t method, int64_t preconditioner = 0) {
  return Choice{method, preconditioner}.solver();
}

/// norm(b - op(A) x) / norm(b) of all columns together.
template <typename T>
double residualOf(const System<T> &system, tsgu_mode mode) {
  using Wide = std::complex<long double>;
  std::vector<Wide> rest(system.b.begin(), system.b.end());
  for (int64_t i = 0; i < system.rows; ++i)
    for (int32_t k = system.positions[i]; k < system.positions[i + 1]; ++k)
      for (int64_t j = 0; j < system.columns; ++j) {
        const int64_t column = system.coordinates[k];
        const int64_t to = mode == TSGU_N ? i : column;
        const int64_t from = mode == TSGU_N ? column : i;
        const Wide a(system.values[k]);
        rest[to * system.columns + j] -=
            (mode == TSGU_C ? std::conj(a) : a) *
            Wide(system.x[from * system.columns + j]);
      }
  long double square = 0, of = 0;
  for (size_t k = 0; k < rest.size(); ++k)
    square += std::norm(rest[k]), of += std::norm(Wide(system.b[k]));
  return static_cast<double>(std::sqrt(square / of));
}

TEST(ToyMethods, HaveNamesAndKinds) {
  EXPECT_STREQ(tsgu_method_name(TSGU_CG), "cg");
  EXPECT_STREQ(tsgu_method_name(TSGU_CHOLESKY), "cholesky");
  EXPECT_STREQ(tsgu_method_name(TSGU_DESCENT), "descent");
  EXPECT_STREQ(tsgu_method_name(TSGU_INVERSE), "inverse");
  EXPECT_EQ(tsgu_method_name(TSGU_INVERSE + 1), nullptr);
  EXPECT_EQ(tsgu_method_name(-1), nullptr);
  EXPECT_EQ(tsgu_method_kind(TSGU_DESCENT), TSGU_KRYLOV);
  EXPECT_EQ(tsgu_method_kind(TSGU_INVERSE), TSGU_DIRECT);
  EXPECT_EQ(tsgu_method_kind(TSGU_LSMR), TSGU_OTHER);
  EXPECT_EQ(tsgu_method_kind(100), TSGU_OTHER);
  EXPECT_STREQ(tsgu_preconditioner_name(TSGU_AMG), "amg");
  EXPECT_STREQ(tsgu_preconditioner_name(TSGU_MULTIPLE), "multiple");
  EXPECT_EQ(tsgu_preconditioner_name(TSGU_MULTIPLE + 1), nullptr);
}

template <typename T> class ToySolves : public ::testing::Test {};
using ValueTypes =
    ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(ToySolves, ValueTypes);

TYPED_TEST(ToySolves, SolveInEveryMode) {
  const double goal = sizeof(std::abs(TypeParam())) == 4 ? 1e-4 : 1e-7;
  for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C}) {
    System<TypeParam> grid = gridSystem<TypeParam>(6, 3);
    for (const int64_t preconditioner : {0, 1, int(TSGU_MULTIPLE)}) {
      grid.x.assign(grid.x.size(), TypeParam());
      ASSERT_EQ(grid.solve(asking(TSGU_DESCENT, preconditioner), mode), TSGU_OK)
          << tsgu_last_error();
      EXPECT_LE(residualOf(grid, mode), goal);
    }
    System<TypeParam> skew = gridSystem<TypeParam>(6, 3, 0.4);
    ASSERT_EQ(skew.solve(asking(TSGU_INVERSE), mode), TSGU_OK)
        << tsgu_last_error();
    EXPECT_LE(residualOf(skew, mode), goal / 100);
  }
}

TEST(ToyMethods, ArePreparedOnce) {
  System<double> grid = gridSystem<double>(6, 1);
  auto made = [&](const tsgu_solver &solver) {
    tsgu_counters before, after;
    tsgu_get_counters(&before);
    EXPECT_EQ(grid.solve(solver, TSGU_N), TSGU_OK) << tsgu_last_error();
    tsgu_get_counters(&after);
    return after.setups - before.setups + after.factorizations -
           before.factorizations;
  };
  tsgu_solver solver = asking(TSGU_DESCENT, TSGU_MULTIPLE);
  EXPECT_EQ(made(asking(TSGU_INVERSE)) + made(solver), 2u);
  EXPECT_EQ(made(asking(TSGU_INVERSE)) + made(solver), 0u);
  solver.relaxation = 1; // What 0 stands for.
  EXPECT_EQ(made(solver), 0u);
  solver.relaxation = 0.5;
  EXPECT_EQ(made(solver), 1u);
  solver.block_size = 5; // Which it does not read.
  EXPECT_EQ(made(solver), 0u);
}

TEST(ToyMethods, AreNamedInErrors) {
  System<double> grid = gridSystem<double>(6, 1);
  tsgu_solver solver = asking(TSGU_DESCENT);
  solver.max_iterations = 1;
  EXPECT_EQ(grid.solve(solver, TSGU_N), TSGU_NOT_CONVERGED);
  EXPECT_EQ(std::string(tsgu_last_error()).find("Steepest descent reached"), 0u)
      << tsgu_last_error();
  System<double> skew = gridSystem<double>(6, 1, 0.4);
  EXPECT_EQ(skew.solve(solver, TSGU_N), TSGU_NOT_CONVERGED);
  EXPECT_NE(std::string(tsgu_last_error())
                .find("not Hermitian, as Steepest descent needs it"),
            std::string::npos)
      << tsgu_last_error();
  grid.values[0] = std::nan("");
  EXPECT_EQ(grid.solve(asking(TSGU_INVERSE), TSGU_N), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(tsgu_last_error()).find("inverse: the matrix has"), 0u)
      << tsgu_last_error();
  EXPECT_EQ(grid.solve(asking(TSGU_INVERSE + 1), TSGU_N),
            TSGU_INVALID_ARGUMENT);
  EXPECT_STREQ(tsgu_last_error(),
               "solver: method is 19; it must be between 0 and 18");
}

} // namespace
