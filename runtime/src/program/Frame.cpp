//===- Frame.cpp - The memory of one call ---------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Frame.h"
#include "pattern/DeviceLayouts.h"
#include "program/DeviceLaunch.h"

#include <algorithm>

namespace tsgu::runtime {

static const Layout &layoutFor(const Plan &plan, const LayoutInfo &info,
                               Pattern &pattern, const Place *place) {
  const Layout &layout = place ? pattern.layoutsOn(place->device)
                                     .layout(info.levels, place->stream())
                               : pattern.layout(info.levels, false);
  if (layout.indexType != info.indexType)
    fail(Status::InvalidArgument, plan.manifest().program,
         " was compiled for patterns with ", elementName(info.indexType),
         " indices; those of this layout are ", elementName(layout.indexType));
  return layout;
}

Frame::Frame(const Plan &plan, const Binding &binding,
             const Arguments &arguments, const tsgu_tensor &result,
             const Place *place)
    : plan(plan), slots(plan.manifest().operands.size() + 1 +
                        plan.manifest().scratch.size()),
      layouts(plan.manifest().layouts.size()),
      patterns(plan.manifest().layouts.size()),
      itemRows(plan.manifest().layouts.size()),
      scratchAt(plan.manifest().scratch.size()),
      scratchStrides(plan.manifest().scratch.size()) {
  const Manifest &m = plan.manifest();
  for (size_t i = 0; i < m.layouts.size(); ++i) {
    const LayoutInfo &info = m.layouts[i];
    patterns[i] = arguments.patterns[info.pattern];
    layouts[i] =
        &layoutFor(plan, info, *arguments.patterns[info.pattern], place);
    const Level &rows = info.levels[info.levels.size() - 2];
    const int64_t extent =
        binding.sizes[m.patterns[info.pattern].shape[rows.dimension]];
    itemRows[i] = (extent + rows.block - 1) / rows.block;
  }
  int32_t slot = 0;
  for (const TensorInfo &info : m.operands) {
    addTensor(arguments.operands[slot], info.type, slot, info);
    ++slot;
  }
  addTensor(result, m.result.type, slot++, m.result);

  firstScratch = slot;
  for (size_t i = 0; i < m.scratch.size(); ++i) {
    const ScratchInfo &info = m.scratch[i];
    int64_t elements = 1;
    for (size_t d = info.shape.size(); d-- > 0;) {
      scratchStrides[i][d] = elements;
      elements = multiply(elements, binding.sizes[info.shape[d]]);
    }
    scratchAt[i] = scratchEnd;
    int64_t bytes = multiply(elements, elementSize(info.type));
    scratchEnd = add(scratchEnd, add(bytes, 63)) / 64 * 64;
  }
}

void Frame::addTensor(const tsgu_tensor &tensor, ElementType type, int32_t slot,
                      const TensorInfo &info) {
  if (info.read && static_cast<ElementType>(tensor.type) != type)
    fail(Status::InvalidArgument, plan.manifest().program, " takes ", info.name,
         " as ", elementName(type), ", not ",
         elementName(static_cast<ElementType>(tensor.type)));
  const auto rank = info.pattern >= 0 || info.solver
                        ? 1
                        : static_cast<int32_t>(info.shape.size());
  const bool batched = tensor.rank > rank;
  // A tensor without elements needs no strides, nor does one that is not read.
  static constexpr int64_t none[maxDims] = {};
  const int64_t *strides = tensor.strides ? tensor.strides : none;
  slots[slot] = {static_cast<char *>(tensor.data), strides + batched,
                 batched ? strides[0] * elementSize(type) : 0};
}

void Frame::placeScratch(char *memory, int64_t itemBytes) {
  for (size_t i = 0; i < plan.manifest().scratch.size(); ++i)
    slots[firstScratch + i] = {moved(memory, scratchAt[i]),
                               scratchStrides[i].data(), itemBytes};
}

} // namespace tsgu::runtime
