//===- ScalarDerivative.h - Derivatives of scalar payloads -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PROGRAMS_SCALARDERIVATIVE_H
#define TSGU_TRANSFORMS_PROGRAMS_SCALARDERIVATIVE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace tsgu {

/// The derivatives of f by x and by the conjugate of x, as if these were
/// independent (Wirtinger). Null stands for zero; the second is zero where x is
/// real.
struct ScalarSlopes {
  mlir::Value slope;
  mlir::Value conjugateSlope;
};

/// Builds the partial derivatives of `value` by `variable` after the ops that
/// it needs. `primal` maps values of the original payload to their copies where
/// the derivative is built. At kinks and ties the value
/// is torch's: ties of maximum and minimum share, abs has slope 0 at 0. Emits
/// an error at an op that has no derivative here.
mlir::FailureOr<ScalarSlopes>
differentiateScalar(mlir::OpBuilder &builder, mlir::Value value,
                    mlir::Value variable, const mlir::IRMapping &primal);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PROGRAMS_SCALARDERIVATIVE_H
