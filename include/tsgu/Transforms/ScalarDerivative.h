//===- ScalarDerivative.h - Derivatives of scalar payloads -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_SCALARDERIVATIVE_H
#define TSGU_TRANSFORMS_SCALARDERIVATIVE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace tsgu {

/// Builds the partial derivative of `value` by `variable` after the ops that it
/// needs. `primal` maps values of the original payload to their copies where
/// the derivative is built. Null stands for zero. At kinks and ties the value
/// is torch's: ties of maximum and minimum share, abs has slope 0 at 0. Emits
/// an error at an op that has no derivative here.
mlir::FailureOr<mlir::Value> differentiateScalar(mlir::OpBuilder &builder,
                                                 mlir::Value value,
                                                 mlir::Value variable,
                                                 const mlir::IRMapping &primal);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_SCALARDERIVATIVE_H
