//===- LinalgRules.h - Derivatives of linalg.generic -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PROGRAMS_LINALGRULES_H
#define TSGU_TRANSFORMS_PROGRAMS_LINALGRULES_H

#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tsgu {

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

/// A tensor as a factor of products, with the loops that index it.
struct Factor {
  mlir::Value tensor;
  mlir::AffineMap map;
  bool conjugated = false;
};
struct ProductTerm {
  llvm::SmallVector<Factor, 2> factors;
  bool negated = false;
};

/// out[map] = the sum, over the terms and over the loops not in `map`, of the
/// terms' products; `zero` is a zero tensor of the result's type.
mlir::Value buildSumOfProducts(mlir::OpBuilder &builder, mlir::Location loc,
                               llvm::ArrayRef<ProductTerm> terms,
                               mlir::Value zero, mlir::AffineMap map);

/// The rules of linalg.generic.
void registerLinalgRules(mlir::DialectRegistry &registry);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PROGRAMS_LINALGRULES_H
