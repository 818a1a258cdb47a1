//===- DeviceLaunch.cpp - Run a compiled program on a device --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same stages, buffers and manifest as on the CPU; what differs is that a
// kernel is started once for all rows and all items of a batch, and how many
// threads share a row.
//
//===----------------------------------------------------------------------===//

#include "program/DeviceLaunch.h"
#include "pattern/DeviceLayouts.h"
#include "program/RecordedPatterns.h"
#include "program/Step.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

namespace tsgu::runtime {
namespace {

const Layout &layoutFor(const Place &place, const Plan &plan,
                        const Arguments &arguments, int32_t layout) {
  const LayoutInfo &info = plan.manifest().layouts[layout];
  return arguments.patterns[info.pattern]
      ->layoutsOn(place.device)
      .layout(info.levels, place.stream());
}

const Split &splitFor(const Place &place, const Plan &plan,
                      const Arguments &arguments, int32_t layout) {
  const LayoutInfo &info = plan.manifest().layouts[layout];
  return arguments.patterns[info.pattern]
      ->layoutsOn(place.device)
      .split(info.levels, place.stream());
}

/// The sizes that only a device's patterns have.
Binding bindPatterns(const Place &place, const Plan &plan, Binding binding,
                     const Arguments &arguments) {
  const std::vector<Symbol> &symbols = plan.manifest().symbols;
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i].chunksOf >= 0)
      binding.sizes[i] =
          splitFor(place, plan, arguments, symbols[i].chunksOf).chunks;
    if (symbols[i].longRowsOf >= 0)
      binding.sizes[i] =
          splitFor(place, plan, arguments, symbols[i].longRowsOf).longRows;
    if (symbols[i].nodesOf >= 0)
      binding.sizes[i] =
          layoutFor(place, plan, arguments, symbols[i].nodesOf).upper[0].nodes;
  }
  return binding;
}

/// Memory for the scratch of all items; NULL where none is needed.
char *allocate(const Place &place, int64_t bytes) {
  if (bytes == 0)
    return nullptr;
  void *memory = place.queue.allocate
                     ? place.queue.allocate(place.queue.context, bytes)
                     : nullptr;
  if (!memory)
    fail(Status::OutOfMemory, "out of memory: the program needs ", bytes,
         " bytes of scratch on the device",
         place.queue.allocate ? "" : ", and the queue has no allocator");
  return static_cast<char *>(memory);
}

class DeviceRun {
public:
  DeviceRun(const Place &place, const Plan &plan, const Binding &binding,
            const Arguments &arguments, Frame &frame)
      : place(place), plan(plan), binding(binding), arguments(arguments),
        frame(frame) {}

  void run() const {
    for (const StagePlan &stage : plan.stages())
      for (int64_t item = 0; item < binding.items(); item += Grid::maxY)
        this->stage(stage, item, std::min(Grid::maxY, binding.items() - item));
  }

private:
  void stage(const StagePlan &stage, int64_t first, int64_t items) const {
    if (!stage.step)
      return kernel(stage, first, items);
    if (!stage.step->runOn)
      fail(Status::InvalidArgument, plan.manifest().program, " has a step, ",
           stage.step->name, ", that runs on the CPU: move its operands there");
    stage.step->runOn({{plan.manifest(), stage.stage->step},
                       stage,
                       binding,
                       place,
                       frame,
                       first,
                       items});
  }

  const Layout &layout(int32_t index) const { return frame.layout(index); }

  const void *dataOf(const StagePlan &stage, size_t index, int64_t item) const {
    const ArgumentPlan &argument = stage.arguments[index];
    if (argument.layout < 0)
      return frame.data(argument.slot, item);
    const Layout &l = layout(argument.layout);
    if (argument.upper >= 0) {
      const UpperLevel &level = l.upper[argument.upper];
      return argument.coordinates ? level.coordinates : level.positions;
    }
    auto split = [&]() -> const Split & {
      return splitFor(place, plan, arguments, argument.layout);
    };
    switch (stage.stage->arguments[index].role) {
    case Argument::Positions:
      return l.positions;
    case Argument::Coordinates:
      return l.coordinates;
    case Argument::ChunkRows:
      return split().chunkRows;
    case Argument::ChunkPositions:
      return split().chunkPositions;
    case Argument::LongRows:
      return split().rows;
    case Argument::LongPositions:
      return split().firstChunks;
    case Argument::Values:
    case Argument::Dense:
      break;
    }
    return nullptr;
  }

