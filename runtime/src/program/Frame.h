//===- Frame.h - The memory of one call -------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_FRAME_H
#define TSGU_SRC_PROGRAM_FRAME_H

#include "base/SmallArray.h"
#include "program/Plan.h"

namespace tsgu::runtime {

/// A pointer moved by bytes; NULL may move, as kernels do not follow it then.
inline char *moved(const void *pointer, int64_t bytes) {
  return reinterpret_cast<char *>(reinterpret_cast<uintptr_t>(pointer) +
                                  static_cast<uintptr_t>(bytes));
}

struct Place;

/// Where the buffers of one call are, in the order of slotOf.
class Frame {
public:
  /// `place`: the device in whose memory layouts are needed; NULL: the host.
  Frame(const Plan &plan, const Binding &binding, const Arguments &arguments,
        const tsgu_tensor &result, const Place *place = nullptr);

  struct Slot {
    char *data;
    const int64_t *strides; ///< Of the dimensions without that of the batch.
    int64_t itemBytes;      ///< From one item of the batch to the next.
  };

  /// The data of a buffer for one item of the batch.
  char *data(int32_t slot, int64_t item) const {
    return moved(slots[slot].data, item * slots[slot].itemBytes);
  }
  int64_t itemBytes(int32_t slot) const { return slots[slot].itemBytes; }
  const int64_t *strides(int32_t slot) const { return slots[slot].strides; }
  const Layout &layout(int32_t index) const { return *layouts[index]; }
  /// The pattern of a layout.
  Pattern &pattern(int32_t layout) const { return *patterns[layout]; }
  /// Nodes that an item has of the level before the last, if that is dense: its
  /// rows, or blocks of them.
  int64_t rowsPerItem(int32_t layout) const { return itemRows[layout]; }

  int64_t scratchBytes() const { return scratchEnd; }
  /// Puts the scratch buffers into this memory, which items share, or have
  /// `itemBytes` apart.
  void placeScratch(char *memory, int64_t itemBytes = 0);
  void alias(int32_t slot, char *data) { slots[slot].data = data; }
  /// For all items.
  void aliasSlot(int32_t slot, int32_t source) { slots[slot] = slots[source]; }

private:
  void addTensor(const tsgu_tensor &tensor, ElementType type, int32_t slot,
                 const TensorInfo &info);

  const Plan &plan;
  int32_t firstScratch;
  int64_t scratchEnd = 0;
  // In place for programs of usual size, whose calls then ask for no memory.
  static constexpr size_t usualLayouts = 16, usualScratch = 16;
  SmallArray<Slot, maxOperands + 1 + usualScratch> slots;
  SmallArray<const Layout *, usualLayouts> layouts;
  SmallArray<Pattern *, usualLayouts> patterns;
  SmallArray<int64_t, usualLayouts> itemRows;
  SmallArray<int64_t, usualScratch> scratchAt;
  SmallArray<std::array<int64_t, maxDims>, usualScratch> scratchStrides;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_FRAME_H
