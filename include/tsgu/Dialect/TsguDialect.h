//===- TsguDialect.h - The tsgu dialect and its ops ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_DIALECT_TSGUDIALECT_H
#define TSGU_DIALECT_TSGUDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tsgu {

/// Names of the attributes described in TsguBase.td.
inline constexpr llvm::StringLiteral patternAttr = "tsgu.pattern";
inline constexpr llvm::StringLiteral nameAttr = "tsgu.name";
inline constexpr llvm::StringLiteral resultOfAttr = "tsgu.result_of";
inline constexpr llvm::StringLiteral sampledAttr = "tsgu.sampled";

/// Names of the attributes by which the lowering passes speak to each other.
inline constexpr llvm::StringLiteral shapeAttr = "tsgu.shape";
inline constexpr llvm::StringLiteral storageAttr = "tsgu.storage";
inline constexpr llvm::StringLiteral derivedIndexAttr = "tsgu.derived_index";
inline constexpr llvm::StringLiteral hollowAttr = "tsgu.hollow";
inline constexpr llvm::StringLiteral blocksAttr = "tsgu.blocks";
inline constexpr llvm::StringLiteral layoutAttr = "tsgu.layout";
inline constexpr llvm::StringLiteral partitionAttr = "tsgu.partition";
inline constexpr llvm::StringLiteral proofAttr = "tsgu.proof";
inline constexpr llvm::StringLiteral kernelAttr = "tsgu.kernel";
inline constexpr llvm::StringLiteral outputAttr = "tsgu.output";
inline constexpr llvm::StringLiteral identityAttr = "tsgu.identity";
inline constexpr llvm::StringLiteral filledAttr = "tsgu.filled";
inline constexpr llvm::StringLiteral manifestAttr = "tsgu.manifest";
inline constexpr llvm::StringLiteral blockThreadsAttr = "tsgu.block_threads";
inline constexpr llvm::StringLiteral workgroupBytesAttr =
    "tsgu.workgroup_bytes";
inline constexpr llvm::StringLiteral deviceKernelsAttr = "tsgu.device_kernels";
inline constexpr llvm::StringLiteral imageAttr = "tsgu.image";

} // namespace tsgu

#include "tsgu/Dialect/TsguDialect.h.inc"
#include "tsgu/Dialect/TsguEnums.h.inc"

namespace tsgu {

/// Gives the tensor to read where a derivative needs a value of the forward
/// program: the value itself, or the argument that holds it.
using StoredValue = llvm::function_ref<mlir::Value(mlir::Value)>;

/// Whether op(A) exchanges rows and columns.
inline bool isTransposed(Mode mode) {
  return mode == Mode::T || mode == Mode::C;
}

/// The mode of op(A^T).
inline Mode transpose(Mode mode) {
  switch (mode) {
  case Mode::N:
    return Mode::T;
  case Mode::T:
    return Mode::N;
  case Mode::C:
    return Mode::R;
  case Mode::R:
    return Mode::C;
  }
  llvm_unreachable("covered switch");
}

namespace detail {
mlir::Value findSparse(mlir::ValueRange values);
mlir::LogicalResult verifySolve(mlir::Operation *op);
/// That an operand is a sparse matrix, or a batch of them; a square one, if
/// that is asked for.
mlir::LogicalResult verifyMatrix(mlir::Operation *op, mlir::Value operand,
                                 bool square);
mlir::LogicalResult verifyFactor(mlir::Operation *op);
} // namespace detail

} // namespace tsgu

#include "tsgu/Dialect/TsguInterfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "tsgu/Dialect/TsguAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "tsgu/Dialect/TsguTypes.h.inc"
#define GET_OP_CLASSES
#include "tsgu/Dialect/TsguOps.h.inc"

#endif // TSGU_DIALECT_TSGUDIALECT_H
