//===- DeviceLayouts.cpp - A pattern in a device's memory -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceLayouts.h"
#include "DeviceKernels.h"

#include <algorithm>
#include <bit>

namespace tsgu::runtime {

int64_t splitLength(int64_t rows, int64_t stored) {
  const int64_t mean = rows > 0 ? stored / rows : 0;
  const auto rounded = static_cast<int64_t>(
      std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(mean, 1))));
  return std::clamp<int64_t>(32 * rounded, 128, 8192);
}

const Layout &DeviceLayouts::layout(bool transposed, void *stream) {
  return transposed ? this->transposed(stream) : canonical;
}

const Layout &DeviceLayouts::transposed(void *stream) {
  if (const DeviceLayout *ready =
          transposedReady.load(std::memory_order_acquire))
    return ready->layout;
  // Before the lock, for which a forked process might wait in vain: it cannot
  // use the device, and is told so here.
  device.refuseCapture(stream, "the pattern is not transposed yet");
  std::lock_guard lock(computing);
  if (!transposedMemory) {
    transposedMemory = std::make_unique<DeviceLayout>(
        transposeOn(device, stream, canonical, items, rows, columns));
    owned += transposedMemory->positions.bytes() +
             transposedMemory->coordinates.bytes() +
             transposedMemory->permutation.bytes();
    transposedReady.store(transposedMemory.get(), std::memory_order_release);
  }
  return transposedMemory->layout;
}

const Split &DeviceLayouts::split(bool transposed, void *stream) {
  if (const Split *ready =
          splitReady[transposed].load(std::memory_order_acquire))
    return *ready;
  const Layout &of = layout(transposed, stream);
  device.refuseCapture(stream, "the pattern's long rows are not counted yet");
  std::lock_guard lock(computing);
  if (!splits[transposed]) {
    splits[transposed] = std::make_unique<Split>(splitOn(device, stream, of));
    owned += splits[transposed]->memory.bytes();
    splitReady[transposed].store(splits[transposed].get(),
                                 std::memory_order_release);
  }
  return *splits[transposed];
}

} // namespace tsgu::runtime
