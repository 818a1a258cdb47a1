//===- Trace.h - What the stages of programs took ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of all programs that the process runs on the CPU while it traces; otherwise a
// stage costs one look at a flag.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_TRACE_H
#define TSGU_SRC_PROGRAM_TRACE_H

#include "program/Plan.h"

#include <chrono>
#include <optional>
#include <string>

namespace tsgu::runtime {

/// Forgets what was traced before.
void startTrace();

/// Ends it. A JSON list of stages, in the order of their first runs: program,
/// stage, layouts and partition in words, runs, parts (the most into which one
/// was cut for threads), seconds of all runs, and of kernels flops and
/// compulsory bytes of all runs.
std::string stopTrace();

/// Times one run of a stage, from construction to destruction.
class TracedRun {
public:
  TracedRun(const Plan &plan, const StagePlan &stage, const Binding &binding);
  ~TracedRun();
  TracedRun(const TracedRun &) = delete;

  void cutInto(int64_t theParts) { parts = theParts; }

private:
  using Clock = std::chrono::steady_clock;

  const Plan &plan;
  const StagePlan &stage;
  const Binding &binding;
  std::optional<Clock::time_point> start;
  int64_t parts = 1;
};

/// Flops or bytes by a cost formula.
double evaluate(const std::vector<Cost::Term> &terms, const Binding &binding);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_TRACE_H
