//===- SolverAllocationTest.cpp - Solves that run out of memory -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The k-th allocation fails, for every k: TSGU_OUT_OF_MEMORY, nothing leaks,
// and the same objects then give the same bits as if nothing had happened.
//
//===----------------------------------------------------------------------===//

#include "FailEach.h"
#include "SolverSystems.h"

using namespace tsgu::test;

namespace {

/// After a failure the pattern still counts its bytes.
void describes(const tsgu::Pattern &pattern) {
  tsgu_pattern_info info;
  tsgu_pattern_describe(pattern.get(), &info);
  EXPECT_GE(info.bytes, 0);
}

template <typename T>
void failEachSolve(const tsgu_solver &solver, tsgu_mode mode,
                   int64_t side = 17) {
  const System<T> system = gridSystem<T>(side, 2);
  const std::string name = describe(solver, mode);
  System<T> expected = system;
  ASSERT_EQ(expected.solve(solver, mode), TSGU_OK)
      << name << ": " << tsgu_last_error();
  failEach(name, [&](int64_t k) {
    System<T> fresh = system;
    const Outcome outcome =
        withFailure(k, [&] { return fresh.solve(solver, mode); });
    if (outcome == Outcome::Failed) {
      describes(*fresh.pattern);
      EXPECT_EQ(fresh.solve(solver, mode), TSGU_OK)
          << name << " after allocation " << k << ": " << tsgu_last_error();
    }
    EXPECT_TRUE(sameBits(fresh.x, expected.x)) << name << ", " << k;
    return outcome != Outcome::NotReached;
  });
}

class SolverAllocation : public ::testing::TestWithParam<Choice> {};
INSTANTIATE_TEST_SUITE_P(All, SolverAllocation, ::testing::ValuesIn(choices()),
                         [](const auto &info) { return info.param.name(); });

TEST_P(SolverAllocation, Solve) {
  const tsgu_solver solver = GetParam().solver();
  failEachSolve<double>(solver, TSGU_N);
  failEachSolve<std::complex<float>>(solver, TSGU_T, 9);
  failEachSolve<std::complex<double>>(solver, TSGU_C, 7);
  failEachSolve<float>(solver, TSGU_N, 5);
}

TEST(TriangularAllocation, Create) {
  System<double> system = gridSystem<double>(17, 2);
  failEach("create", [&](int64_t k) {
    System<double> fresh = system;
    tsgu_triangular *triangle = nullptr;
    auto create = [&] {
      return tsgu_triangular_create(fresh.pattern->get(), 0, 0,
                                    fresh.valueTensor(), &triangle);
    };
    const Outcome outcome = withFailure(k, create);
    if (outcome == Outcome::Failed) {
      EXPECT_EQ(triangle, nullptr);
      EXPECT_EQ(create(), TSGU_OK) << tsgu_last_error();
    }
    EXPECT_EQ(tsgu_triangular_solve(triangle, TSGU_N, fresh.bTensor(),
                                    fresh.xTensor(), nullptr),
              TSGU_OK);
    tsgu_triangular_free(triangle);
    return outcome != Outcome::NotReached;
  });
}

/// Solves and new values after the first ask for next to no memory; when they
/// do not get it, the triangle stays of use.
TEST(TriangularAllocation, UpdateAndSolve) {
  tsgu_set_threads(1);
  for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C}) {
    System<double> system = gridSystem<double>(17, 2), expected = system;
    tsgu_triangular *first = nullptr;
    ASSERT_EQ(tsgu_triangular_create(expected.pattern->get(), 0, 0,
                                     expected.valueTensor(), &first),
              TSGU_OK);
    ASSERT_EQ(tsgu_triangular_solve(first, mode, expected.bTensor(),
                                    expected.xTensor(), nullptr),
              TSGU_OK);
    tsgu_triangular_free(first);
    for (int64_t k = 1, failures = 1; failures > 0; ++k) {
      failures = 0;
      tsgu_triangular *triangle = nullptr;
      ASSERT_EQ(tsgu_triangular_create(system.pattern->get(), 0, 0,
                                       system.valueTensor(), &triangle),
                TSGU_OK);
      auto update = [&] {
        return tsgu_triangular_update(triangle, system.valueTensor());
      };
      auto solve = [&] {
        return tsgu_triangular_solve(triangle, mode, system.bTensor(),
                                     system.xTensor(), nullptr);
      };
      if (withFailure(k, update) == Outcome::Failed) {
        ++failures;
        EXPECT_EQ(update(), TSGU_OK);
      }
      if (withFailure(k, solve) == Outcome::Failed) {
        ++failures;
        EXPECT_EQ(solve(), TSGU_OK);
      }
      EXPECT_TRUE(sameBits(system.x, expected.x));
      tsgu_triangular_free(triangle);
    }
  }
  tsgu_set_threads(0);
}

/// What is packed in the end, and kept for a derivative.
TEST(TriangularAllocation, PacksValuesThatStay) {
  uint64_t number = 0;
  const tsgu_solver solver{};
  const System<double> system = gridSystem<double>(40, 1);
  for (tsgu_mode mode : {TSGU_N, TSGU_C})
    for (int sure : {1, 0}) {
      int64_t failures = 0;
      failEach("pack", [&](int64_t k) {
        System<double> fresh = system;
        tsgu_values_known(fresh.values.data(), ++number, sure);
        for (int before = 0; before < (mode == TSGU_N ? 47 : 32); ++before)
          EXPECT_EQ(fresh.solve(solver, mode), TSGU_OK);
        const std::vector<double> expected = fresh.x;
        tsgu_kept *kept = nullptr;
        const Outcome outcome = withFailure(k, [&] {
          const tsgu_status begun = tsgu_keep_begin(&kept);
          return begun == TSGU_OK ? fresh.solve(solver, mode) : begun;
        });
        failures += outcome == Outcome::Failed;
        if (kept)
          tsgu_keep_end(kept);
        for (int after = 0; after < 3; ++after)
          EXPECT_EQ(fresh.solve(solver, mode), TSGU_OK) << tsgu_last_error();
        EXPECT_TRUE(sameBits(fresh.x, expected)) << k;
        tsgu_keep_free(kept);
        tsgu_values_known(nullptr, 0, 0);
        return outcome != Outcome::NotReached;
      });
      EXPECT_GT(failures, 10);
    }
}

/// Messages of their own need memory too: the error stays typed.
TEST(SolverAllocationErrors, Refused) {
  System<double> system = gridSystem<double>(17, 2);
  std::fill(system.values.begin(), system.values.end(), 0.0);
  for (int64_t preconditioner = 0; preconditioner <= TSGU_AMG; ++preconditioner)
    for (int64_t k = 1; k < 30; ++k) {
      tsgu_solver solver{};
      solver.method = preconditioner ? TSGU_CG : TSGU_TRIANGULAR;
      solver.preconditioner = preconditioner;
      untilFailure = k;
      const tsgu_status status = system.solve(solver, TSGU_N);
      untilFailure = -1;
      EXPECT_TRUE(status == TSGU_SINGULAR || status == TSGU_OUT_OF_MEMORY)
          << status;
      EXPECT_STRNE(tsgu_last_error(), "");
    }
}

} // namespace
