//===- Optimize.h - LLVM's passes over a module ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_OPTIMIZE_H
#define TSGU_ENGINE_OPTIMIZE_H

#include "llvm/IR/Module.h"
#include "llvm/Passes/OptimizationLevel.h"
#include "llvm/Target/TargetMachine.h"

namespace tsgu {

/// Runs LLVM's passes of that level, but for vectorisation: loops are tiled and
/// vectorised already, and guesses only add code.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              llvm::OptimizationLevel level, bool unrollLoops);

} // namespace tsgu

#endif // TSGU_ENGINE_OPTIMIZE_H
