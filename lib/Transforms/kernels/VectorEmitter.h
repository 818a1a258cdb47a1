//===- VectorEmitter.h - Writing loop bodies at vector width ----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_VECTOREMITTER_H
#define TSGU_TRANSFORMS_KERNELS_VECTOREMITTER_H

#include "kernels/VectorBody.h"
#include "kernels/VectorBuilders.h"

#include "mlir/IR/IRMapping.h"

namespace tsgu {

/// Writes a body at vector width, chunk by chunk into one block.
class VectorEmitter {
public:
  /// `scalars` maps values of the original function to those in the block; what
  /// the iterations share must be in it (`emitShared`). With `unitStrides` the
  /// strides of strided gathers are known to be 1.
  VectorEmitter(const VectorBody &body, mlir::OpBuilder &builder,
                mlir::IRMapping &scalars, bool unitStrides = false)
      : body(body), builder(builder), scalars(scalars),
        unitStrides(unitStrides) {}

  /// Computes what the iterations share and adds it to `scalars`.
  void emitShared();

  /// The loop-carried values after the chunk; null ones have none before it.
  llvm::SmallVector<mlir::Value> emit(const Chunk &chunk,
                                      llvm::ArrayRef<mlir::Value> carried);
  /// The chunk's elements of the output, updated instead of loaded and stored.
  mlir::Value emitUpdate(const Chunk &chunk, mlir::Value output);
  /// For a body with a `given` value, whose lanes are passed.
  void emitGiven(const Chunk &chunk, mlir::Value given);

private:
  void emitOps();
  mlir::Value emitScalar(mlir::Operation &op);
  bool isReducedNumber(mlir::Operation &op) const;
  mlir::Value widen(mlir::Value value);
  mlir::Value widenCoordinate(mlir::Value index);
  mlir::Value emitLoad(mlir::memref::LoadOp load);
  mlir::Value emitLane(mlir::Value value, mlir::Value iteration);
  mlir::Value emitLanes(mlir::memref::LoadOp load);
  mlir::Value emitGather(mlir::memref::LoadOp load);
  std::pair<mlir::Value, mlir::Value> flatten(mlir::memref::LoadOp load,
                                              mlir::Value memref);
  void emitStore(mlir::memref::StoreOp store);

  const VectorBody &body;
  mlir::OpBuilder &builder;
  mlir::IRMapping &scalars;
  bool unitStrides;
  Chunk chunk;
  /// The chunk of the output if it is held in a register.
  mlir::Value held;
  llvm::DenseMap<mlir::Value, mlir::Value> vectors;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> broadcasts;
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_VECTOREMITTER_H
