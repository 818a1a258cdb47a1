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

#ifndef TSGU_SRC_DEVICE_DEVICEKERNELS_H
#define TSGU_SRC_DEVICE_DEVICEKERNELS_H

#include "DeviceLayouts.h"

namespace tsgu::runtime {

/// Values of all items of a batch.
struct ItemValues {
  char *data;
  int64_t itemBytes; ///< From one item's to the next one's.
};

/// to[k] = from[permutation of the layout at k], for each item. Elements are of
/// 4 or 8 bytes.
void permuteOn(Device &device, void *stream, const Layout &layout,
               int64_t elementSize, ItemValues from, ItemValues to,
               int64_t items);

/// Rows and columns of each item exchanged, entries of a column in the order of
/// their rows. Waits.
DeviceLayout transposeOn(Device &device, void *stream, const Layout &csr,
                         int64_t items, int64_t rows, int64_t columns);

/// The rows longer than splitLength, in chunks. Waits.
Split splitOn(Device &device, void *stream, const Layout &layout);

} // namespace tsgu::runtime

#endif // TSGU_SRC_DEVICE_DEVICEKERNELS_H
