//===- SolverCallAllocationTest.cpp - All ways to call a solver -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Least squares, batches, reports, the caller's own solver, programs, whose
// k-th allocation fails; and the calls that ask for no memory at all.
//
//===----------------------------------------------------------------------===//

#include "FailEach.h"
#include "FakePrograms.h"
#include "SolverSystems.h"

#include <thread>

using namespace tsgu;
using namespace tsgu::test;

namespace {

/// One call with buffers of its own, on a pattern made anew.
struct Call {
  int32_t rank;
  std::vector<int64_t> shape;
  std::vector<int32_t> positions, coordinates;
  std::vector<double> values, b, x;
  tsgu_pattern *pattern = nullptr;
  int64_t bShape[3], xShape[3], strides[3], xStrides[3], stored, unit = 1;
  tsgu_tensor tensors[3];

  /// `items` grids of side `side`, of which `rows` rows are kept.
  Call(int64_t items, int64_t side, int64_t rows, tsgu_mode mode = TSGU_N)
      : rank(items > 1 ? 3 : 2) {
    const int64_t p = 2;
    for (int64_t item = 0; item < items; ++item) {
      const System<double> grid = gridSystem<double>(side, p);
      const int32_t last = grid.positions[rows];
      positions.insert(positions.end(), grid.positions.begin(),
                       grid.positions.begin() + rows + 1);
      coordinates.insert(coordinates.end(), grid.coordinates.begin(),
                         grid.coordinates.begin() + last);
      for (int32_t k = 0; k < last; ++k)
        values.push_back(grid.values[k] * static_cast<double>(1 + item));
    }
    shape = {rows, side * side};
    int64_t bRows = rows, xRows = side * side;
    if (mode != TSGU_N)
      std::swap(bRows, xRows);
    if (items > 1)
      shape.insert(shape.begin(), items);
    for (int64_t k = 0; k < items * bRows * p; ++k)
      b.push_back(1 + static_cast<double>(k * 7919 % 97) / 97);
    x.resize(items * xRows * p);
    const int64_t bAll[] = {items, bRows, p}, xAll[] = {items, xRows, p};
    const int64_t bSteps[] = {bRows * p, p, 1}, xSteps[] = {xRows * p, p, 1};
    std::copy(bAll + 3 - rank, bAll + 3, bShape);
    std::copy(xAll + 3 - rank, xAll + 3, xShape);
    std::copy(bSteps + 3 - rank, bSteps + 3, strides);
    std::copy(xSteps + 3 - rank, xSteps + 3, xStrides);
    stored = static_cast<int64_t>(values.size());
    tensors[0] = {values.data(), TSGU_F64, 1, &stored, &unit};
    tensors[1] = {b.data(), TSGU_F64, rank, bShape, strides};
    tensors[2] = {x.data(), TSGU_F64, rank, xShape, xStrides};
    EXPECT_EQ(tsgu_pattern_from_csr(rank, shape.data(), TSGU_I32,
                                    positions.data(), coordinates.data(),
                                    stored, &pattern),
              TSGU_OK)
        << tsgu_last_error();
  }
  Call(const Call &) = delete;
  ~Call() { tsgu_pattern_release(pattern); }

  tsgu_status solve(const tsgu_solver &solver, tsgu_mode mode,
                    int32_t guess = 0) {
    return tsgu_solve(&solver, mode, pattern, tensors, tensors + 1, tensors + 2,
                      guess, nullptr);
  }
};

/// `call` on what `make` makes gives `wanted` and the same bits whatever
/// allocation failed before.
template <typename Make, typename F>
void failEachCall(const std::string &name, Make &&make, F &&call,
                  tsgu_status wanted = TSGU_OK) {
  tsgu_set_threads(1);
  auto expected = make();
  ASSERT_EQ(call(*expected), wanted) << name << ": " << tsgu_last_error();
  failEach(name, [&](int64_t k) {
    auto fresh = make();
    const Outcome outcome =
        withFailure(k, [&] { return call(*fresh); }, wanted);
    if (outcome == Outcome::Failed) {
      std::fill(fresh->x.begin(), fresh->x.end(), 0);
      EXPECT_EQ(call(*fresh), wanted)
          << name << " after allocation " << k << ": " << tsgu_last_error();
    }
    EXPECT_TRUE(sameBits(fresh->x, expected->x)) << name << ", " << k;
    return outcome != Outcome::NotReached;
  });
}

TEST(LeastSquaresAllocation, Solve) {
  for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C})
    for (double damp : {0.0, 0.5})
      for (int64_t scale : {0, 1})
        for (int32_t guess : {0, 1}) {
          tsgu_solver solver = Choice{TSGU_LSMR, 0}.solver();
          solver.damp = damp, solver.scale_columns = scale;
          failEachCall(
              describe(solver, mode),
              [&] { return std::make_unique<Call>(1, 5, 17, mode); },
              [&](Call &call) { return call.solve(solver, mode, guess); });
        }
}

