//===- ComplexVectors.h - Complex numbers at vector width ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A vector of n complex numbers is one of 2n floats, real and imaginary parts
// in turn, as memory holds them.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_COMPLEXVECTORS_H
#define TSGU_TRANSFORMS_KERNELS_COMPLEXVECTORS_H

#include "programs/ScalarOps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {

/// Memory of complex numbers as memory of floats: one more dimension, of the
/// real and the imaginary part.
mlir::MemRefType getPartsType(mlir::MemRefType type);

/// The vector of so many elements, real or complex.
mlir::VectorType getLanesType(mlir::Type element, int64_t lanes);

/// A mask with each bit twice.
mlir::Value buildMaskOfParts(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value mask);

/// A complex number in every lane.
mlir::Value broadcastComplex(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value number, int64_t lanes);

/// Whether `buildComplexLanes` knows the op.
bool isComplexLanesOp(mlir::Operation &op);

/// An op of the complex dialect in every lane.
mlir::Value buildComplexLanes(mlir::OpBuilder &builder, mlir::Operation &op,
                              llvm::ArrayRef<mlir::Value> operands);

/// The sum of all lanes, a complex number.
mlir::Value sumComplex(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value vector);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_COMPLEXVECTORS_H
