//===- CodeGen.h - LLVM dialect to object bytes ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_CODEGEN_H
#define TSGU_ENGINE_CODEGEN_H

#include "tsgu/Engine/Compiler.h"

#include "mlir/IR/BuiltinOps.h"

namespace tsgu {

/// Optimises and compiles a module of the LLVM dialect to a relocatable object
/// file. The same bytes serve the JIT and ahead-of-time linking.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
generateObject(mlir::ModuleOp module, const Target &target);

} // namespace tsgu

#endif // TSGU_ENGINE_CODEGEN_H
