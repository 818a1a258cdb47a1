//===- Steps.cpp - The table of steps -------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Step.h"

namespace tsgu::runtime {

static constexpr const Step *table[] = {
#define STEP(name) &steps::name,
#include TSGU_STEPS
#undef STEP
};

const Step &stepNamed(const std::string &name) {
  for (const Step *step : table)
    if (name == step->name)
      return *step;
  fail(Status::CompileFailed, "this runtime has no step '", name,
       "'; compile the program again with the same release");
}

} // namespace tsgu::runtime
