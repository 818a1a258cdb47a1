//===- OutputUpdates.h - How kernels update their output --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_OUTPUTUPDATES_H
#define TSGU_TRANSFORMS_KERNELS_OUTPUTUPDATES_H

#include "kernels/Panels.h"

namespace tsgu {

/// Puts the body of loops over dense rows of one element in their place.
void inlineSingleIterations(Kernel kernel);

/// Lets loops carry the element of the output that all their iterations update.
/// Returns how many do.
unsigned carryElements(Kernel kernel);

/// Moves loops that index the output out of those that do not, up to the rows,
/// all but the innermost one: for i, k, h, j: C[i, h, j] += ... becomes for i,
/// h, k, j, which accumulates dense rows.
void moveRowsOut(Kernel kernel);

/// The dense loops that update rows of the output again and again; a remark
/// says why others stay as they are.
llvm::SmallVector<Accumulation, 1> findAccumulations(Kernel kernel);

/// Whether the nest visits every element of the output once, when accumulators
/// are carried, so that each may start from the identity and no fill is needed;
/// of a filled output, whether it visits none twice.
bool visitsElementsOnce(Kernel kernel,
                        llvm::ArrayRef<Accumulation> accumulations);

/// Replaces loads of elements that nothing has stored yet by the identity.
void startFromIdentity(Kernel kernel);

/// Fills the part of the output that the call owns with the identity.
mlir::LogicalResult fill(Kernel kernel);

/// The same within the outermost loops, each iteration the elements that it
/// owns, so that iterations stay independent. False if it owns none, and then
/// nothing is filled.
bool fillRows(Kernel kernel);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_OUTPUTUPDATES_H
