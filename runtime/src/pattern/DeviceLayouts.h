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

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>

namespace tsgu::runtime {

/// A layout whose arrays are in a device's memory, with the memory behind it.
struct DeviceLayout {
  Layout layout;
  DeviceBlock positions, coordinates, permutation;
};

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

/// The layouts of a pattern on one device, and their long rows. Each is
/// computed on the device at its first use, on the stream, and waited for.
/// Thread-safe.
class DeviceLayouts {
public:
  /// `csr` has pointers to the device's memory, which somebody keeps.
  DeviceLayouts(Device &device, const Layout &csr, int64_t items, int64_t rows,
                int64_t columns)
      : device(device), canonical(csr), items(items), rows(rows),
        columns(columns) {}

  Device &on() const { return device; }
  /// The canonical layout, or that with rows and columns exchanged.
  const Layout &layout(std::span<const Level> levels, void *stream);
  const Split &split(std::span<const Level> levels, void *stream);

  /// Memory owned.
  int64_t bytes() const { return owned.load(std::memory_order_relaxed); }

private:
  const Layout &transposed(void *stream);

  Device &device;
  const Layout canonical;
  const int64_t items, rows, columns;
  ForkSafeMutex computing;
  std::atomic<const DeviceLayout *> transposedReady{nullptr};
  std::unique_ptr<DeviceLayout> transposedMemory;
  std::array<std::atomic<const Split *>, 2> splitReady{};
  std::array<std::unique_ptr<Split>, 2> splits;
  std::atomic<int64_t> owned{0};
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_DEVICELAYOUTS_H
