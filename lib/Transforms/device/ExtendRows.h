//===- ExtendRows.h - Rows of two loops ------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_DEVICE_EXTENDROWS_H
#define TSGU_TRANSFORMS_DEVICE_EXTENDROWS_H

#include "kernels/KernelLoops.h"
#include "kernels/RowNest.h"
#include "tsgu/Manifest.h"

namespace tsgu {

/// Partitions the next loop of a dense output as well, in the nest and in the
/// stage: few long rows would keep few warps of a device busy.
void extendRows(Kernel kernel, Stage &stage, RowNest &nest);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_DEVICE_EXTENDROWS_H
