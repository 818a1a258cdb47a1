//===- SelfAdjointRule.h - Ops that are their own derivative ---*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PROGRAMS_SELFADJOINTRULE_H
#define TSGU_TRANSFORMS_PROGRAMS_SELFADJOINTRULE_H

#include "tsgu/Dialect/TsguDialect.h"

namespace tsgu {

/// Of an op that is linear and self-adjoint in its last operand.
template <typename Op>
struct SelfAdjointRule
    : DifferentiableOpInterface::ExternalModel<SelfAdjointRule<Op>, Op> {
  static mlir::FailureOr<mlir::Value>
  apply(mlir::OpBuilder &builder, mlir::Operation *op, mlir::Value S) {
    mlir::Operation *copy = builder.clone(*op);
    copy->setOperand(op->getNumOperands() - 1, S);
    copy->getResult(0).setType(S.getType());
    return copy->getResult(0);
  }
  mlir::FailureOr<mlir::Value>
  buildCotangent(mlir::Operation *op, mlir::OpBuilder &builder,
                 mlir::OpOperand &, mlir::Value cotangent, StoredValue) const {
    return apply(builder, op, cotangent);
  }
  mlir::FailureOr<mlir::Value>
  buildTangent(mlir::Operation *op, mlir::OpBuilder &builder,
               mlir::ArrayRef<mlir::Value> tangents, StoredValue) const {
    return apply(builder, op, tangents.back());
  }
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PROGRAMS_SELFADJOINTRULE_H
