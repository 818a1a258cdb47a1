//===- SplitComplex.cpp - Complex numbers in memory as pairs --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/ComplexVectors.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace tsgu {
#define GEN_PASS_DEF_SPLITCOMPLEX
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

/// Replaces the uses of a complex argument, which is a real one by now.
LogicalResult splitUses(BlockArgument argument) {
  for (Operation *user : llvm::make_early_inc_range(argument.getUsers())) {
    OpBuilder builder(user);
    Location loc = user->getLoc();
    auto places = [&](ValueRange indices, int64_t part) {
      SmallVector<Value> all(indices);
      all.push_back(arith::ConstantIndexOp::create(builder, loc, part));
      return all;
    };
    if (auto parts = dyn_cast<PartsOp>(user)) {
      parts.replaceAllUsesWith(Value(argument));
      user->erase();
    } else if (auto load = dyn_cast<memref::LoadOp>(user)) {
      Value real = memref::LoadOp::create(builder, loc, argument,
                                          places(load.getIndices(), 0));
      Value imaginary = memref::LoadOp::create(builder, loc, argument,
                                               places(load.getIndices(), 1));
      load.replaceAllUsesWith(complex::CreateOp::create(
                                  builder, loc, load.getType(), real, imaginary)
                                  .getResult());
      user->erase();
    } else if (auto store = dyn_cast<memref::StoreOp>(user)) {
      Value number = store.getValueToStore();
      Type part = cast<MemRefType>(argument.getType()).getElementType();
      memref::StoreOp::create(builder, loc,
                              complex::ReOp::create(builder, loc, part, number),
                              argument, places(store.getIndices(), 0));
      memref::StoreOp::create(builder, loc,
                              complex::ImOp::create(builder, loc, part, number),
                              argument, places(store.getIndices(), 1));
      user->erase();
    } else if (!isa<memref::DimOp>(user)) {
      return user->emitError("uses a buffer of complex numbers as a whole");
    }
  }
  return success();
}

struct SplitComplex : tsgu::impl::SplitComplexBase<SplitComplex> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(kernelAttr) || kernel.isExternal())
      return;
    for (BlockArgument argument : kernel.getArguments()) {
      auto type = dyn_cast<MemRefType>(argument.getType());
      if (!type || !isComplex(type))
        continue;
      argument.setType(getPartsType(type));
      if (failed(splitUses(argument)))
        return signalPassFailure();
    }
    kernel.setType(FunctionType::get(&getContext(),
                                     kernel.getBody().getArgumentTypes(),
                                     kernel.getResultTypes()));
  }
};

} // namespace
