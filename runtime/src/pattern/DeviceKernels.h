//===- DeviceKernels.h - What patterns need computed on devices -*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Calls of the device kernels of lib/Programs/device, compiled when first
// needed. All put their work on the stream; those that say so wait for it.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_DEVICEKERNELS_H
#define TSGU_SRC_PATTERN_DEVICEKERNELS_H

#include "pattern/DeviceLayouts.h"

namespace tsgu::runtime {

/// Arrays as tsgu_pattern_from_csr_on takes them, whose type can number the
/// rows of all items.
struct DeviceCSR {
  ElementType type;
  const void *positions, *coordinates;
  int64_t items, rows, columns, stored;
};

/// Arrays as tsgu_pattern_from_coo_on takes them; the type as above.
struct DeviceCOO {
  ElementType type;
  const void *item, *row, *column; ///< item: NULL without batch.
  int64_t items, rows, columns, stored;
};

/// Copies arrays of indices into another index type.
struct DeviceCopies {
  DeviceCopies(Device &device, void *stream, ElementType from, ElementType to);
  DeviceBlock copy(const void *indices, int64_t count);

  Device &device;
  void *stream;
  ElementType from, to;
  DeviceBlock flags; ///< Not 0 where an index did not fit.
};

/// Whether the arrays are a pattern in canonical order, and `flags` is still 0.
/// Corrupt ones are not, and are not followed anywhere. Waits.
bool isCanonicalOn(Device &device, void *stream, const DeviceCSR &csr,
                   const DeviceBlock &flags);
bool isCanonicalOn(Device &device, void *stream, const DeviceCOO &coo,
                   const DeviceBlock &flags);

/// The positions of all items in one array, counting through. Waits.
DeviceBlock joinItemsOn(Device &device, void *stream, const DeviceCSR &csr);
/// The positions of entries in canonical order. Waits.
DeviceBlock positionsFromRowsOn(Device &device, void *stream,
                                const DeviceCOO &coo);

/// Values of all items of a batch.
struct ItemValues {
  char *data;
  int64_t itemBytes; ///< From one item's to the next one's.

  ItemValues from(int64_t item) const {
    return {data ? data + item * itemBytes : data, itemBytes};
  }
};

/// to[k] = from[permutation of the layout at k], for each item. Elements are of
/// 4 or 8 bytes.
void permuteOn(Device &device, void *stream, const Layout &layout,
               int64_t elementSize, ItemValues from, ItemValues to,
               int64_t items);

/// Sets `rows` rows of `width` elements of 4 or 8 bytes, `stride` elements
/// apart, to these bits, for each item.
void fillOn(Device &device, void *stream, uint64_t bits, int64_t elementSize,
            ItemValues to, int64_t rows, int64_t width, int64_t stride,
            int64_t items);

/// to[s] = the sum of the values of the entries that name element s, in their
/// order, for each item.
void sumEntriesOn(Device &device, void *stream, const EntrySums &sums,
                  int64_t elementSize, ItemValues from, ItemValues to,
                  int64_t items);

/// Rows and columns of each item exchanged, entries of a column in the order of
/// their rows. Waits.
DeviceLayout transposeOn(Device &device, void *stream, const Layout &csr,
                         int64_t items, int64_t rows, int64_t columns);

/// The rows longer than splitLength, in chunks. Waits.
Split splitOn(Device &device, void *stream, const Layout &layout);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_DEVICEKERNELS_H
