//===- Launch.cpp - Run a compiled program --------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Launch.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "pattern/LongRows.h"
#include "pattern/Ranges.h"
#include "program/CombineRows.h"
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

  /// A part of a row: the entries between two positions, which lie at
  /// `positions`. A dense result goes to `result`, not to the row's place.
  void runChunk(int64_t row, const void *positions, void *result) const;

  /// The row's place in the dense output.
  char *resultOf(int64_t row) const {
    return moved(pointers[argumentCount - 1],
                 row * advances[argumentCount - 1][0]);
  }

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

void KernelCall::runChunk(int64_t row, const void *positions,
                          void *result) const {
  SmallArray<void *, usualArguments> callPointers(plan.arguments.size());
  SmallArray<int64_t, usualSizes> callSizes(plan.stage->sizes.size());
  for (int32_t i = 0; i < argumentCount; ++i) {
    const ArgumentPlan &argument = plan.arguments[i];
    const bool isPositions = argument.layout >= 0 && !argument.coordinates;
    callPointers[i] = isPositions ? const_cast<void *>(positions)
                                  : moved(pointers[i], row * advances[i][0]);
  }
  if (result)
    callPointers[argumentCount - 1] = result;
  for (int32_t i = 0; i < sizeCount; ++i)
    callSizes[i] = plan.stage->sizes[i].kind == SizeRef::Range ? 1 : sizes[i];
  plan.kernel(callPointers.data(), callSizes.data());
}

/// Computes long rows in chunks, and the rows between them. Tasks of about the
/// same work are handed out together; each is a part of the rows between two
/// long ones, or some chunks.
class CutRun {
public:
  CutRun(const KernelCall &call, const StagePlan &stage, const LongRows &cut,
         const Layout &layout, int64_t rowElements)
      : call(call), cut(cut), layout(layout),
        within(stage.stage->partition.within), type(stage.outputType),
        rowElements(rowElements),
        rowBytes(multiply(rowElements, elementSize(stage.outputType))),
        combines(within != Partition::Entries),
        results(combines ? multiply(rowBytes, chunks()) : 0) {}

  void run(const tsgu_executor &executor, int64_t parts) const {
    std::vector<Task> tasks = tasksOf(parts);
    parallelFor(executor, static_cast<int64_t>(tasks.size()),
                [&](int64_t first, int64_t last) {
                  for (; first < last; ++first)
                    runTask(tasks[static_cast<size_t>(first)]);
                });
    for (size_t i = 0; combines && i < cut.rows.size(); ++i)
      combineRows(within, type, rowElements, call.resultOf(cut.rows[i]),
                  results.data() + cut.firsts[i] * rowBytes,
                  cut.firsts[i + 1] - cut.firsts[i]);
  }

private:
  struct Task {
    bool isChunks;
    int64_t begin, end; ///< Rows or chunks.
  };
  int64_t chunks() const { return static_cast<int64_t>(cut.chunks.size()); }

  std::vector<Task> tasksOf(int64_t parts) const {
    std::vector<Task> tasks;
    const int64_t work =
        std::max<int64_t>((layout.stored + layout.rows) / parts, 1);
    auto addRows = [&](int64_t begin, int64_t end) {
      if (begin == end)
        return;
      const int64_t entries = layout.position(end) - layout.position(begin);
      const int64_t count =
          std::min((entries + end - begin) / work + 1, end - begin);
      const Ranges ranges(layout, begin, end, count);
      for (int64_t part = 0; part < count; ++part)
        tasks.push_back(
            {false, ranges.boundary(part), ranges.boundary(part + 1)});
    };
    int64_t row = 0;
    for (int64_t next : cut.rows) {
      addRows(row, next);
      row = next + 1;
    }
    addRows(row, layout.rows);
    const int64_t count = std::min(parts, chunks());
    for (int64_t part = 0; part < count; ++part)
      tasks.push_back(
          {true, chunks() * part / count, chunks() * (part + 1) / count});
    return tasks;
  }

  void runTask(const Task &task) const {
    if (!task.isChunks)
      return call.runRange(task.begin, task.end);
    for (int64_t chunk = task.begin; chunk < task.end; ++chunk)
      call.runChunk(cut.chunks[static_cast<size_t>(chunk)].row,
                    cut.positionsOf(chunk, layout.indexType),
                    combines ? results.data() + chunk * rowBytes : nullptr);
  }

  const KernelCall &call;
  const LongRows &cut;
  const Layout &layout;
  const Partition::Within within;
  const ElementType type;
  const int64_t rowElements, rowBytes;
  const bool combines;
  const Scratch results;
};

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
    if (runCut(frame, stage, call, parts))
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

  /// False: no row is cut.
  bool runCut(const Frame &frame, const StagePlan &stage,
              const KernelCall &call, int64_t parts) const {
    const Partition &partition = stage.stage->partition;
    if (partition.within == Partition::Whole)
      return false;
    const Layout &layout = frame.layout(partition.weightLayout);
    if (layout.rows != call.iterations())
      return false; // Of a batch, one item.
    const std::shared_ptr<const LongRows> cut =
        longRowsOf(frame.pattern(partition.weightLayout), layout);
    if (!cut)
      return false;
    const std::vector<int32_t> &shape = stage.stage->arguments.back().shape;
    const int64_t elements = shape.size() > 1 ? binding.sizes[shape[1]] : 1;
    CutRun(call, stage, *cut, layout, elements).run(executor, parts);
    return true;
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
