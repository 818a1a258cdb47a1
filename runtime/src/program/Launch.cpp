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
#include "program/Frame.h"
#include "solvers/Solve.h"
#include "triangular/Triangular.h"

#include <algorithm>
#include <cstring>

namespace tsgu::runtime {
namespace {

/// Work below this many flops (or the time of as many) takes one thread:
/// handing it out costs as much as doing it.
constexpr double smallWork = 1e5;
/// Ranges are not made smaller than this.
constexpr double rangeWork = 2.5e4;
/// More ranges than threads, so that uneven ones even out.
constexpr int64_t rangesPerThread = 4;
/// While a byte comes from memory, a core computes about this many flops.
constexpr double flopsPerByte = 0.25;

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

int64_t storedOf(const Plan &plan, const Stage &stage, const Binding &binding) {
  const Manifest &m = plan.manifest();
  return binding.sizes[m.patterns[m.layouts[stage.layout].pattern].stored];
}

double workOf(const Plan &plan, const Stage &stage, const Binding &binding) {
  if (stage.kind != Stage::Kernel)
    return 16 * flopsPerByte *
           static_cast<double>(storedOf(plan, stage, binding));
  return std::max(evaluate(stage.cost.flops, binding),
                  flopsPerByte * evaluate(stage.cost.bytes, binding));
}

/// Into how many ranges to cut; 1: do not.
int64_t partsOf(int64_t iterations, double work, int32_t threads) {
  if (threads <= 1 || work < smallWork)
    return 1;
  double most = std::min(static_cast<double>(threads) * rangesPerThread,
                         work / rangeWork);
  return std::min(iterations, static_cast<int64_t>(most));
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
  SmallArray<std::array<int64_t, 2>, usualArguments> steps;
  SmallArray<int64_t, usualSizes> sizes;
};

KernelCall::KernelCall(const Frame &frame, const StagePlan &plan,
                       const Binding &binding, int64_t item)
    : plan(plan), argumentCount(static_cast<int32_t>(plan.arguments.size())),
      sizeCount(static_cast<int32_t>(plan.stage->sizes.size())),
      pointers(plan.arguments.size()), steps(plan.arguments.size()),
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
    const Step &step = argument.steps[loop];
    int64_t elements = 0;
    switch (step.kind) {
    case Step::None:
      break;
    case Step::Row:
      elements = 1;
      break;
    case Step::Item:
      elements = frame.rowsPerItem(argument.layout);
      break;
    case Step::Stride:
      elements = frame.strides(argument.slot)[step.dim];
      break;
    }
    steps[index][loop] = elements * argument.elementSize;
  }
}

