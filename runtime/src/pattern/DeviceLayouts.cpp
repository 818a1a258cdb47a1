//===- DeviceLayouts.cpp - A pattern in a device's memory -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/DeviceLayouts.h"
#include "pattern/DeviceKernels.h"

#include <algorithm>
#include <bit>
#include <mutex>

namespace tsgu::runtime {

int64_t splitLength(int64_t rows, int64_t stored) {
  const int64_t mean = rows > 0 ? stored / rows : 0;
  const auto rounded = static_cast<int64_t>(
      std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(mean, 1))));
  return std::clamp<int64_t>(32 * rounded, 128, 8192);
}

/// A fork waits for what the emulator makes, since its child may use that. For
/// what a device makes it does not, however long that takes: the child may not
/// use the device, and is told so before it would wait here.
template <typename F>
static void makeOnce(Device &device, ForkSafeMutex &emulated, F &&make) {
  static std::mutex onDevices;
  if (device.isEmulator()) {
    std::lock_guard lock(emulated);
    make();
  } else {
    std::lock_guard lock(onDevices);
    make();
  }
}

const Layout &DeviceLayouts::layout(std::span<const Level> levels,
                                    void *stream) {
  if (isCanonical(levels))
    return canonical;
  if (!std::ranges::equal(
          levels, transposedLevels(static_cast<int32_t>(levels.size()))))
    fail(Status::InvalidArgument, "devices have no layout {", print(levels),
         "} yet");
  return transposed(stream);
}

const Layout &DeviceLayouts::transposed(void *stream) {
  if (const DeviceLayout *ready =
          transposedReady.load(std::memory_order_acquire))
    return ready->layout;
  // Before the lock: a forked process cannot use the device, and is told so.
  device.refuseCapture(stream, "the pattern is not transposed yet");
  makeOnce(device, computing, [&] {
    if (transposedMemory)
      return;
    transposedMemory = std::make_unique<DeviceLayout>(
        transposeOn(device, stream, canonical, items, rows, columns));
    owned += transposedMemory->positions.bytes() +
             transposedMemory->coordinates.bytes() +
             transposedMemory->permutation.bytes();
    transposedReady.store(transposedMemory.get(), std::memory_order_release);
  });
  return transposedMemory->layout;
}

const Split &DeviceLayouts::split(std::span<const Level> levels, void *stream) {
  const bool transposed = !isCanonical(levels);
  if (const Split *ready =
          splitReady[transposed].load(std::memory_order_acquire))
    return *ready;
  const Layout &of = layout(levels, stream);
  device.refuseCapture(stream, "the pattern's long rows are not counted yet");
  makeOnce(device, computing, [&] {
    if (splits[transposed])
      return;
    splits[transposed] = std::make_unique<Split>(splitOn(device, stream, of));
    owned += splits[transposed]->memory.bytes();
    splitReady[transposed].store(splits[transposed].get(),
                                 std::memory_order_release);
  });
  return *splits[transposed];
}

} // namespace tsgu::runtime
