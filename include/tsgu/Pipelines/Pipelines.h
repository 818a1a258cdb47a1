//===- Pipelines.h - Passes in their tested order --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_PIPELINES_PIPELINES_H
#define TSGU_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tsgu {

/// What to specialise a program to (see tsgu_specialization), for which CPU or,
/// on devices, which alignment of dense rows.
struct LoweringOptions {
  std::string value = "f64";
  unsigned index = 32;
  unsigned derivedIndex = 32;
  std::vector<int64_t> widths;
  std::vector<int64_t> hollow, blocks;
  unsigned vectorBits = 512;
  unsigned alignment = 16;
};

/// A program over tensors -> kernels over buffers, with their manifest.
void addLowerToKernels(mlir::OpPassManager &pm, const LoweringOptions &options);

/// Kernels over buffers -> loops tiled for registers and vectorised.
void addOptimizeKernels(mlir::OpPassManager &pm,
                        const LoweringOptions &options);

/// Optimised kernels -> LLVM dialect with entry points.
void addLowerToLLVM(mlir::OpPassManager &pm);

/// Kernels over buffers -> a gpu.module with one gpu.func for each, and where
/// each is mapped to in the manifest.
void addMapToGPU(mlir::OpPassManager &pm, const LoweringOptions &options);

/// A gpu.module -> its NVVM dialect, with entry points as the kernels.
void addLowerToNVVM(mlir::OpPassManager &pm);

/// A gpu.module -> LLVM dialect of the host with entry points for the emulator.
void addLowerToEmulator(mlir::OpPassManager &pm);

/// Makes the pipelines known to tools: tsgu-lower-to-kernels,
/// tsgu-optimize-kernels, tsgu-lower-to-llvm, and tsgu-lower-to-cpu for all;
/// for devices tsgu-to-gpu, tsgu-lower-to-nvvm and tsgu-lower-to-emulator.
void registerPipelines();
void registerGPUPipelines();

} // namespace tsgu

#endif // TSGU_PIPELINES_PIPELINES_H
