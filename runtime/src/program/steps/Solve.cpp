//===- Solve.cpp - Solves with a sparse matrix ----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// destination = function of op(A) and source, by a solver, values of A and
// source, which have shape [items, ..., right-hand sides]. The number is the
// mode.
//
//===----------------------------------------------------------------------===//

#include "program/steps/Factored.h"

#include <algorithm>
#include <utility>

namespace tsgu::runtime {

/// The symbol of how many right-hand sides there are; -1: no such dimension.
static int32_t columnsOf(const StepView &view) {
  const BufferInfo x = view.written(0);
  return x.shape.empty() ? -1 : x.shape.back();
}

template <Problem::Kind kind> static void check(const StepView &view) {
  view.requireCSR();
  const int32_t mode = view.info.numbers[0];
  view.require(mode >= 0 && mode <= static_cast<int32_t>(Mode::C),
               "has no mode ", mode);
  const std::vector<int32_t> &matrix = view.pattern().shape;
  const size_t lead = matrix.size() - 2;
  int32_t b = matrix[lead], x = matrix[lead + 1];
  if (static_cast<Mode>(mode) != Mode::N)
    std::swap(b, x);
  if (kind == Problem::NormalEquations)
    b = x;
  auto fits = [&](const BufferInfo &vectors, int32_t length) {
    std::vector<int32_t> shape(matrix.begin(), matrix.begin() + lead);
    shape.push_back(length);
    shape.push_back(columnsOf(view));
    return vectors.shape == shape && vectors.type == view.read(1).type;
  };
  view.require(fits(view.read(2), b) && fits(view.written(0), x),
               "has vectors that do not fit its matrix");
}

template <Problem::Kind kind> static std::string print(const StepView &view) {
  static constexpr const char *modes[] = {"", "^T", "^H"};
  static constexpr const char *kinds[] = {"triangular", "general",
                                          "least squares", "normal equations"};
  return "solve " + view.nameOfRead(1) + modes[view.info.numbers[0]] + " (" +
         kinds[kind] + ") by " + view.nameOfRead(0) + ": " +
         view.nameOfRead(2) + " to " + view.nameOfWritten(0);
}

static Problem problemOf(Problem::Kind kind, const HostStep &call) {
  Problem problem;
  problem.kind = kind;
  problem.mode = static_cast<Mode>(call.view.info.numbers[0]);
  problem.solver = &call.solver();
  problem.pattern = &call.pattern();
  problem.type = call.binding.valueType;
  problem.values = call.read(1);
  problem.columns = call.binding.sizes[columnsOf(call.view)];
  problem.b = call.read(2);
  problem.x = call.written(0);
  const int64_t *b = call.frame.strides(call.plan.reads[2]);
  const int64_t *x = call.frame.strides(call.plan.writes[0]);
  const bool batched = problem.pattern->rank() == 3;
  problem.bItem = batched ? b[0] : 0;
  problem.xItem = batched ? x[0] : 0;
  problem.bRow = b[batched], problem.xRow = x[batched];
  return problem;
}

template <Problem::Kind kind> static void run(const HostStep &call) {
  solve(problemOf(kind, call), call.executor);
}

static void runItems(const HostStep &call, int64_t count) {
  if (!hasManyMatrices(call)) {
    for (int64_t item = call.item; item < call.item + count; ++item)
      run<Problem::General>(call.of(item));
    return;
  }
  Problem problem = problemOf(Problem::General, call);
  const int64_t size = elementSize(problem.type);
  problem.bItem = call.frame.itemBytes(call.plan.reads[2]) / size;
  problem.xItem = call.frame.itemBytes(call.plan.writes[0]) / size;
  solveBatch(problem, count, call.executor);
}

template <Problem::Kind kind>
static constexpr Step stepOf(const char *name,
                             decltype(Step::runItems) runItems = nullptr) {
  return {.name = name,
          .reads = {Step::Solver, Step::Values, Step::Dense},
          .writes = {Step::Dense},
          .numbers = 1,
          .check = check<kind>,
          .print = print<kind>,
          .run = run<kind>,
          .runItems = runItems};
}

const Step steps::triangularSolve =
    stepOf<Problem::Triangular>("triangular_solve");
const Step steps::solve = stepOf<Problem::General>("solve", runItems);
const Step steps::leastSquares = stepOf<Problem::LeastSquares>("least_squares");
const Step steps::normalSolve =
    stepOf<Problem::NormalEquations>("normal_solve");

} // namespace tsgu::runtime
