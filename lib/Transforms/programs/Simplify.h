//===- Simplify.h - Cleaning up derived programs ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PROGRAMS_SIMPLIFY_H
#define TSGU_TRANSFORMS_PROGRAMS_SIMPLIFY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tsgu {

/// Removes what no result needs, merges equal ops, reads extents from arguments
/// and fuses elementwise ops into their only reader.
void simplifyProgram(mlir::func::FuncOp program);

/// Gives an op, whose block has arguments to match, other inputs.
mlir::linalg::GenericOp replaceInputs(mlir::linalg::GenericOp op,
                                      llvm::ArrayRef<mlir::Value> inputs,
                                      llvm::ArrayRef<mlir::AffineMap> maps);

/// Puts the elementwise op that makes an input into the op that reads it, and
/// returns the one that takes both their places; null if they do not fuse.
mlir::linalg::GenericOp fuseProducer(mlir::OpOperand &operand);

/// Replaces parts of payloads that compute an element of `definition`'s result,
/// which `held` holds, by a read of `held`.
void reuseResult(mlir::func::FuncOp program, mlir::linalg::GenericOp definition,
                 mlir::Value held);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PROGRAMS_SIMPLIFY_H
