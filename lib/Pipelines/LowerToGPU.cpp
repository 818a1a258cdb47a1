//===- LowerToGPU.cpp - From kernels to devices and their emulator --------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Pipelines/Pipelines.h"

#include "tsgu/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tsgu {

void addMapToGPU(OpPassManager &pm, const LoweringOptions &options) {
  MapToGPUOptions map;
  map.alignment = options.alignment;
  pm.addNestedPass<func::FuncOp>(createAccumulate());
  pm.addPass(createSplitRows());
  pm.addPass(createMapToGPU(map));
  pm.addPass(createNarrowValues());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// What GPU and emulator have in common: both run the same ops.
static void addPrepareDevice(OpPassManager &pm) {
  pm.addPass(createExpandMath());
  pm.addPass(createSplitShuffles());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createVerifyDevice());
}

void addLowerToNVVM(OpPassManager &pm) {
  addPrepareDevice(pm);
  OpPassManager &device = pm.nest<gpu::GPUModuleOp>();
  device.addPass(createConvertVectorToSCFPass());
  device.addPass(createSCFToControlFlowPass());
  device.addPass(memref::createExpandStridedMetadataPass());
  device.addPass(createLowerAffinePass());
  device.addPass(createConvertVectorToLLVMPass());
  device.addPass(createUBToLLVMConversionPass());
  device.addPass(createConvertMathToLLVMPass());
  device.addPass(createArithToLLVMConversionPass());
  device.addPass(createConvertToNVVM());
  device.addPass(createReconcileUnrealizedCastsPass());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  pm.addPass(createEmitEntryPoints());
}

void addLowerToEmulator(OpPassManager &pm) {
  addPrepareDevice(pm);
  pm.addPass(createEmulateGPU());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createUBToLLVMConversionPass());
  addLowerToLLVM(pm);
}

namespace {
struct MapCommandLine : PassPipelineOptions<MapCommandLine> {
  Option<unsigned> alignment{*this, "alignment", llvm::cl::init(16),
                             llvm::cl::desc("bytes to which dense rows are "
                                            "aligned")};
};
} // namespace

void registerGPUPipelines() {
  PassPipelineRegistration<MapCommandLine>(
      "tsgu-to-gpu", "kernels over buffers to device kernels",
      [](OpPassManager &pm, const MapCommandLine &options) {
        LoweringOptions lowering;
        lowering.alignment = options.alignment;
        addMapToGPU(pm, lowering);
      });
  PassPipelineRegistration<>("tsgu-lower-to-nvvm",
                             "device kernels to the NVVM dialect with entry "
                             "points",
                             [](OpPassManager &pm) { addLowerToNVVM(pm); });
  PassPipelineRegistration<>("tsgu-lower-to-emulator",
                             "device kernels to the LLVM dialect of the host "
                             "with entry points",
                             [](OpPassManager &pm) { addLowerToEmulator(pm); });
}

} // namespace tsgu
