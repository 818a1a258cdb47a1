//===- LowerToCPU.cpp - From programs to CPU kernels ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream passes appear in the shapes that the tests cover, and in no other:
// the sparsifier without vectors and without parallel loops, which are ours.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Pipelines/Pipelines.h"

#include "tsgu/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SparseTensor/Transforms/Passes.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tsgu {

void addLowerToKernels(OpPassManager &pm, const LoweringOptions &options) {
  SpecializeOptions specialize;
  specialize.value = options.value;
  specialize.index = options.index;
  specialize.derivedIndex = options.derivedIndex;
  specialize.widths.assign(options.widths.begin(), options.widths.end());
  specialize.hollow.assign(options.hollow.begin(), options.hollow.end());
  specialize.blocks.assign(options.blocks.begin(), options.blocks.end());
  pm.addNestedPass<func::FuncOp>(createExpandConjugated());
  pm.addPass(createSpecialize(specialize));
  pm.addNestedPass<func::FuncOp>(createExpandLogSumExp());
  pm.addNestedPass<func::FuncOp>(createSelectLayout());
  pm.addPass(createStage());
  pm.addNestedPass<func::FuncOp>(createLowerSampled());
  pm.addPass(createSparsificationAndBufferizationPass());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createExportABI());
  pm.addNestedPass<func::FuncOp>(createCombineParts());
}

void addOptimizeKernels(OpPassManager &pm, const LoweringOptions &options) {
  RegisterTileOptions tile;
  tile.vectorBits = options.vectorBits;
  VectorizeOptions vectorize;
  vectorize.vectorBits = options.vectorBits;
  JamDiagonalsOptions diagonals;
  diagonals.derivedIndex = options.derivedIndex;
  diagonals.vectorBits = options.vectorBits;
  JamRowsOptions jam;
  jam.derivedIndex = options.derivedIndex;
  jam.vectorBits = options.vectorBits;
  pm.addNestedPass<func::FuncOp>(createRegisterTile(tile));
  pm.addNestedPass<func::FuncOp>(createSplitSums());
  pm.addPass(createJamDiagonals(diagonals));
  pm.addNestedPass<func::FuncOp>(createVectorize(vectorize));
  pm.addNestedPass<func::FuncOp>(createJamNonzeros());
  pm.addPass(createJamRows(jam));
  pm.addNestedPass<func::FuncOp>(createSplitComplex());
  pm.addPass(createNarrowValues());
  pm.addPass(createExpandMath());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void addLowerToLLVM(OpPassManager &pm) {
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertComplexToStandardPass());
  pm.addPass(createConvertComplexToLLVMPass());
  pm.addNestedPass<func::FuncOp>(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createEmitEntryPoints());
  pm.addPass(createEmitObject());
}

namespace {
/// The same options on the command line.
struct CommandLine : PassPipelineOptions<CommandLine> {
  Option<std::string> value{*this, "value", llvm::cl::init("f64"),
                            llvm::cl::desc("f32, f64, f16, bf16, c64 or c128")};
  Option<unsigned> index{*this, "index", llvm::cl::init(32),
                         llvm::cl::desc("bits of the patterns' own indices")};
  Option<unsigned> derivedIndex{*this, "derived-index", llvm::cl::init(32),
                                llvm::cl::desc("bits of other layouts'")};
  ListOption<int64_t> widths{*this, "widths",
                             llvm::cl::desc("extents by symbol, 0: dynamic")};
  ListOption<int64_t> hollow{
      *this, "hollow",
      llvm::cl::desc("sets of dimensions that are mostly empty, by pattern")};
  ListOption<int64_t> blocks{
      *this, "blocks",
      llvm::cl::desc("rows + 256 * columns of blocks, by pattern")};
  Option<unsigned> vectorBits{*this, "vector-bits", llvm::cl::init(512),
                              llvm::cl::desc("bits of a vector register")};

  LoweringOptions get() const {
    LoweringOptions options;
    options.value = value;
    options.index = index;
    options.derivedIndex = derivedIndex;
    options.widths.assign(widths.begin(), widths.end());
    options.hollow.assign(hollow.begin(), hollow.end());
    options.blocks.assign(blocks.begin(), blocks.end());
    options.vectorBits = vectorBits;
    return options;
  }
};
} // namespace

void registerPipelines() {
  PassPipelineRegistration<CommandLine>(
      "tsgu-lower-to-kernels", "a program over tensors to kernels over buffers",
      [](OpPassManager &pm, const CommandLine &options) {
        addLowerToKernels(pm, options.get());
      });
  PassPipelineRegistration<CommandLine>(
      "tsgu-optimize-kernels", "tile for registers and vectorise",
      [](OpPassManager &pm, const CommandLine &options) {
        addOptimizeKernels(pm, options.get());
      });
  PassPipelineRegistration<>("tsgu-lower-to-llvm",
                             "kernels to the LLVM dialect with entry points",
                             [](OpPassManager &pm) { addLowerToLLVM(pm); });
  PassPipelineRegistration<CommandLine>(
      "tsgu-lower-to-cpu", "a program to the LLVM dialect for the CPU",
      [](OpPassManager &pm, const CommandLine &options) {
        addLowerToKernels(pm, options.get());
        addOptimizeKernels(pm, options.get());
        addLowerToLLVM(pm);
      });
  registerGPUPipelines();
}

} // namespace tsgu
