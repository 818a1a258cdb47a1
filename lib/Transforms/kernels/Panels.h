//===- Panels.h - Panels of vector accumulators ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_PANELS_H
#define TSGU_TRANSFORMS_KERNELS_PANELS_H

#include "kernels/KernelLoops.h"
#include "kernels/VectorBody.h"
#include "kernels/VectorBuilders.h"

namespace tsgu {

/// A dense loop that updates consecutive elements of the output, within loops
/// that update the same elements again and again.
struct Accumulation {
  VectorBody body;
  /// The outermost loop that does not move in the output.
  mlir::scf::ForOp reduction;

  mlir::scf::ForOp dense() const { return body.getLoop(); }
};

/// Copies the loops of the accumulation to the builder's place, where they
/// carry the accumulators of the chunks, from `values` on. Returns them.
llvm::SmallVector<mlir::Value> emitPanel(Kernel kernel,
                                         const Accumulation &accumulation,
                                         mlir::OpBuilder &builder,
                                         llvm::ArrayRef<Chunk> panel,
                                         llvm::SmallVector<mlir::Value> values);

/// Replaces the accumulation by panels of chunks whose accumulators its loops
/// carry, from the identity or from what the output holds. Returns the number
/// of accumulators of the largest panel.
unsigned buildPanels(Kernel kernel, const Accumulation &accumulation,
                     bool fromIdentity, unsigned vectorBits);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_PANELS_H
