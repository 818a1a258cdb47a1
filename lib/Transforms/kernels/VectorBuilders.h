//===- VectorBuilders.h - Loads, stores and reductions ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_VECTORBUILDERS_H
#define TSGU_TRANSFORMS_KERNELS_VECTORBUILDERS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {

/// A run of iterations computed at once: base, base + 1, ..., as many as there
/// are lanes, or as the mask (null: all of them) has bits set.
struct Chunk {
  mlir::Value base;
  int64_t lanes;
  mlir::Value mask;
};

/// A vector constant with all lanes equal.
mlir::Value buildSplat(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::TypedAttr value, int64_t lanes);

/// How an op combines two values in a reduction; nullopt for other ops.
std::optional<mlir::vector::CombiningKind>
getCombiningKind(mlir::Operation *op);

/// Where the accumulators of a reduction start.
mlir::TypedAttr getNeutral(mlir::Operation *combiner);

/// Whether the op, which may be null, combines values, and a reduction by it
/// that starts at `start` starts where accumulators do: then any part of the
/// terms may be reduced apart, from the same start.
bool startsNeutral(mlir::Operation *combiner, mlir::Attribute start);
bool startsNeutral(mlir::Operation *combiner, mlir::Value start);

/// One step of a reduction.
mlir::Value buildCombine(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::vector::CombiningKind kind,
                         mlir::Value accumulated, mlir::Value term);

/// The reduction of all lanes of a vector to a scalar, complex or not.
mlir::Value buildReduction(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::vector::CombiningKind kind, mlir::Value vector,
                           bool complexLanes);

/// The constant mask of the first `active` lanes.
mlir::Value buildMask(mlir::OpBuilder &builder, mlir::Location loc,
                      int64_t active, int64_t lanes);

/// Accesses to a chunk of a memref's innermost dimension.
mlir::Value buildLoad(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value memref, mlir::ValueRange indices,
                      const Chunk &chunk);
void buildStore(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::Value vector, mlir::Value memref,
                mlir::ValueRange indices, const Chunk &chunk);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_VECTORBUILDERS_H
