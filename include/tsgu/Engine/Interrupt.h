//===- Interrupt.h - Compilations that end early ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_INTERRUPT_H
#define TSGU_ENGINE_INTERRUPT_H

#include "mlir/IR/MLIRContext.h"

namespace tsgu {

/// Has `function` asked whether to give up; null: no more.
void setInterrupted(int (*function)());

/// What this thread does from here on has not been interrupted.
void beginInterruptible();
/// Asks, unless the answer was yes before: that is remembered.
bool isInterrupted();
/// Whether it was.
bool wasInterrupted();

/// The context's passes are left out once they are interrupted. The pass
/// manager takes that for success, so ask afterwards.
void skipInterruptedPasses(mlir::MLIRContext &context);

} // namespace tsgu

#endif // TSGU_ENGINE_INTERRUPT_H