  /// Elements from the first to the last that an argument has for one item.
  int64_t elementsOf(const StagePlan &stage, size_t index) const {
    const Argument &argument = stage.stage->arguments[index];
    if (const int32_t upper = stage.arguments[index].upper; upper >= 0) {
      const UpperLevel &level = layout(argument.layout).upper[upper];
      return argument.role == Argument::Coordinates ? level.nodes
                                                    : level.parents + 1;
    }
    auto split = [&]() -> const Split & {
      return splitFor(place, plan, arguments, argument.layout);
    };
    switch (argument.role) {
    case Argument::Positions:
      return layout(argument.layout).rows + 1;
    case Argument::Coordinates:
      return layout(argument.layout).stored;
    case Argument::ChunkRows:
    case Argument::ChunkPositions:
      return split().chunks;
    case Argument::LongRows:
      return split().longRows;
    case Argument::LongPositions:
      return split().longRows + 1;
    case Argument::Values:
      return layout(argument.layout).stored;
    case Argument::Dense:
      break;
    }
    const int64_t *strides = frame.strides(stage.arguments[index].slot);
    int64_t last = 0;
    for (size_t d = 0; d < argument.shape.size(); ++d) {
      const int64_t extent = binding.sizes[argument.shape[d]];
      if (extent == 0)
        return 0;
      last += (extent - 1) * (d + 1 < argument.shape.size() ? strides[d] : 1);
    }
    return last + 1;
  }

  /// What the emulator may let the kernel touch.
  std::vector<EmulatorChecks::Region>
  regionsOf(const StagePlan &stage, int64_t first, int64_t items) const {
    std::vector<EmulatorChecks::Region> regions;
    for (size_t i = 0; i < stage.arguments.size(); ++i) {
      const ArgumentPlan &argument = stage.arguments[i];
      const int64_t between =
          argument.layout >= 0 ? 0 : frame.itemBytes(argument.slot);
      regions.push_back(
          {dataOf(stage, i, first),
           elementsOf(stage, i) * argument.elementSize + (items - 1) * between,
           stage.stage->arguments[i].written, stage.stage->name.c_str()});
    }
    return regions;
  }

  /// The logarithm of how many lanes share the entries of a row: so many that
  /// each has about eight, which overlap (see LaneLoops.cpp), or four where no
  /// lanes share columns, for then neighbours read neighbouring entries.
  int64_t entryLanes(const Stage &stage) const {
    const auto most = static_cast<uint64_t>(stage.device.entryLanes);
    const int32_t weights = stage.partition.weightLayout;
    if (weights < 0)
      return std::bit_width(most) - 1;
    const Layout &l = layout(weights);
    const auto mean =
        static_cast<uint64_t>(l.stored / std::max<int64_t>(l.rows, 1));
    const uint64_t each = stage.device.denseLanes > 1 ? 8 : 4;
    return std::bit_width(std::clamp<uint64_t>(mean / each, 1, most)) - 1;
  }

  uint64_t sizeOf(const StagePlan &plan, const SizeRef &size) const {
    switch (size.kind) {
    case SizeRef::Extent:
      return static_cast<uint64_t>(binding.sizes[size.index]);
    case SizeRef::Range:
      return static_cast<uint64_t>(
          binding.sizes[plan.stage->partition.loops[size.index]]);
    case SizeRef::Stride:
      return static_cast<uint64_t>(
          frame.strides(plan.arguments[size.index].slot)[size.dim]);
    case SizeRef::EntryLanes:
      return static_cast<uint64_t>(entryLanes(*plan.stage));
    case SizeRef::SplitLength:
      return static_cast<uint64_t>(
          splitFor(place, this->plan, arguments, size.index).length);
    }
    return 0;
  }

