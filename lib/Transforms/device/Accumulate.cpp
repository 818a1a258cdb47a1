//===- Accumulate.cpp - Where accumulation starts -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/OutputUpdates.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tsgu {
#define GEN_PASS_DEF_ACCUMULATE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

struct Accumulate : tsgu::impl::AccumulateBase<Accumulate> {
  void runOnOperation() override {
    auto kernel = Kernel::get(getOperation());
    if (failed(kernel) || (*kernel && failed(accumulate(**kernel))))
      signalPassFailure();
  }

  LogicalResult accumulate(Kernel kernel) {
    inlineSingleIterations(kernel);
    moveRowsOut(kernel);
    carryElements(kernel);
    if (!kernel.identity)
      return success();
    SmallVector<Accumulation, 1> accumulations = findAccumulations(kernel);
    if (!visitsElementsOnce(kernel, accumulations)) {
      kernel.func->removeAttr("tsgu.identity");
      if (!kernel.isFilled() && !fillRows(kernel) && failed(fill(kernel)))
        return kernel.func.emitError("found no way to fill the output");
      return success();
    }
    if (accumulations.empty()) {
      startFromIdentity(kernel);
      kernel.func->removeAttr("tsgu.identity");
    }
    return success();
  }
};

} // namespace
