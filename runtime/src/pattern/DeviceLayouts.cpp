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

//===----------------------------------------------------------------------===//
// Layouts made on the host
//===----------------------------------------------------------------------===//

OwnedLayout readLayout(Device &device, void *stream, const Layout &canonical) {
  const int64_t size = elementSize(canonical.indexType);
  OwnedLayout host;
  auto read = [&](const void *from, int64_t count) {
    Block block(multiply(count, size));
    if (count > 0)
      device.read(block.data(), from, multiply(count, size), stream);
    return block;
  };
  host.positions = read(canonical.positions, add(canonical.rows, 1));
  host.coordinates = read(canonical.coordinates, canonical.stored);
  host.layout = canonical;
  host.layout.positions = host.positions.data();
  host.layout.coordinates = host.coordinates.data();
  return host;
}

DeviceLayout DeviceLayouts::makeOnHost(std::span<const Level> levels,
                                       void *stream) const {
  const OwnedLayout from = readLayout(device, stream, canonical);
  const OwnedLayout host = layoutByLevels(from.layout, shape, levels, derived);
  DeviceLayout result;
  Layout &layout = result.layout = host.layout;
  auto write = [&](const void *&array, const Block &block) {
    DeviceBlock memory(device, array ? block.bytes() : 0);
    if (memory.data())
      device.write(memory.data(), array, memory.bytes(), stream);
    array = memory.data();
    return memory;
  };
  const bool sameCoordinates = layout.coordinates == from.layout.coordinates;
  result.positions = write(layout.positions, host.positions);
  result.permutation = write(layout.permutation, host.permutation);
  if (sameCoordinates)
    layout.coordinates = canonical.coordinates;
  else
    result.coordinates = write(layout.coordinates, host.coordinates);
  for (int level = 0; level < 2; ++level) {
    UpperLevel &upper = layout.upper[level];
    result.upperPositions[level] =
        write(upper.positions, host.upperPositions[level]);
    result.upperCoordinates[level] =
        write(upper.coordinates, host.upperCoordinates[level]);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// What is made, and found
//===----------------------------------------------------------------------===//

DeviceLayouts::DeviceLayouts(Device &device, const Layout &csr,
                             std::span<const int64_t> shape,
                             ElementType derived)
    : device(device), shape(shape.begin(), shape.end()), derived(derived),
      canonical(csr), latest(std::make_unique<Made>()), ready(latest.get()) {
  latest->levels = canonicalLevels(static_cast<int32_t>(shape.size()));
  latest->memory.layout = csr;
}

DeviceLayouts::Made *DeviceLayouts::find(std::span<const Level> levels) const {
  Made *found = ready.load(std::memory_order_acquire);
  while (found && !std::ranges::equal(found->levels, levels))
    found = found->next.get();
  return found;
}

DeviceLayout DeviceLayouts::make(std::span<const Level> levels,
                                 void *stream) const {
  if (hasBlocks(levels))
    fail(Status::InvalidArgument, "devices have no layout {", print(levels),
         "}: of blocks they go through the single entries");
  const auto rank = static_cast<int32_t>(shape.size());
  if (!std::ranges::equal(levels, transposedLevels(rank)))
    return makeOnHost(levels, stream);
  return transposeOn(device, stream, canonical, rank == 3 ? shape[0] : 1,
                     shape[rank - 2], shape[rank - 1]);
}

DeviceLayouts::Made &DeviceLayouts::made(std::span<const Level> levels,
                                         void *stream) {
  if (Made *known = find(levels))
    return *known;
  // Before the lock: a forked process cannot use the device, and is told so.
  device.refuseCapture(stream, "the pattern's layout is not made yet");
  makeOnce(device, computing, [&] {
    if (find(levels))
      return;
    auto next = std::make_unique<Made>();
    next->levels.assign(levels.begin(), levels.end());
    next->memory = make(levels, stream);
    owned += next->memory.bytes();
    next->next = std::move(latest);
    latest = std::move(next);
    ready.store(latest.get(), std::memory_order_release);
  });
  return *find(levels);
}

const Split &DeviceLayouts::split(std::span<const Level> levels, void *stream) {
  Made &of = made(levels, stream);
  if (const Split *known = of.splitReady.load(std::memory_order_acquire))
    return *known;
  device.refuseCapture(stream, "the pattern's long rows are not counted yet");
  makeOnce(device, computing, [&] {
    if (of.split)
      return;
    of.split =
        std::make_unique<Split>(splitOn(device, stream, of.memory.layout));
    owned += of.split->memory.bytes();
    of.splitReady.store(of.split.get(), std::memory_order_release);
  });
  return *of.split;
}

} // namespace tsgu::runtime
