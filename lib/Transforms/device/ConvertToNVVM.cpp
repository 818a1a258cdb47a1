//===- ConvertToNVVM.cpp - Device kernels to the NVVM dialect -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream's patterns, with two differences to its pass. Arithmetic and
// functions have to be LLVM instructions and intrinsics already: here they
// would become calls of a library that is not linked. And shuffles name all
// lanes of the warp as participants, whatever the width of the groups that
// exchange. (Upstream names the first `width` lanes, so other groups would
// execute a shuffle in which they take no part.)
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/DialectConversion.h"

namespace tsgu {
#define GEN_PASS_DEF_CONVERTTONVVM
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;

static NVVM::ShflKind getKind(gpu::ShuffleMode mode) {
  switch (mode) {
  case gpu::ShuffleMode::XOR:
    return NVVM::ShflKind::bfly;
  case gpu::ShuffleMode::UP:
    return NVVM::ShflKind::up;
  case gpu::ShuffleMode::DOWN:
    return NVVM::ShflKind::down;
  case gpu::ShuffleMode::IDX:
    return NVVM::ShflKind::idx;
  }
  llvm_unreachable("all modes are handled");
}

namespace {

struct LowerShuffle : ConvertOpToLLVMPattern<gpu::ShuffleOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(gpu::ShuffleOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type i32 = rewriter.getI32Type();
    auto constant = [&](int32_t value) -> Value {
      return LLVM::ConstantOp::create(rewriter, loc, i32, value);
    };
    // Bits 8 to 12 mask the lane's number down to its group, bits 0 to 4 are
    // the last lane to read from, within the group: the first for `up`.
    Value mask =
        LLVM::SubOp::create(rewriter, loc, constant(32), adaptor.getWidth());
    mask = LLVM::ShlOp::create(rewriter, loc, mask, constant(8));
    bool isUp = op.getMode() == gpu::ShuffleMode::UP;
    mask = LLVM::OrOp::create(rewriter, loc, mask, constant(isUp ? 0 : 31));
    Type value = adaptor.getValue().getType();
    auto pair = LLVM::LLVMStructType::getLiteral(rewriter.getContext(),
                                                 {value, rewriter.getI1Type()});
    Value result =
        NVVM::ShflOp::create(rewriter, loc, pair, constant(-1),
                             adaptor.getValue(), adaptor.getOffset(), mask,
                             getKind(op.getMode()), rewriter.getUnitAttr());
    rewriter.replaceOp(
        op, {LLVM::ExtractValueOp::create(rewriter, loc, result, 0),
             LLVM::ExtractValueOp::create(rewriter, loc, result, 1)});
    return success();
  }
};

struct ConvertToNVVM : tsgu::impl::ConvertToNVVMBase<ConvertToNVVM> {
  void runOnOperation() override {
    LowerToLLVMOptions options(&getContext());
    options.overrideIndexBitwidth(64);
    LLVMTypeConverter converter(&getContext(), options);
    configureGpuToNVVMTypeConverter(converter);
    RewritePatternSet patterns(&getContext());
    // For what other patterns make.
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    populateGpuToNVVMConversionPatterns(converter, patterns);
    // Before upstream's for the same op.
    patterns.add<LowerShuffle>(converter, /*benefit=*/10);

    LLVMConversionTarget target(getContext());
    target.addLegalDialect<NVVM::NVVMDialect>();
    target.addIllegalDialect<arith::ArithDialect, cf::ControlFlowDialect,
                             gpu::GPUDialect, math::MathDialect,
                             memref::MemRefDialect, vector::VectorDialect>();
    target.addLegalOp<gpu::GPUModuleOp>();
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
