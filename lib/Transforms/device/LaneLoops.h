//===- LaneLoops.h - Loops shared by lanes ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_DEVICE_LANELOOPS_H
#define TSGU_TRANSFORMS_DEVICE_LANELOOPS_H

#include "device/LaneGroup.h"
#include "kernels/Panels.h"

namespace tsgu {

/// A row as its group of lanes computes it.
struct LaneRow {
  Kernel kernel;
  LaneGroup lanes;
  mlir::Value active; ///< Whether the group has a row at all.
};

/// How a dense row is cut into vectors.
struct DenseCut {
  int64_t elements; ///< In a vector: as many as `alignment` bytes hold.
  int64_t vectors;  ///< In a row; 0: not known.

  static DenseCut get(mlir::scf::ForOp dense, mlir::Type element,
                      unsigned alignment);
};

/// Each lane writes every E-th of the entries, none where the group has no row.
void mapEntries(const LaneRow &row, mlir::scf::ForOp entries);

/// The accumulators of the dense row are shared by columns, the reduction by
/// entries if `byEntries`.
void mapAccumulation(const LaneRow &row, const Accumulation &accumulation,
                     const DenseCut &cut, bool byEntries);

/// Each entry's row of numbers is reduced by the lanes by columns, entries are
/// shared by entries.
void mapDots(const LaneRow &row, mlir::scf::ForOp entries,
             const VectorBody &dot, const DenseCut &cut);

/// What the loop reduces is shared by entries.
void mapReduction(const LaneRow &row, mlir::scf::ForOp entries);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_DEVICE_LANELOOPS_H
