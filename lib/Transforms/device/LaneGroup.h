//===- LaneGroup.h - The threads that share a row ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_DEVICE_LANEGROUP_H
#define TSGU_TRANSFORMS_DEVICE_LANEGROUP_H

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {

/// Threads of a warp.
inline constexpr int64_t warpLanes = 32;

/// A group of threads: D lanes by columns of dense rows, times E lanes by
/// stored entries. D is a constant, E is given at launch; both are powers of
/// two, and together at most a warp.
class LaneGroup {
public:
  /// Computes the numbers below from that of the thread. `entryLog` is the
  /// logarithm of E; null: E is 1.
  static LaneGroup place(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value thread, int64_t denseLanes,
                         mlir::Value entryLog);

  int64_t denseLanes;
  mlir::Value entryLog;   ///< Null: no lanes by entries.
  mlir::Value entryLanes; ///< E.
  mlir::Value group;      ///< The number of the group,
  mlir::Value dense;      ///< of the lane by columns,
  mlir::Value entry;      ///< and of the lane by entries.

  /// Whether the thread is the group's first, or the first by columns or by
  /// entries.
  mlir::Value isFirst(mlir::OpBuilder &builder, mlir::Location loc) const;
  mlir::Value isFirstByColumns(mlir::OpBuilder &builder,
                               mlir::Location loc) const;
  mlir::Value isFirstByEntries(mlir::OpBuilder &builder,
                               mlir::Location loc) const;

  /// The reduction, to every lane, of a value (or each element of a vector)
  /// over the lanes by columns or by entries. All threads of the warp call it.
  mlir::Value reduceByColumns(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::vector::CombiningKind kind,
                              mlir::Value value) const;
  mlir::Value reduceByEntries(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::vector::CombiningKind kind,
                              mlir::Value value) const;
};

/// The greatest of the warp's values, 32-bit integers, to every thread.
mlir::Value buildWarpMaximum(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value value);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_DEVICE_LANEGROUP_H