  /// Blocks along x; 0: there is nothing to do.
  int64_t blocksOf(const Stage &stage) const {
    int64_t rows = 1;
    for (int32_t loop : stage.partition.loops)
      rows = multiply(rows, binding.sizes[loop]);
    if (stage.device.serial)
      return 1;
    const int64_t lanes = stage.device.denseLanes << entryLanes(stage);
    const int64_t perBlock = stage.device.blockThreads / lanes;
    return rows / perBlock + (rows % perBlock != 0);
  }

  void kernel(const StagePlan &stage, int64_t first, int64_t items) const {
    const int64_t blocks = blocksOf(*stage.stage);
    if (blocks == 0)
      return;
    if (!fitsInt32(blocks))
      fail(Status::InvalidArgument, "kernel ", stage.stage->name, " needs ",
           blocks, " blocks of threads, more than a device starts");
    SmallArray<uint64_t, 2 * usualArguments + usualSizes> words(
        2 * stage.arguments.size() + stage.stage->sizes.size());
    size_t count = 0;
    const size_t pointers = stage.arguments.size();
    for (size_t i = 0; i < pointers; ++i)
      words[count++] = reinterpret_cast<uintptr_t>(dataOf(stage, i, first));
    for (const ArgumentPlan &argument : stage.arguments)
      words[count++] =
          argument.layout >= 0
              ? 0
              : static_cast<uint64_t>(frame.itemBytes(argument.slot));
    for (const SizeRef &size : stage.stage->sizes)
      words[count++] = sizeOf(stage, size);
    std::optional<EmulatorChecks> checks;
    if (place.device.isEmulator() && EmulatorChecks::wanted())
      checks.emplace(regionsOf(stage, first, items));
    place.device.launch(
        plan.object(), stage.number,
        {static_cast<uint32_t>(blocks), static_cast<uint32_t>(items)},
        {words.data(), count}, place.stream());
  }

  const Place &place;
  const Plan &plan;
  const Binding &binding;
  const Arguments &arguments;
  Frame &frame;
};

} // namespace

uint8_t alignmentOf(const Signature &signature, const Binding &binding,
                    const Arguments &arguments, const tsgu_tensor &result) {
  const Manifest &m = signature.manifest();
  const auto size = static_cast<uint64_t>(elementSize(binding.valueType));
  uint64_t bits = 16; // The lowest bit that is set in any of them counts.
  auto add = [&](const TensorInfo &info, const tsgu_tensor &tensor) {
    if (info.pattern >= 0 || !info.read || info.shape.empty() ||
        elementsOf(tensor) == 0) // Without elements it needs no strides.
      return;
    bits |= reinterpret_cast<uintptr_t>(tensor.data);
    for (int32_t d = 0; d + 1 < tensor.rank; ++d)
      bits |= static_cast<uint64_t>(tensor.strides[d]) * size;
    // A vector is no row: where it is read like one, its length is a width.
    if (info.shape.size() > 1)
      bits |= static_cast<uint64_t>(tensor.shape[tensor.rank - 1]) * size;
  };
  for (size_t i = 0; i < m.operands.size(); ++i)
    add(m.operands[i], arguments.operands[i]);
  add(m.result, result);
  for (int32_t symbol : signature.widths())
    bits |= static_cast<uint64_t>(binding.sizes[symbol]) * size;
  return static_cast<uint8_t>(std::max(bits & (~bits + 1), uint64_t(4)));
}

void launchOn(const Place &place, const Plan &plan, const Binding &given,
              const Arguments &arguments, const tsgu_tensor &result) {
  const Binding binding = bindPatterns(place, plan, given, arguments);
  Frame frame(plan, binding, arguments, result, &place);
  const int64_t bytes = frame.scratchBytes();
  char *scratch = allocate(place, multiply(bytes, binding.items()));
  frame.placeScratch(scratch, binding.items() > 1 ? bytes : 0);
  keepRecorded(place, arguments.patterns);
  DeviceRun(place, plan, binding, arguments, frame).run();
}

} // namespace tsgu::runtime
