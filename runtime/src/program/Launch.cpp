//===- Launch.cpp - Run a compiled program --------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Launch.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "pattern/Ranges.h"
#include "program/CutRows.h"
#include "program/Step.h"
#include "program/Work.h"

#include <algorithm>
#include <limits>

namespace tsgu::runtime {
namespace {

double evaluate(const std::vector<Cost::Term> &terms, const Binding &binding) {
  double sum = 0;
  for (const Cost::Term &term : terms) {
    double product = term.factor;
    for (int32_t symbol : term.symbols)
      product *= static_cast<double>(binding.sizes[symbol]);
    sum += product;
  }
  return sum;
}

double workOf(const Stage &stage, const Binding &binding) {
  return std::max(evaluate(stage.cost.flops, binding),
                  flopsPerByte * evaluate(stage.cost.bytes, binding));
}

/// Runs the stages of a plan for one item of the batch after the other.
class Run {
public:
  Run(const Plan &plan, const Binding &binding, const tsgu_executor &executor)
      : plan(plan), binding(binding), executor(executor) {}

  void items(Frame &frame, int64_t begin, int64_t end) const {
    Scratch scratch(frame.scratchBytes());
    for (int64_t item = begin; item < end; ++item) {
      frame.placeScratch(scratch.data());
      for (const StagePlan &stage : plan.stages())
        this->stage(frame, stage, item);
    }
  }

private:
  void stage(Frame &frame, const StagePlan &stage, int64_t item) const {
    if (!stage.step)
      return kernel(frame, stage, item);
    stage.step->run({{plan.manifest(), stage.stage->step},
                     stage,
                     binding,
                     frame,
                     executor,
                     item});
  }

  void kernel(const Frame &frame, const StagePlan &stage, int64_t item) const {
    const KernelCall call(frame, stage, binding, item);
    if (!stage.parallel) {
      call.runAll();
      return;
    }
    const int64_t iterations = call.iterations();
    const int64_t parts =
        partsOf(iterations, workOf(*stage.stage, binding), executor.threads);
    if (iterations == 0)
      return;
    if (runCutRows(plan.manifest(), *stage.stage, call, frame, binding,
                   executor, parts))
      return;
    if (parts <= 1) {
      call.runAll();
      return;
    }
    const int32_t weights = stage.stage->partition.weightLayout;
    const Ranges ranges =
        weights < 0 ? Ranges(iterations, parts)
                    : Ranges(iterations, parts, frame.layout(weights),
                             stage.wholeItems ? frame.rowsPerItem(weights) : 1);
    parallelFor(executor, parts, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part)
        call.runRange(ranges.boundary(part), ranges.boundary(part + 1));
    });
  }

  const Plan &plan;
  const Binding &binding;
  const tsgu_executor &executor;
};

double workOfItem(const Plan &plan, const Binding &binding) {
  double work = 0;
  for (const StagePlan &stage : plan.stages())
    work +=
        !stage.step ? workOf(*stage.stage, binding)
        : stage.step->work
            ? stage.step->work({plan.manifest(), stage.stage->step}, binding)
            : std::numeric_limits<double>::infinity();
  return work;
}

} // namespace

/// Calls `run` with the binding and what layouts have to add to it.
template <typename F>
static void withNodes(const Plan &plan, const Binding &binding,
                      const Arguments &arguments, F &&run) {
  if (plan.nodeSymbols().empty())
    return run(binding);
  const Manifest &m = plan.manifest();
  Binding whole = binding;
  for (int32_t symbol : plan.nodeSymbols()) {
    const LayoutInfo &info = m.layouts[m.symbols[symbol].nodesOf];
    whole.sizes[symbol] =
        arguments.patterns[info.pattern]->layout(info.levels).upper[0].nodes;
  }
  run(whole);
}

static void launchBound(const Plan &plan, const Binding &binding,
                        const Arguments &arguments, const tsgu_tensor &result,
                        const tsgu_executor &executor) {
  Frame frame(plan, binding, arguments, result);
  const int64_t items = binding.items();
  const double work = items > 1 ? workOfItem(plan, binding) : 0;
  const int64_t parts =
      work < smallWork
          ? partsOf(items, work * static_cast<double>(items), executor.threads)
          : 1;
  if (parts <= 1) {
    Run(plan, binding, executor).items(frame, 0, items);
    return;
  }
  // Many small items: each is computed by one thread, with its own scratch.
  const tsgu_executor serial{1, nullptr};
  const Ranges ranges(items, parts);
  parallelFor(executor, parts, [&](int64_t first, int64_t last) {
    Frame own = frame;
    Run(plan, binding, serial)
        .items(own, ranges.boundary(first), ranges.boundary(last));
  });
}

void launch(const Plan &plan, const Binding &binding,
            const Arguments &arguments, const tsgu_tensor &result,
            const tsgu_executor &executor) {
  withNodes(plan, binding, arguments, [&](const Binding &whole) {
    launchBound(plan, whole, arguments, result, executor);
  });
}

} // namespace tsgu::runtime
