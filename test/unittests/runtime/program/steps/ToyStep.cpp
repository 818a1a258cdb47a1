//===- ToyStep.cpp - All that it takes to add a step ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// destination = number * source, for matrices.
//
//===----------------------------------------------------------------------===//

#include "pattern/Matrix.h"
#include "program/Step.h"

namespace tsgu::runtime {

static void check(const StepView &view) {
  view.require(view.read(0).shape == view.written(0).shape &&
                   view.read(0).shape.size() == 2 &&
                   view.read(0).type == view.written(0).type,
               "takes matrices that differ");
}

static std::string print(const StepView &view) {
  return "scale " + view.nameOfRead(0) + " by " +
         std::to_string(view.info.numbers[0]) + " to " + view.nameOfWritten(0);
}

static double work(const StepView &view, const Binding &binding) {
  const std::vector<int32_t> &shape = view.read(0).shape;
  return static_cast<double>(binding.sizes[shape[0]] * binding.sizes[shape[1]]);
}

static void run(const HostStep &call) {
  const std::vector<int32_t> &shape = call.view.read(0).shape;
  const int64_t from = call.frame.strides(call.plan.reads[0])[0];
  const int64_t to = call.frame.strides(call.plan.writes[0])[0];
  withValueType(call.binding.valueType, [&]<typename T>(T) {
    const T *source = reinterpret_cast<const T *>(call.read(0));
    T *destination = reinterpret_cast<T *>(call.written(0));
    const T factor = static_cast<T>(call.view.info.numbers[0]);
    for (int64_t i = 0; i < call.binding.sizes[shape[0]]; ++i)
      for (int64_t j = 0; j < call.binding.sizes[shape[1]]; ++j)
        destination[i * to + j] = factor * source[i * from + j];
  });
}

const Step steps::scale = {.name = "scale",
                           .reads = {Step::Dense},
                           .writes = {Step::Dense},
                           .numbers = 1,
                           .check = check,
                           .print = print,
                           .work = work,
                           .run = run};

} // namespace tsgu::runtime
