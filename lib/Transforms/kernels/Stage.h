//===- Stage.h - What becomes a stage ---------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_STAGE_H
#define TSGU_TRANSFORMS_KERNELS_STAGE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tsgu {

/// Whether an op becomes a stage.
bool isStage(mlir::Operation *op);

/// Makes an op of every constant tensor that is read or returned, and of a
/// returned argument, so that all data comes from ops.
void materializeConstants(mlir::func::FuncOp program);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_STAGE_H
