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

/// A kernel with its pointers and sizes, up to the range of iterations.
class KernelCall {
public:
  KernelCall(const Frame &frame, const StagePlan &plan, const Binding &binding,
             int64_t item);

  int64_t iterations() const { return total; }

  void runAll() const { run(0, extents[0], 0, extents[1]); }

  /// A range of the iterations of all partitioned loops together.
  void runRange(int64_t begin, int64_t end) const;

private:
  void addArgument(int32_t index, const Frame &frame, int64_t item);
  void run(int64_t outer, int64_t outerCount, int64_t inner,
           int64_t innerCount) const;

  const StagePlan &plan;
  int32_t argumentCount, sizeCount;
  int64_t extents[2] = {1, 1};
  int64_t total = 1;
  SmallArray<void *, usualArguments> pointers;
  SmallArray<std::array<int64_t, 2>, usualArguments> advances;
  SmallArray<int64_t, usualSizes> sizes;
};

KernelCall::KernelCall(const Frame &frame, const StagePlan &plan,
                       const Binding &binding, int64_t item)
    : plan(plan), argumentCount(static_cast<int32_t>(plan.arguments.size())),
      sizeCount(static_cast<int32_t>(plan.stage->sizes.size())),
      pointers(plan.arguments.size()), advances(plan.arguments.size()),
      sizes(plan.stage->sizes.size()) {
  const std::vector<int32_t> &loops = plan.stage->partition.loops;
  for (size_t loop = 0; loop < loops.size(); ++loop)
    total = multiply(total, extents[loop] = binding.sizes[loops[loop]]);
  for (int32_t i = 0; i < argumentCount; ++i)
    addArgument(i, frame, item);
  for (int32_t i = 0; i < sizeCount; ++i) {
    const SizeRef &size = plan.stage->sizes[i];
    if (size.kind == SizeRef::Extent)
      sizes[i] = binding.sizes[size.index];
    else if (size.kind == SizeRef::Stride)
      sizes[i] = frame.strides(plan.arguments[size.index].slot)[size.dim];
  }
}

void KernelCall::addArgument(int32_t index, const Frame &frame, int64_t item) {
  const ArgumentPlan &argument = plan.arguments[index];
  if (argument.layout >= 0) {
    const Layout &layout = frame.layout(argument.layout);
    pointers[index] = const_cast<void *>(
        argument.coordinates ? layout.coordinates : layout.positions);
  } else {
    pointers[index] = frame.data(argument.slot, item);
  }
  for (int loop = 0; loop < 2; ++loop) {
    const Advance &advance = argument.advances[loop];
    int64_t elements = 0;
    switch (advance.kind) {
    case Advance::None:
      break;
    case Advance::Row:
      elements = 1;
      break;
    case Advance::Item:
      elements = frame.rowsPerItem(argument.layout);
      break;
    case Advance::Stride:
      elements = frame.strides(argument.slot)[advance.dim];
      break;
    }
    advances[index][loop] = elements * argument.elementSize;
  }
}

void KernelCall::run(int64_t outer, int64_t outerCount, int64_t inner,
                     int64_t innerCount) const {
  SmallArray<void *, usualArguments> callPointers(plan.arguments.size());
  SmallArray<int64_t, usualSizes> callSizes(plan.stage->sizes.size());
  for (int32_t i = 0; i < argumentCount; ++i)
    callPointers[i] =
        moved(pointers[i], outer * advances[i][0] + inner * advances[i][1]);
  for (int32_t i = 0; i < sizeCount; ++i) {
    const SizeRef &size = plan.stage->sizes[i];
    callSizes[i] = size.kind != SizeRef::Range ? sizes[i]
                   : size.index == 0           ? outerCount
                                               : innerCount;
  }
  plan.kernel(callPointers.data(), callSizes.data());
}

void KernelCall::runRange(int64_t begin, int64_t end) const {
  if (begin >= end)
    return;
  if (plan.stage->partition.loops.size() < 2) {
    run(begin, end - begin, 0, 1);
    return;
  }
  const int64_t rows = extents[1];
  int64_t item = begin / rows, last = end / rows;
  if (int64_t row = begin % rows; item == last || row != 0) {
    // The first item, where we do not have it from its beginning to its end.
    int64_t stop = item == last ? end % rows : rows;
    run(item, 1, row, stop - row);
    if (item == last)
      return;
    ++item;
  }
  if (item < last)
    run(item, last - item, 0, rows);
  if (end % rows != 0)
    run(last, 1, 0, end % rows);
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

void launch(const Plan &plan, const Binding &binding,
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

} // namespace tsgu::runtime