TEST(BatchAllocation, Solve) {
  for (const Choice &choice :
       {Choice{TSGU_TRIANGULAR, 0}, Choice{TSGU_CG, TSGU_IC0},
        Choice{TSGU_CG, TSGU_AMG}, Choice{TSGU_GMRES, TSGU_ILU0},
        Choice{TSGU_MINRES, TSGU_JACOBI}, Choice{TSGU_LSMR, 0}}) {
    const tsgu_solver solver = choice.solver();
    for (tsgu_mode mode : {TSGU_N, TSGU_C})
      failEachCall(
          "batch, " + describe(solver, mode),
          [] { return std::make_unique<Call>(3, 4, 16); },
          [&](Call &call) { return call.solve(solver, mode); });
  }
}

TEST(BatchAllocation, Triangles) {
  failEachCall(
      "triangles", [] { return std::make_unique<Call>(3, 4, 16); },
      [](Call &call) {
        tsgu_triangular *triangle = nullptr;
        tsgu_status status =
            tsgu_triangular_create(call.pattern, 1, 0, call.tensors, &triangle);
        if (status != TSGU_OK) {
          EXPECT_EQ(triangle, nullptr);
          return status;
        }
        status = tsgu_triangular_update(triangle, call.tensors);
        if (status == TSGU_OK)
          status = tsgu_triangular_solve(triangle, TSGU_T, call.tensors + 1,
                                         call.tensors + 2, nullptr);
        tsgu_triangular_free(triangle);
        return status;
      });
}

//===----------------------------------------------------------------------===//
// Reports and the caller's side
//===----------------------------------------------------------------------===//

int heard;
int32_t hear(int64_t, const tsgu_outcome *outcome) {
  ++heard;
  EXPECT_NE(outcome->explanation[0], 0);
  EXPECT_EQ(outcome->columns, 2);
  return 0;
}
int32_t progress(int64_t, int64_t, int64_t, const double *) { return 0; }
int32_t jacobi(int64_t, int32_t, tsgu_pattern *, int64_t, const tsgu_tensor *,
               const tsgu_tensor *b, const tsgu_tensor *x) {
  for (int64_t k = 0; k < b->shape[0] * 2; ++k)
    static_cast<double *>(x->data)[k] =
        static_cast<const double *>(b->data)[k] / 4.5;
  return 0;
}
const tsgu_callbacks listener{jacobi, progress, hear, nullptr};

TEST(ReportAllocation, Outcomes) {
  tsgu_set_callbacks(&listener);
  for (const Choice &choice : choices()) {
    if (choice.method == TSGU_TRIANGULAR)
      continue;
    for (tsgu_on_fail onFail : {TSGU_REPORT, TSGU_RAISE, TSGU_IGNORE}) {
      tsgu_solver solver = choice.solver();
      solver.max_iterations = 2, solver.rtol = 1e-14;
      solver.report = 7, solver.callback = 9;
      solver.on_fail = onFail;
      auto make = [] { return std::make_unique<Call>(1, 5, 25); };
      auto first = make();
      heard = 0;
      const tsgu_status wanted = first->solve(solver, TSGU_N);
      EXPECT_EQ(heard, 1);
      failEachCall(
          describe(solver, TSGU_N), make,
          [&](Call &call) { return call.solve(solver, TSGU_N); }, wanted);
    }
  }
  tsgu_set_callbacks(nullptr);
}

