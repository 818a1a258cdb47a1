//===- VerifyDevice.cpp - What devices have no code for -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There is no library of functions on a device. Beside what its instructions
// compute, exp and log are expanded; every other function is refused here, by
// its name, before code generation would leave a call to nowhere.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tsgu {
#define GEN_PASS_DEF_VERIFYDEVICE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;

/// Functions that instructions compute, or a few of them.
static bool isNative(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::CountLeadingZerosOp, math::CountTrailingZerosOp,
             math::CtPopOp, math::FloorOp, math::FmaOp, math::RoundEvenOp,
             math::RsqrtOp, math::SqrtOp, math::TruncOp>(op);
}

static bool isComplex(Type type) {
  return isa<ComplexType>(getElementTypeOrSelf(type));
}

static LogicalResult verify(Operation *op) {
  Dialect *dialect = op->getDialect();
  if (llvm::any_of(op->getOperandTypes(), isComplex) ||
      llvm::any_of(op->getResultTypes(), isComplex))
    return op->emitError("complex numbers have no code for devices yet");
  if (isa<arith::RemFOp>(op) ||
      (isa_and_nonnull<math::MathDialect>(dialect) && !isNative(op)))
    return op->emitError("'") << op->getName().stripDialect()
                              << "' has no code for devices yet; run the "
                                 "program on the CPU";
  return success();
}

namespace {

struct VerifyDevice : tsgu::impl::VerifyDeviceBase<VerifyDevice> {
  void runOnOperation() override {
    bool wrong = false;
    getOperation().walk([&](gpu::GPUModuleOp device) {
      device.walk([&](Operation *op) { wrong |= failed(verify(op)); });
      for (Operation &op : device.getOps())
        if (auto kernel = dyn_cast<gpu::GPUFuncOp>(op);
            !kernel || !kernel.isKernel()) {
          op.emitError("is no kernel, and all of a device module are");
          wrong = true;
        }
    });
    if (wrong)
      signalPassFailure();
  }
};

} // namespace
