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
#include "program/Trace.h"
#include "program/Work.h"

#include <algorithm>
#include <limits>

namespace tsgu::runtime {
namespace {

double workOf(const Stage &stage, const Binding &binding) {
  return std::max(evaluate(stage.cost.flops, binding),
                  flopsPerByte * evaluate(stage.cost.bytes, binding));
}

/// For one item.
double workOf(const Plan &plan, const StagePlan &stage,
              const Binding &binding) {
  if (!stage.step)
    return workOf(*stage.stage, binding);
  if (!stage.step->work)
    return std::numeric_limits<double>::infinity();
  return stage.step->work({plan.manifest(), stage.stage->step}, binding);
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

  /// The same stage by stage, for as many items at once as `itemsAtOnce`.
  void together(Frame &frame, int64_t items, int64_t atOnce) const {
    const int64_t bytes = frame.scratchBytes();
    Scratch scratch(multiply(bytes, atOnce));
    for (int64_t begin = 0; begin < items; begin += atOnce) {
      const int64_t count = std::min(atOnce, items - begin);
      frame.placeScratch(moved(scratch.data(), -begin * bytes), bytes);
      for (const StagePlan &stage : plan.stages())
        if (stage.step && stage.step->runItems) {
          const TracedRun traced(plan, stage, binding);
          stage.step->runItems(hostStep(frame, stage, begin), count);
        } else {
          stageOf(frame, stage, begin, begin + count);
        }
    }
  }

private:
  HostStep hostStep(Frame &frame, const StagePlan &stage, int64_t item) const {
    return {{plan.manifest(), stage.stage->step},
            stage,
            binding,
            frame,
            executor,
            item};
  }

  /// Items of one stage, each of which one thread computes if they are small.
  void stageOf(Frame &frame, const StagePlan &stage, int64_t begin,
               int64_t end) const {
    const double work = workOf(plan, stage, binding);
    const int64_t items = end - begin;
    const int64_t parts =
        work < smallWork ? partsOf(items, work * static_cast<double>(items),
                                   executor.threads)
                         : 1;
    const tsgu_executor serial{1, nullptr};
    const Run each(plan, binding, parts > 1 ? serial : executor);
    const Ranges ranges(items, std::max<int64_t>(parts, 1));
    parallelFor(parts > 1 ? executor : serial, std::max<int64_t>(parts, 1),
                [&](int64_t first, int64_t last) {
                  const int64_t to = begin + ranges.boundary(last);
                  for (int64_t item = begin + ranges.boundary(first); item < to;
                       ++item)
                    each.stage(frame, stage, item);
                });
  }

  void stage(Frame &frame, const StagePlan &stage, int64_t item) const {
    TracedRun traced(plan, stage, binding);
    if (!stage.step)
      return kernel(frame, stage, item, traced);
    stage.step->run(hostStep(frame, stage, item));
  }

  void kernel(const Frame &frame, const StagePlan &stage, int64_t item,
              TracedRun &traced) const {
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
    traced.cutInto(parts);
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
    work += workOf(plan, stage, binding);
  return work;
}

/// How many items go through the stages together; 0: each by itself.
int64_t itemsAtOnce(const Plan &plan, const Frame &frame, int64_t items) {
  bool together = false;
  for (const StagePlan &stage : plan.stages()) {
    // A buffer that is another's from here on is so for one item.
    if (stage.step == &steps::permuteValues && stage.mayAlias &&
        !frame.layout(stage.stage->step.layout).permutation)
      return 0;
    together |= stage.step && stage.step->runItems;
  }
  constexpr int64_t few = 8, mostBytes = int64_t{64} << 20;
  const int64_t fitting =
      mostBytes / std::max<int64_t>(frame.scratchBytes(), 1);
  return together && items >= few && fitting >= few ? std::min(items, fitting)
                                                    : 0;
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
  if (const int64_t atOnce = itemsAtOnce(plan, frame, items)) {
    Run(plan, binding, executor).together(frame, items, atOnce);
    return;
  }
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
