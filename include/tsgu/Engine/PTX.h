//===- PTX.h - Device modules to the assembly of NVIDIA GPUs ---*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_PTX_H
#define TSGU_ENGINE_PTX_H

#include "tsgu/CompilerInterface.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/Support/Error.h"

#include <string>

namespace tsgu {

/// Optimises and compiles a module of the NVVM dialect to PTX, which any driver
/// since CUDA 11.0 (sm_80) or 12.0 (sm_90) accepts. Nothing is linked: a
/// function that it calls and does not define is an error.
llvm::Expected<std::string> generatePTX(mlir::gpu::GPUModuleOp device,
                                        tsgu_target target);

/// Registers the pass tsgu-print-ptx, which prints the PTX of each gpu.module.
void registerPrintPTX();

} // namespace tsgu

#endif // TSGU_ENGINE_PTX_H
