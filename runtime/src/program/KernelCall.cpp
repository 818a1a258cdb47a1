//===- KernelCall.cpp - One kernel, ready to be called --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/KernelCall.h"

#include <algorithm>

namespace tsgu::runtime {

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
    const UpperLevel &upper = layout.upper[std::max(argument.upper, 0)];
    const bool last = argument.upper < 0;
    pointers[index] = const_cast<void *>(
        argument.coordinates ? last ? layout.coordinates : upper.coordinates
        : last               ? layout.positions
                             : upper.positions);
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

/// Positions of blocks move by one for so many rows, the inner loop's or the
/// only one's.
void KernelCall::moveBlocks(int64_t outer, int64_t inner,
                            void **callPointers) const {
  const bool only = plan.stage->partition.loops.size() < 2;
  for (int32_t i = 0; i < argumentCount; ++i)
    if (const int64_t block = plan.arguments[i].block; block > 1)
      callPointers[i] =
          only ? moved(pointers[i], outer / block * advances[i][0])
               : moved(pointers[i],
                       outer * advances[i][0] + inner / block * advances[i][1]);
}

void KernelCall::run(int64_t outer, int64_t outerCount, int64_t inner,
                     int64_t innerCount, const void *positions,
                     void *result) const {
  SmallArray<void *, usualArguments> callPointers(plan.arguments.size());
  SmallArray<int64_t, usualSizes> callSizes(plan.stage->sizes.size());
  for (int32_t i = 0; i < argumentCount; ++i)
    callPointers[i] =
        moved(pointers[i], outer * advances[i][0] + inner * advances[i][1]);
  if (plan.block > 1)
    moveBlocks(outer, inner, callPointers.data());
  if (positions) [[unlikely]] {
    for (int32_t i = 0; i < argumentCount; ++i)
      if (plan.arguments[i].layout >= 0 && plan.arguments[i].upper < 0 &&
          !plan.arguments[i].coordinates)
        callPointers[i] = const_cast<void *>(positions);
    if (result)
      callPointers[argumentCount - 1] = result;
  }
  for (int32_t i = 0; i < sizeCount; ++i) {
    const SizeRef &size = plan.stage->sizes[i];
    callSizes[i] = size.kind != SizeRef::Range ? sizes[i]
                   : size.index == 0           ? outerCount
                                               : innerCount;
  }
  plan.kernel(callPointers.data(), callSizes.data());
}

/// Of an item, or of the only loop. What is left of a block at the beginning is
/// fewer rows than one has: the kernel then looks at no block.
void KernelCall::runRows(int64_t item, int64_t begin, int64_t end) const {
  auto call = [&](int64_t first, int64_t count) {
    item < 0 ? run(first, count, 0, 1) : run(item, 1, first, count);
  };
  if (const int64_t rest = begin % plan.block) {
    const int64_t stop = std::min(begin + plan.block - rest, end);
    call(begin, stop - begin);
    begin = stop;
  }
  if (begin < end)
    call(begin, end - begin);
}

void KernelCall::runRange(int64_t begin, int64_t end) const {
  if (begin >= end)
    return;
  if (plan.stage->partition.loops.size() < 2)
    return runRows(-1, begin, end);
  const int64_t rows = extents[1];
  int64_t item = begin / rows, last = end / rows;
  if (int64_t row = begin % rows; item == last || row != 0) {
    // The first item, where we do not have it from its beginning to its end.
    runRows(item, row, item == last ? end % rows : rows);
    if (item == last)
      return;
    ++item;
  }
  if (item < last)
    run(item, last - item, 0, rows);
  if (end % rows != 0)
    run(last, 1, 0, end % rows);
}

} // namespace tsgu::runtime
