//===- KernelLoops.h - What may be assumed about kernels -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_KERNELLOOPS_H
#define TSGU_TRANSFORMS_KERNELS_KERNELLOOPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"

namespace tsgu {

/// A function marked `tsgu.kernel` and what its attributes promise: the output
/// overlaps no other argument, and every other memref is only read.
struct Kernel {
  mlir::func::FuncOp func;
  mlir::BlockArgument output;
  /// Where accumulation into the output starts; null if the nest overwrites it.
  mlir::TypedAttr identity;

  /// Nullopt for functions that are no kernels; an error where the attributes
  /// contradict the signature or the body breaks the promise.
  static mlir::FailureOr<std::optional<Kernel>> get(mlir::func::FuncOp func);

  bool isOutput(mlir::Value memref) const { return memref == output; }
  bool isReadOnly(mlir::Value memref) const;
  /// Whether the output is the identity everywhere when the kernel begins: it
  /// visits the elements of some coordinates alone.
  bool isFilled() const;
};

/// The loops around an op, outermost first; nullopt if something else than a
/// loop (a condition) stands between the op and the function.
std::optional<llvm::SmallVector<mlir::scf::ForOp>>
getLoopsAround(mlir::Operation *op);

/// The loops, outermost first, that take `indices` through every element of a
/// memref of this type exactly once: each index is its own loop from 0, or the
/// position of a stored entry. Upper bounds are taken to be the extents, as the
/// kernel's contract says. Nullopt for other indices.
std::optional<llvm::SmallVector<mlir::scf::ForOp>>
traceIndices(mlir::ValueRange indices, mlir::MemRefType type);

/// The same with coordinates for indices, each loaded by its own loop: they
/// differ below one parent, so that no element is visited twice if these are
/// all loops around it.
std::optional<llvm::SmallVector<mlir::scf::ForOp>>
traceCoordinates(mlir::ValueRange indices, mlir::MemRefType type);

/// The loop of which an index is the number, or the coordinate at that number;
/// null for other indices.
mlir::scf::ForOp getLoopOfCoordinate(mlir::Value index);

/// Whether a loop runs from lower to upper bound in steps of one.
bool hasUnitStep(mlir::scf::ForOp loop);

/// The number of iterations of a loop from 0 in steps of 1, if it is constant.
std::optional<int64_t> getStaticTripCount(mlir::scf::ForOp loop);

/// Moves what does not change in the loop before it: pure ops, and up to
/// `maxVectors` vectors (and any scalars) loaded from memory that is only read.
void hoistInvariants(Kernel kernel, mlir::scf::ForOp loop, unsigned maxVectors);

/// The remark options of a pass's report on a kernel.
mlir::remark::RemarkOpts remarkOn(Kernel kernel, llvm::StringRef pass);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_KERNELLOOPS_H