TEST(ReportAllocation, TheCallersSolver) {
  tsgu_set_callbacks(&listener);
  tsgu_solver solver{};
  solver.method = TSGU_CALLBACK, solver.callback = 9, solver.rtol = 0;
  for (tsgu_mode mode : {TSGU_N, TSGU_T, TSGU_C})
    failEachCall(
        "the caller's solver", [] { return std::make_unique<Call>(1, 5, 25); },
        [&](Call &call) { return call.solve(solver, mode); });
  tsgu_set_callbacks(nullptr);
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

TEST(SolveProgramAllocation, Run) {
  for (const char *name : {"solve", "batched-solve", "keep-triangle"}) {
    const FakeObject object(fakeManifest(name, {}), {});
    tsgu_program *program = nullptr;
    ASSERT_EQ(tsgu_program_from_object(&object.object(), &program), TSGU_OK);
    const bool batched = std::string(name) == "batched-solve";
    const bool keeps = std::string(name) == "keep-triangle";
    tsgu_solver solver{};
    const int64_t words = 16, unit = 1;
    const tsgu_tensor handle{&solver, TSGU_I64, 1, &words, &unit};
    failEachCall(
        name,
        [&] {
          auto call = std::make_unique<Call>(batched ? 3 : 1, 4, 16);
          if (keeps)
            call->x.resize(call->stored);
          return call;
        },
        [&](Call &call) {
          const tsgu_tensor operands[] = {handle, call.tensors[0],
                                          call.tensors[1]};
          tsgu_tensor result = call.tensors[2];
          if (keeps)
            result = {call.x.data(), TSGU_F64, 1, &call.stored, &call.unit};
          int64_t shape[8];
          int32_t rank = 0;
          tsgu_status status = tsgu_program_infer(
              program, &call.pattern, 1, operands, keeps ? 2 : 3, shape, &rank);
          if (status == TSGU_OK)
            status = tsgu_program_run(program, &call.pattern, 1, operands,
                                      keeps ? 2 : 3, &result, nullptr);
          return status;
        });
  }
}

//===----------------------------------------------------------------------===//
// Calls that cannot fail
//===----------------------------------------------------------------------===//

TEST(NoAllocation, CallsThatReturnNoStatus) {
  Call call(1, 5, 25);
  asksForNone("tsgu_pattern_describe", [&] {
    tsgu_pattern_info info;
    tsgu_pattern_describe(call.pattern, &info);
  });
  asksForNone("tsgu_pattern_retain", [&] {
    tsgu_pattern_retain(call.pattern);
    tsgu_pattern_release(call.pattern);
  });
  asksForNone("tsgu_set_callbacks", [] {
    tsgu_set_callbacks(&listener);
    tsgu_set_callbacks(nullptr);
  });
  asksForNone("the process", [] {
    tsgu_set_threads(3);
    EXPECT_EQ(tsgu_threads(), 3);
    tsgu_set_threads(0);
    tsgu_counters counters;
    tsgu_get_counters(&counters);
    tsgu_version();
    tsgu_last_error();
    tsgu_advise_huge(nullptr, 0);
    tsgu_string_free(nullptr);
    tsgu_triangular_free(nullptr);
    tsgu_iteration_free(nullptr);
  });
}

/// Memory runs out in a task on a thread of others.
int64_t failingAllocation;
const tsgu_executor otherThread{
    3, [](int64_t count, tsgu_task task, void *context) {
      std::thread([=] {
        untilFailure = failingAllocation;
        for (int64_t i = count; i-- > 0;)
          task(context, i, i + 1);
        failingAllocation = std::exchange(untilFailure, -1);
      }).join();
    }};

TEST(TaskAllocation, Solves) {
  int failed = 0;
  for (const Choice &choice : choices())
    for (int64_t k : {1, 2, 30}) {
      tsgu_solver solver = choice.solver();
      solver.max_iterations = 3;
      solver.on_fail = TSGU_IGNORE;
      System<double> system = gridSystem<double>(150, 2), expected = system;
      failingAllocation = -1;
      ASSERT_EQ(expected.solve(solver, TSGU_N, &otherThread), TSGU_OK);
      failingAllocation = k;
      const tsgu_status status = system.solve(solver, TSGU_N, &otherThread);
      if (status != TSGU_OK) {
        ++failed;
        EXPECT_EQ(status, TSGU_OUT_OF_MEMORY) << tsgu_last_error();
      }
      failingAllocation = -1;
      EXPECT_EQ(system.solve(solver, TSGU_N, &otherThread), TSGU_OK);
      EXPECT_TRUE(sameBits(system.x, expected.x)) << choice.name();
    }
  EXPECT_GT(failed, 0);
}

} // namespace
