//===- Context.h - The MLIR context of the compiler ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_CONTEXT_H
#define TSGU_ENGINE_CONTEXT_H

#include "mlir/IR/MLIRContext.h"

#include <memory>

namespace tsgu {

/// A context with the dialects and interfaces that the pipelines need, and no
/// others (all of them would take 50 ms), without threads of its own.
std::unique_ptr<mlir::MLIRContext> createContext();

} // namespace tsgu

#endif // TSGU_ENGINE_CONTEXT_H
