//===- Plan.cpp - What all calls of a compiled program share --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Plan.h"
#include "program/Step.h"

#include <algorithm>

namespace tsgu::runtime {

/// Dimensions of a buffer without those of a batch.
static size_t rankOf(const BufferInfo &info) {
  return info.pattern >= 0 ? 1 : info.shape.size();
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
  for (size_t i = 0; i < m.symbols.size(); ++i)
    if (m.symbols[i].nodesOf >= 0)
      counts.push_back(static_cast<int32_t>(i));
  uint32_t kernels = 0;
  for (size_t i = 0; i < m.stages.size(); ++i)
    stagePlans.push_back(m.stages[i].isKernel()
                             ? planKernel(m.stages[i], kernels++)
                             : planStep(i));
  if (kernels != object.kernel_count)
    fail(Status::CompileFailed, m.program, " has ", object.kernel_count,
         " kernels for ", kernels, " stages");
}

/// The partitioned loop that runs through the nodes of a level, or -1. The
/// levels before the last are the innermost such loops, or the first of them
/// the only one.
int32_t Plan::loopOf(const Stage &stage, int32_t layout, size_t level) const {
  const std::vector<int32_t> &loops = stage.partition.loops;
  const LayoutInfo &info = m.layouts[layout];
  const size_t upper = info.levels.size() - 1;
  const size_t loop = level + (loops.size() > upper ? loops.size() - upper : 0);
  if (level >= upper || loop >= loops.size())
    return -1;
  const int32_t symbol = loops[loop];
  const bool runs =
      info.levels[level].kind == Level::Dense
          ? symbol ==
                m.patterns[info.pattern].shape[info.levels[level].dimension]
          : m.symbols[symbol].nodesOf == layout;
  return runs ? static_cast<int32_t>(loop) : -1;
}

ArgumentPlan Plan::planIndices(const Argument &argument,
                               const Stage &stage) const {
  ArgumentPlan plan;
  const LayoutInfo &layout = m.layouts[argument.layout];
  const auto level = static_cast<size_t>(std::max(argument.level, 0));
  // The rows of a layout with singletons are the parents of what is before.
  const bool ofRows = argument.role == Argument::Positions &&
                      level + 2 == layout.levels.size() &&
                      layout.levels.back().kind == Level::Singleton;
  plan.layout = argument.layout;
  plan.upper =
      level + 1 < layout.levels.size() && !ofRows ? argument.level : -1;
  plan.coordinates = argument.role == Argument::Coordinates;
  plan.elementSize = elementSize(layout.indexType);
  auto advance = [&](int32_t loop, Advance::Kind kind) {
    if (loop >= 0)
      plan.advances[loop].kind = kind;
  };
  if (plan.coordinates) {
    advance(loopOf(stage, argument.layout, level), Advance::Row);
    if (!argument.slice.empty()) // Loops over entries cut them.
      advance(0, Advance::Row);
  } else if (argument.role == Argument::Positions) {
    advance(loopOf(stage, argument.layout, level - 1), Advance::Row);
    plan.block = layout.levels[level - 1].block;
    if (level >= 2 && layout.levels[level - 1].kind == Level::Dense)
      advance(loopOf(stage, argument.layout, level - 2), Advance::Item);
  }
  return plan;
}

ArgumentPlan Plan::planArgument(const Argument &argument,
                                const Stage &stage) const {
  if (argument.role != Argument::Values && argument.role != Argument::Dense)
    return planIndices(argument, stage);
  ArgumentPlan plan;
  const BufferInfo info = infoOf(m, argument.buffer);
  plan.slot = slotOf(m, argument.buffer);
  plan.elementSize = elementSize(info.type);
  if (!info.read)
    fail(Status::CompileFailed, "kernel ", stage.name, " of ", m.program,
         " takes an operand of which only the shape is there");
  if (argument.role != Argument::Dense)
    return plan;
  if (argument.shape.size() != rankOf(info))
    fail(Status::CompileFailed, "kernel ", stage.name, " of ", m.program,
         " takes a buffer of rank ", rankOf(info), " as one of ",
         argument.shape.size());
  for (size_t loop = 0; loop < argument.slice.size(); ++loop)
    if (argument.slice[loop] >= 0)
      plan.advances[loop] = {Advance::Stride, argument.slice[loop]};
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
  for (const ArgumentPlan &argument : plan.arguments)
    plan.block = std::max(plan.block, argument.block);
  if (plan.parallel && stage.partition.weightLayout >= 0) {
    const int32_t layout = stage.partition.weightLayout;
    const Levels &levels = m.layouts[layout].levels;
    const size_t loops = stage.partition.loops.size();
    for (size_t level = 0; level < std::min(loops, levels.size() - 1); ++level)
      if (loopOf(stage, layout, level) < 0)
        fail(Status::CompileFailed, "kernel ", stage.name, " of ", m.program,
             " weighs its work by rows that are not its loops");
    plan.wholeItems = loops + 1 < levels.size() &&
                      levels[levels.size() - 2].kind == Level::Dense;
  }
  return plan;
}

static bool writesTo(const Stage &stage, const Buffer &buffer) {
  return std::ranges::find(stage.step.writes, buffer) !=
             stage.step.writes.end() ||
         std::ranges::any_of(stage.arguments, [&](const Argument &argument) {
           return argument.written && argument.buffer == buffer;
         });
}

/// See StagePlan::mayAlias.
bool Plan::mayAlias(size_t stage) const {
  const StepInfo &step = m.stages[stage].step;
  if (step.reads.empty() || step.writes.empty() ||
      step.writes[0].kind != Buffer::Scratch)
    return false;
  for (size_t i = 0; i < m.stages.size(); ++i)
    if (i != stage && (writesTo(m.stages[i], step.writes[0]) ||
                       (i > stage && writesTo(m.stages[i], step.reads[0]))))
      return false;
  return true;
}

StagePlan Plan::planStep(size_t stage) const {
  const StepInfo &info = m.stages[stage].step;
  StagePlan plan;
  plan.stage = &m.stages[stage];
  plan.step = &stepNamed(info.name);
  for (const Buffer &buffer : info.reads) {
    plan.reads.push_back(slotOf(m, buffer));
    if (!infoOf(m, buffer).read)
      fail(Status::CompileFailed, m.program,
           " works on values of which only the shape is there");
  }
  for (const Buffer &buffer : info.writes)
    plan.writes.push_back(slotOf(m, buffer));
  if (!info.writes.empty())
    plan.elementSize = elementSize(infoOf(m, info.writes[0]).type);
  plan.mayAlias = mayAlias(stage);
  return plan;
}

static bool fits(const TensorInfo &given, const TensorInfo &expected) {
  return given.pattern == expected.pattern && given.shape == expected.shape &&
         given.read == expected.read &&
         isFloat(given.type) == isFloat(expected.type) &&
         given.solver == expected.solver;
}

void Plan::checkSignature(const Manifest &signature) const {
  // Those that count what layouts have come after the operands' own.
  const auto own = std::count_if(
      m.symbols.begin(), m.symbols.end(), [](const Symbol &symbol) {
        return symbol.chunksOf < 0 && symbol.longRowsOf < 0 &&
               symbol.nodesOf < 0;
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
