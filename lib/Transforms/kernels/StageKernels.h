//===- StageKernels.h - What the kernel of a stage computes -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_STAGEKERNELS_H
#define TSGU_TRANSFORMS_KERNELS_STAGEKERNELS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tsgu {

/// Whether an op writes values on a pattern entry by entry, from what else is
/// on the pattern and from dense tensors that the last coordinate alone
/// indexes: one loop over all entries, rows or not, will do.
bool runsOverEntries(mlir::linalg::GenericOp op);

/// Whether such an op has to know the last coordinate of an entry.
bool readsCoordinates(mlir::linalg::GenericOp op);

/// Writes the op into the kernel, whose arguments are its operands.
mlir::linalg::GenericOp cloneInto(mlir::func::FuncOp kernel,
                                  mlir::linalg::GenericOp op);

/// Writes the op into the kernel as one loop over entries. The arguments are
/// the values of its sparse operands, its dense ones, and the coordinates, if
/// there is one argument more.
mlir::linalg::GenericOp cloneOverEntries(mlir::func::FuncOp kernel,
                                         mlir::linalg::GenericOp op);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_STAGEKERNELS_H
