//===- ParseProgram.h - From text to a program -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_PARSEPROGRAM_H
#define TSGU_ENGINE_PARSEPROGRAM_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace tsgu {

/// The module of a program, verified, with its function under `name`. MLIR's
/// parser is no match for every text: see CheckProgram.h.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
parseProgram(llvm::StringRef name, llvm::StringRef text,
             mlir::MLIRContext &context);

} // namespace tsgu

#endif // TSGU_ENGINE_PARSEPROGRAM_H
