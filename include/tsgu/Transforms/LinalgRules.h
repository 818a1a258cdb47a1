//===- LinalgRules.h - Derivatives of linalg.generic -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_LINALGRULES_H
#define TSGU_TRANSFORMS_LINALGRULES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tsgu {

/// Gives the tensor to read where a derivative needs a value of the forward
/// program: the value itself, or the argument that holds it.
using StoredValue = llvm::function_ref<mlir::Value(mlir::Value)>;

/// The contribution of `op` to the cotangent of its input number `input`:
/// for out[o] = sum f(x1[i1], ..., xk[ik]) the sum of cotangent[o] * df/dxk
/// over the indices that are not in ik; sampled on the pattern of xk if that is
/// sparse. Null where the derivative is zero; emits an error where there is
/// none.
mlir::FailureOr<mlir::Value>
buildCotangent(mlir::OpBuilder &builder, mlir::linalg::GenericOp op,
               unsigned input, mlir::Value cotangent, StoredValue stored);

/// The tangent of the result, given those of the inputs (null: zero).
mlir::FailureOr<mlir::Value> buildTangent(mlir::OpBuilder &builder,
                                          mlir::linalg::GenericOp op,
                                          llvm::ArrayRef<mlir::Value> tangents,
                                          StoredValue stored);

/// x + y, for tensors of one shape (and pattern).
mlir::Value buildSum(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value x, mlir::Value y);

/// A zero tensor of the shape (and pattern) of `like`.
mlir::Value buildZero(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value like);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_LINALGRULES_H
