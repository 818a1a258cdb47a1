//===- IterationAllocationTest.cpp - Iterations that run out of memory ----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The k-th allocation of tsgu_iteration_start and of all tsgu_iteration_next
// fails: that call says so, the iteration can only be freed, nothing leaks.
//
//===----------------------------------------------------------------------===//

#include "FailEach.h"
#include "SolverSystems.h"

using namespace tsgu::test;

namespace {

struct Asking {
  System<double> system = gridSystem<double>(7, 3);
  tsgu_solver solver;
  tsgu_iteration_options options;
  std::vector<double> x;
  tsgu_iteration *iteration = nullptr;

  Asking(const tsgu_solver &solver, const tsgu_iteration_options &options)
      : solver(solver), options(options) {
    x.assign(system.x.size() * std::max(options.shift_count, 1), 0.5);
  }
  ~Asking() { tsgu_iteration_free(iteration); }

  tsgu_status start() {
    const int64_t shape[] = {options.shift_count, system.rows, system.columns},
                  strides[] = {system.rows * system.columns, system.columns, 1};
    const int shifted = options.shift_count > 0;
    const tsgu_tensor to{x.data(), TSGU_F64, 2 + shifted, shape + !shifted,
                         strides + !shifted};
    return tsgu_iteration_start(&solver, &options, system.bTensor(), &to,
                                nullptr, &iteration);
  }

  /// out = A in; with the diagonal alone, an approximation of the inverse.
  void answer(tsgu_request request, const tsgu_tensor &in,
              const tsgu_tensor &out) const {
    const int64_t k = in.shape[1];
    auto *from = static_cast<const double *>(in.data);
    auto *to = static_cast<double *>(out.data);
    for (int64_t i = 0; i < system.rows; ++i)
      for (int64_t j = 0; j < k; ++j) {
        double sum = 0;
        for (int32_t e = system.positions[i]; e < system.positions[i + 1]; ++e)
          sum += system.values[e] * from[system.coordinates[e] * k + j];
        to[i * k + j] =
            request == TSGU_PRECONDITION ? from[i * k + j] / 4.5 : sum;
      }
  }

  tsgu_status run() {
    if (tsgu_status status = start(); status != TSGU_OK) {
      EXPECT_EQ(iteration, nullptr);
      return status;
    }
    for (;;) {
      tsgu_request request;
      tsgu_tensor in, out;
      if (tsgu_status status =
              tsgu_iteration_next(iteration, &request, &in, &out);
          status != TSGU_OK || request == TSGU_DONE)
        return status;
      answer(request, in, out);
    }
  }

  /// Of a failed iteration: no call crashes, all are refused.
  void expectUnusable() {
    if (!iteration)
      return;
    tsgu_request request;
    tsgu_tensor in, out;
    EXPECT_EQ(tsgu_iteration_next(iteration, &request, &in, &out),
              TSGU_INVALID_ARGUMENT);
    tsgu_outcome outcome;
    EXPECT_EQ(tsgu_iteration_outcome(iteration, &outcome),
              TSGU_INVALID_ARGUMENT);
  }
};

struct Options {
  const char *name;
  tsgu_iteration_options options;
};

const double shifts[] = {0, 0.5, 2};

std::vector<Options> optionsOf(int64_t method) {
  std::vector<Options> all{{"plain", {}}};
  auto with = [&](const char *name) -> tsgu_iteration_options & {
    return all.emplace_back(Options{name, {}}).options;
  };
  with("guess").guess = 1;
  with("fixed columns").fixed_columns = 1;
  if (method == TSGU_LSMR)
    return all;
  with("preconditioned").preconditioned = 1;
  tsgu_iteration_options &shifted = with("shifts");
  shifted.guess = 1, shifted.factor = 2;
  shifted.shift_count = 3, shifted.shifts = shifts;
  if (method == TSGU_CG)
    with("tridiagonals").tridiagonals = 2;
  return all;
}

class IterationAllocation : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(All, IterationAllocation,
                         ::testing::Range<int64_t>(TSGU_CG, TSGU_LSMR + 1),
                         [](const auto &info) {
                           return std::string(methodNames[info.param]);
                         });

TEST_P(IterationAllocation, Run) {
  tsgu_solver solver = Choice{GetParam(), 0}.solver();
  solver.report = 4;
  for (const auto &[name, options] : optionsOf(GetParam())) {
    Asking expected(solver, options);
    ASSERT_EQ(expected.run(), TSGU_OK) << name << ": " << tsgu_last_error();
    failEach(name, [&, &options = options](int64_t k) {
      Asking asking(solver, options);
      const Outcome outcome = withFailure(k, [&] { return asking.run(); });
      if (outcome == Outcome::Failed) {
        asking.expectUnusable();
        Asking again(solver, options);
        EXPECT_EQ(again.run(), TSGU_OK) << tsgu_last_error();
        EXPECT_TRUE(sameBits(again.x, expected.x));
      } else {
        EXPECT_TRUE(sameBits(asking.x, expected.x));
      }
      return outcome != Outcome::NotReached;
    });
  }
}

/// Freed between two requests, it leaves nothing behind.
TEST_P(IterationAllocation, FreedInTheMiddle) {
  const tsgu_solver solver = Choice{GetParam(), 0}.solver();
  for (int round = 0; round < 2; ++round) {
    const int64_t before = live;
    for (int steps = 0; steps < 8; ++steps) {
      Asking asking(solver, {});
      ASSERT_EQ(asking.start(), TSGU_OK);
      tsgu_request request;
      tsgu_tensor in, out;
      for (int step = 0; step < steps; ++step) {
        ASSERT_EQ(tsgu_iteration_next(asking.iteration, &request, &in, &out),
                  TSGU_OK);
        asking.answer(request, in, out);
      }
    }
    if (round == 1) {
      EXPECT_EQ(live, before);
    }
  }
}

TEST(IterationMemory, WhatIsReadAfterwardsIsThere) {
  tsgu_iteration_options options{};
  options.tridiagonals = 2;
  Asking asking(Choice{TSGU_CG, 0}.solver(), options);
  ASSERT_EQ(asking.run(), TSGU_OK);
  asksForNone("tsgu_iteration_outcome", [&] {
    tsgu_outcome outcome;
    EXPECT_EQ(tsgu_iteration_outcome(asking.iteration, &outcome), TSGU_OK);
    EXPECT_EQ(outcome.worst, TSGU_CONVERGED);
  });
  asksForNone("tsgu_iteration_tridiagonal", [&] {
    int64_t steps = 0;
    const double *diagonal, *offDiagonal;
    EXPECT_EQ(tsgu_iteration_tridiagonal(asking.iteration, 1, &steps, &diagonal,
                                         &offDiagonal),
              TSGU_OK);
    EXPECT_GT(steps, 1);
  });
}

} // namespace
