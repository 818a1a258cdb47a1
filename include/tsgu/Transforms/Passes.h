//===- Passes.h - The passes of tsgu ---------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PASSES_H
#define TSGU_TRANSFORMS_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tsgu {

/// Checks a function against the grammar of programs, turning named ops into
/// linalg.generic; emits an error at what does not fit. Passes take programs of
/// one result; a text may have several.
mlir::LogicalResult verifyProgram(mlir::func::FuncOp program,
                                  bool severalResults = false);

#define GEN_PASS_DECL
#include "tsgu/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "tsgu/Transforms/Passes.h.inc"

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PASSES_H
