//===- DeviceLayouts.h - A pattern in a device's memory ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_DEVICELAYOUTS_H
#define TSGU_SRC_PATTERN_DEVICELAYOUTS_H

#include "base/ForkSafeMutex.h"
#include "device/Device.h"
#include "pattern/Layout.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace tsgu::runtime {

/// A layout whose arrays are in a device's memory, with the memory behind it.
struct DeviceLayout {
  Layout layout;
  DeviceBlock positions, coordinates, permutation;
  DeviceBlock upperPositions[2], upperCoordinates[2];

  int64_t bytes() const {
    int64_t sum = positions.bytes() + coordinates.bytes() + permutation.bytes();
    for (int level = 0; level < 2; ++level)
      sum += upperPositions[level].bytes() + upperCoordinates[level].bytes();
    return sum;
  }
};

/// A copy of a canonical layout that a device has, on the host. Waits.
OwnedLayout readLayout(Device &device, void *stream, const Layout &canonical);

/// The entries that name each stored element, 64-bit numbers.
struct EntrySums {
  int64_t stored = 0;
  DeviceBlock positions, entries;
};

/// Rows of more than `length` entries, cut into chunks of so many. The arrays
/// have the layout's index type, and both are in ascending order.
struct Split {
  int64_t length = 0;
  int64_t chunks = 0, longRows = 0;
  const void *chunkRows = nullptr;      ///< The row of each chunk.
  const void *chunkPositions = nullptr; ///< Where each chunk begins.
  const void *rows = nullptr;           ///< The long rows.
  const void *firstChunks = nullptr;    ///< Of each long row, and the end.
  DeviceBlock memory;
};

/// How long rows of a layout may be on a device before they are cut: many times
/// the mean, so that few are, and short enough for the groups that have them to
/// finish with the others. Depends on the pattern alone.
int64_t splitLength(int64_t rows, int64_t stored);

/// The layouts of a pattern on one device, and their long rows. Each is made at
/// its first use, on the stream, and waited for: with rows and columns
/// exchanged on the device, by other levels on the host. Thread-safe.
class DeviceLayouts {
public:
  /// `csr` has pointers to the device's memory, which somebody keeps; `derived`
  /// is the index type of other layouts.
  DeviceLayouts(Device &device, const Layout &csr,
                std::span<const int64_t> shape, ElementType derived);

  Device &on() const { return device; }
  /// Throws InvalidArgument for levels with blocks.
  const Layout &layout(std::span<const Level> levels, void *stream) {
    return made(levels, stream).memory.layout;
  }
  const Split &split(std::span<const Level> levels, void *stream);

  /// Memory owned.
  int64_t bytes() const { return owned.load(std::memory_order_relaxed); }

private:
  /// In a list that only grows.
  struct Made {
    Levels levels;
    DeviceLayout memory;
    std::atomic<const Split *> splitReady{nullptr};
    std::unique_ptr<Split> split;
    std::unique_ptr<Made> next;
  };
  Made *find(std::span<const Level> levels) const;
  Made &made(std::span<const Level> levels, void *stream);
  DeviceLayout make(std::span<const Level> levels, void *stream) const;
  DeviceLayout makeOnHost(std::span<const Level> levels, void *stream) const;

  Device &device;
  const std::vector<int64_t> shape;
  const ElementType derived;
  const Layout canonical;
  ForkSafeMutex computing;
  std::unique_ptr<Made> latest; ///< The canonical one at the end.
  std::atomic<Made *> ready;
  std::atomic<int64_t> owned{0};
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_DEVICELAYOUTS_H