void KernelCall::run(int64_t outer, int64_t outerCount, int64_t inner,
                     int64_t innerCount) const {
  SmallArray<void *, usualArguments> callPointers(plan.arguments.size());
  SmallArray<int64_t, usualSizes> callSizes(plan.stage->sizes.size());
  for (int32_t i = 0; i < argumentCount; ++i)
    callPointers[i] =
        moved(pointers[i], outer * steps[i][0] + inner * steps[i][1]);
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
    switch (stage.stage->kind) {
    case Stage::Kernel:
      return kernel(frame, stage, item);
    case Stage::PermuteValues:
      return permute(frame, stage, item);
    case Stage::Solve:
      return solve(frame, stage, item);
    case Stage::KeepTriangle:
      return keepTriangle(frame, stage, item);
    }
  }

  const tsgu_solver &solverOf(const Frame &frame,
                              const StagePlan &stage) const {
    return *reinterpret_cast<const tsgu_solver *>(
        frame.data(stage.stage->solve.solver, 0));
  }

  void solve(const Frame &frame, const StagePlan &stage, int64_t item) const {
    const Stage &info = *stage.stage;
    Problem problem;
    problem.kind = info.solve.kind;
    problem.mode = static_cast<Mode>(info.solve.mode);
    problem.solver = &solverOf(frame, stage);
    problem.pattern = &frame.pattern(info.layout);
    problem.type = binding.valueType;
    problem.values = frame.data(stage.values, item);
    problem.columns = binding.sizes[info.solve.columns];
    problem.b = frame.data(stage.source, item);
    problem.x = frame.data(stage.destination, item);
    const int64_t *b = frame.strides(stage.source);
    const int64_t *x = frame.strides(stage.destination);
    const bool batched = problem.pattern->rank() == 3;
    problem.bItem = batched ? b[0] : 0;
    problem.xItem = batched ? x[0] : 0;
    problem.bRow = b[batched], problem.xRow = x[batched];
    runtime::solve(problem, executor);
  }

  void keepTriangle(const Frame &frame, const StagePlan &stage,
                    int64_t item) const {
    const tsgu_solver &solver = solverOf(frame, stage);
    char *from = frame.data(stage.source, item);
    char *to = frame.data(stage.destination, item);
    Pattern &pattern = frame.pattern(stage.stage->layout);
    // A solve that is not triangular reads every entry.
    if (solver.method == TSGU_TRIANGULAR)
      runtime::keepTriangle(pattern,
                            {solver.upper != 0, solver.unit_diagonal != 0},
                            binding.valueType, from, to, executor);
    else if (from != to && pattern.stored() > 0)
      std::memcpy(to, from, pattern.stored() * stage.elementSize);
  }

  void kernel(const Frame &frame, const StagePlan &stage, int64_t item) const {
    const KernelCall call(frame, stage, binding, item);
    if (!stage.parallel) {
      call.runAll();
      return;
    }
    const int64_t iterations = call.iterations();
    const int64_t parts = partsOf(
        iterations, workOf(plan, *stage.stage, binding), executor.threads);
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

  void permute(Frame &frame, const StagePlan &stage, int64_t item) const {
    const Layout &layout = frame.layout(stage.stage->layout);
    char *source = frame.data(stage.source, item);
    char *destination = frame.data(stage.destination, item);
    if (!layout.permutation) {
      if (stage.mayAlias)
        frame.alias(stage.destination, source);
      else if (layout.stored > 0)
        std::memcpy(destination, source, layout.stored * stage.elementSize);
      return;
    }
    const int64_t parts = std::max<int64_t>(
        1, partsOf(layout.stored, workOf(plan, *stage.stage, binding),
                   executor.threads));
    const Ranges ranges(layout.stored, parts);
    auto gather = [&]<typename T, typename I>(T, I) {
      const auto *from = reinterpret_cast<const T *>(source);
      auto *to = reinterpret_cast<T *>(destination);
      const auto *permutation = static_cast<const I *>(layout.permutation);
      parallelFor(executor, parts, [&](int64_t first, int64_t last) {
        const int64_t end = ranges.boundary(last);
        for (int64_t k = ranges.boundary(first); k < end; ++k)
          to[k] = from[permutation[k]];
      });
    };
    withIndexType(layout.permutationType, [&](auto index) {
      stage.elementSize == 2   ? gather(uint16_t{}, index)
      : stage.elementSize == 4 ? gather(uint32_t{}, index)
      : stage.elementSize == 8 ? gather(uint64_t{}, index)
                               : gather(std::complex<double>{}, index);
    });
  }

  const Plan &plan;
  const Binding &binding;
  const tsgu_executor &executor;
};

} // namespace

void launch(const Plan &plan, const Binding &binding,
            const Arguments &arguments, const tsgu_tensor &result,
            const tsgu_executor &executor) {
  Frame frame(plan, binding, arguments, result);
  const int64_t items = binding.items();
  double work = 0;
  if (items > 1)
    for (const Stage &stage : plan.manifest().stages)
      work += workOf(plan, stage, binding);
  // A solve takes all threads itself, and may call back.
  const bool solves =
      std::any_of(plan.manifest().stages.begin(), plan.manifest().stages.end(),
                  [](const Stage &s) { return s.kind == Stage::Solve; });
  const int64_t parts =
      work < smallWork && !solves
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
