//===- Plan.cpp - What all calls of a compiled program share --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Plan.h"

#include <algorithm>

namespace tsgu::runtime {

int32_t slotOf(const Manifest &manifest, const Buffer &buffer) {
  const auto operands = static_cast<int32_t>(manifest.operands.size());
  switch (buffer.kind) {
  case Buffer::Operand:
    return buffer.index;
  case Buffer::Result:
    return operands;
  case Buffer::Scratch:
    break;
  }
  return operands + 1 + buffer.index;
}

/// Dimensions of a buffer without those of a batch.
static size_t rankOf(const Manifest &m, const Buffer &buffer) {
  if (buffer.kind == Buffer::Scratch)
    return m.scratch[buffer.index].shape.size();
  const TensorInfo &info =
      buffer.kind == Buffer::Operand ? m.operands[buffer.index] : m.result;
  return info.pattern >= 0 ? 1 : info.shape.size();
}

static bool reads(const Manifest &m, const Buffer &buffer) {
  return buffer.kind != Buffer::Operand || m.operands[buffer.index].read;
}

/// What a signature, which has no stages, cannot tell.
static void checkLimits(const Manifest &m) {
  auto limit = [&](size_t count, int32_t most, const char *what) {
    if (count > static_cast<size_t>(most))
      fail(Status::CompileFailed, m.program, " has ", count, ' ', what,
           "; this runtime carries at most ", most);
  };
  limit(m.symbols.size(), maxSymbols, "sizes");
  for (const ScratchInfo &scratch : m.scratch)
    limit(scratch.shape.size(), maxDims - 1, "dimensions in one buffer");
}

Plan::Plan(const tsgu_object &object)
    : compiled(object),
      m(Manifest::parse(object.manifest, object.manifest_size)) {
  checkLimits(m);
  size_t kernels = 0;
  for (const Stage &stage : m.stages) {
    if (stage.kind != Stage::Kernel) {
      stagePlans.push_back(planStep(stage));
      continue;
    }
    stagePlans.push_back(planKernel(stage, static_cast<uint32_t>(kernels++)));
  }
  if (kernels != object.kernel_count)
    fail(Status::CompileFailed, m.program, " has ", object.kernel_count,
         " kernels for ", kernels, " stages");
  for (size_t i = 0; i < stagePlans.size(); ++i)
    if (StagePlan &plan = stagePlans[i];
        m.stages[i].kind == Stage::PermuteValues)
      plan.mayAlias = m.stages[i].destination.kind == Buffer::Scratch &&
                      !writtenFrom(0, plan.destination) &&
                      !writtenFrom(i, plan.source);
}

/// Whether a kernel or a solve, or another permutation, writes to the buffer.
bool Plan::writtenFrom(size_t first, int32_t slot) const {
  int32_t permutations = 0;
  for (size_t i = first; i < m.stages.size(); ++i) {
    const Stage &stage = m.stages[i];
    if (stage.kind != Stage::Kernel && slotOf(m, stage.destination) == slot) {
      if (stage.kind != Stage::PermuteValues)
        return true;
      ++permutations;
    }
    for (const Argument &argument : stage.arguments)
      if (argument.written && slotOf(m, argument.buffer) == slot)
        return true;
  }
  return permutations > 1;
}

/// The dense levels of the layout are the innermost partitioned loops, or the
/// batch alone is partitioned.
void Plan::planSteps(const LayoutInfo &layout, const Stage &stage,
                     ArgumentPlan &plan) const {
  const std::vector<int32_t> &loops = stage.partition.loops;
  const PatternInfo &pattern = m.patterns[layout.pattern];
  const size_t levels = layout.order.size() - 1;
  const size_t skipped = loops.size() > levels ? loops.size() - levels : 0;
  for (size_t level = 0; level < levels && level + skipped < loops.size();
       ++level)
    if (loops[level + skipped] == pattern.shape[layout.order[level]])
      plan.steps[level + skipped].kind =
          level + 1 == levels ? Step::Row : Step::Item;
}

ArgumentPlan Plan::planArgument(const Argument &argument,
                                const Stage &stage) const {
  ArgumentPlan plan;
  if (argument.role != Argument::Values && argument.role != Argument::Dense) {
    const LayoutInfo &layout = m.layouts[argument.layout];
    plan.layout = argument.layout;
    plan.coordinates = argument.role == Argument::Coordinates;
    plan.elementSize = elementSize(layout.indexType);
    if (argument.role == Argument::Positions)
      planSteps(layout, stage, plan);
    return plan;
  }
  plan.slot = slotOf(m, argument.buffer);
  plan.elementSize = elementSize(typeOf(m, argument.buffer));
  if (!reads(m, argument.buffer))
    fail(Status::CompileFailed, "kernel ", stage.name, " of ", m.program,
         " takes an operand of which only the shape is there");
  if (argument.role != Argument::Dense)
    return plan;
  if (argument.shape.size() != rankOf(m, argument.buffer))
    fail(Status::CompileFailed, "kernel ", stage.name, " of ", m.program,
         " takes a buffer of rank ", rankOf(m, argument.buffer), " as one of ",
         argument.shape.size());
  for (size_t loop = 0; loop < argument.slice.size(); ++loop)
    if (argument.slice[loop] >= 0)
      plan.steps[loop] = {Step::Stride, argument.slice[loop]};
  return plan;
}

StagePlan Plan::planKernel(const Stage &stage, uint32_t number) const {
  const bool there =
      number < compiled.kernel_count &&
      (isForDevice() ? compiled.device_kernels[number].name != nullptr &&
                           stage.device.blockThreads > 0
                     : compiled.kernels && compiled.kernels[number]);
  if (!there)
    fail(Status::CompileFailed, m.program, " has no kernel ", number, ", ",
         stage.name);
  StagePlan plan;
  plan.stage = &stage;
  plan.number = number;
  plan.kernel = isForDevice() ? nullptr : compiled.kernels[number];
  plan.parallel = stage.partition.parallel;
  for (const Argument &argument : stage.arguments)
    plan.arguments.push_back(planArgument(argument, stage));
  if (plan.parallel && stage.partition.weightLayout >= 0) {
    // The same rule as for positions: loops are dense levels.
    const LayoutInfo &layout = m.layouts[stage.partition.weightLayout];
    const size_t loops = stage.partition.loops.size();
    ArgumentPlan weights;
    planSteps(layout, stage, weights);
    const auto steps =
        std::count_if(weights.steps, weights.steps + 2,
                      [](const Step &step) { return step.kind != Step::None; });
    if (static_cast<size_t>(steps) != std::min(loops, layout.order.size() - 1))
      fail(Status::CompileFailed, "kernel ", stage.name, " of ", m.program,
           " weighs its work by rows that are not its loops");
    plan.wholeItems = loops + 1 < layout.order.size();
  }
  return plan;
}

StagePlan Plan::planStep(const Stage &stage) const {
  StagePlan plan;
  plan.stage = &stage;
  plan.source = slotOf(m, stage.source);
  plan.destination = slotOf(m, stage.destination);
  plan.elementSize = elementSize(typeOf(m, stage.source));
  if (stage.kind == Stage::Solve)
    plan.values = slotOf(m, stage.solve.values);
  const bool takesSolver = stage.kind != Stage::PermuteValues;
  if (!reads(m, stage.source) ||
      (takesSolver && !m.operands[stage.solve.solver].read) ||
      (stage.kind == Stage::Solve && !reads(m, stage.solve.values)))
    fail(Status::CompileFailed, m.program,
         " works on values of which only the shape is there");
  return plan;
}

static bool fits(const TensorInfo &given, const TensorInfo &expected) {
  return given.pattern == expected.pattern && given.shape == expected.shape &&
         given.read == expected.read &&
         isFloat(given.type) == isFloat(expected.type) &&
         given.solver == expected.solver;
}

void Plan::checkSignature(const Manifest &signature) const {
  // Those that count chunks of long rows come after the operands' own.
  const auto own = std::count_if(
      m.symbols.begin(), m.symbols.end(), [](const Symbol &symbol) {
        return symbol.chunksOf < 0 && symbol.longRowsOf < 0;
      });
  bool same = static_cast<size_t>(own) == signature.symbols.size() &&
              m.patterns.size() == signature.patterns.size() &&
              m.operands.size() == signature.operands.size() &&
              fits(m.result, signature.result);
  for (size_t i = 0; same && i < m.patterns.size(); ++i)
    same = m.patterns[i].shape == signature.patterns[i].shape &&
           m.patterns[i].stored == signature.patterns[i].stored;
  for (size_t i = 0; same && i < m.operands.size(); ++i)
    same = fits(m.operands[i], signature.operands[i]);
  if (!same)
    fail(Status::CompileFailed, "the compiled ", signature.program,
         " takes other operands than its signature says");
}

} // namespace tsgu::runtime
