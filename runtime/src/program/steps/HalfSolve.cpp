//===- HalfSolve.cpp - Solves with one factor of two ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// destination = L^-1 P source for P A P^T = L L^H, or P^T L^-H source; of shape
// [items, ..., right-hand sides]. The number is the mode.
//
//===----------------------------------------------------------------------===//

#include "program/steps/Factored.h"

namespace tsgu::runtime {

static void check(const StepView &view) {
  requireSquare(view);
  const int32_t mode = view.info.numbers[0];
  view.require(mode >= 0 && mode <= static_cast<int32_t>(Mode::C),
               "has no mode ", mode);
  const BufferInfo from = view.read(2), to = view.written(0);
  std::vector<int32_t> shape = view.pattern().shape;
  shape.back() = to.shape.empty() ? -1 : to.shape.back();
  view.require(from.shape == shape && to.shape == shape &&
                   from.type == view.read(1).type && to.type == from.type,
               "has vectors that do not fit its matrix");
}

static std::string print(const StepView &view) {
  static constexpr const char *factors[] = {"L", "L^T", "L^H"};
  return std::string("solve ") + factors[view.info.numbers[0]] + " of " +
         view.nameOfRead(1) + " by " + view.nameOfRead(0) + ": " +
         view.nameOfRead(2) + " to " + view.nameOfWritten(0);
}

static void run(const HostStep &call) {
  const auto mode = static_cast<Mode>(call.view.info.numbers[0]);
  const int64_t columns = call.binding.sizes[call.view.written(0).shape.back()];
  const int64_t *from = call.frame.strides(call.plan.reads[2]);
  const int64_t *to = call.frame.strides(call.plan.writes[0]);
  const bool batched = call.pattern().rank() == 3;
  if (columns == 0)
    return;
  forFactored(call, [&]<typename T>(const Matrix<T> &A,
                                    const Factorization<T> &factors) {
    const int64_t fromItem = batched ? A.item * from[0] : 0;
    const int64_t toItem = batched ? A.item * to[0] : 0;
    factors.halfSolve(mode,
                      {reinterpret_cast<const T *>(call.read(2)) + fromItem,
                       A.rows(), columns, from[batched]},
                      {reinterpret_cast<T *>(call.written(0)) + toItem,
                       A.rows(), columns, to[batched]},
                      call.executor);
  });
}

const Step steps::halfSolve = {
    .name = "half_solve",
    .reads = {Step::Solver, Step::Values, Step::Dense},
    .writes = {Step::Dense},
    .numbers = 1,
    .check = check,
    .print = print,
    .run = run};

} // namespace tsgu::runtime
