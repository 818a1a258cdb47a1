//===- Triangle.cpp - The entries that a triangular solver reads ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// destination = source, 0 where the solver does not read A; it may work in
// place. A solver that is not triangular reads every entry.
//
//===----------------------------------------------------------------------===//

#include "program/Step.h"
#include "triangular/Triangular.h"

#include <cstring>

namespace tsgu::runtime {

static void check(const StepView &view) {
  view.requireCSR();
  view.require(view.read(1).type == view.written(0).type,
               "takes values of two types");
}

static std::string print(const StepView &view) {
  return "keep of " + view.nameOfRead(1) + " the triangle of " +
         view.nameOfRead(0) + " in " + view.nameOfWritten(0);
}

static void run(const HostStep &call) {
  const tsgu_solver &solver = call.solver();
  Pattern &pattern = call.pattern();
  char *from = call.read(1);
  char *to = call.written(0);
  if (solver.method == TSGU_TRIANGULAR)
    keepTriangle(pattern, {solver.upper != 0, solver.unit_diagonal != 0},
                 call.binding.valueType, from, to, call.executor);
  else if (from != to && pattern.stored() > 0)
    std::memcpy(to, from, pattern.stored() * call.plan.elementSize);
}

const Step steps::triangle = {.name = "triangle",
                              .reads = {Step::Solver, Step::Values},
                              .writes = {Step::Values},
                              .check = check,
                              .print = print,
                              .work = workOfEntries,
                              .run = run};

} // namespace tsgu::runtime
