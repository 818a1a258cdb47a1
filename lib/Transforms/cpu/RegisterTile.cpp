//===- RegisterTile.cpp - Accumulators in registers -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A nest that accumulates rows of its output,
//
//   for i { for k in stored entries of row i { for j { C[i, j] += ... } } }
//
// becomes panels of columns whose accumulators the reduction loops carry,
//
//   for i { for panels { for k iter_args(...) { chunks of j }, store chunks } }
//
// so that the output is never loaded and each element is stored once.
//
//===----------------------------------------------------------------------===//

#include "kernels/OutputUpdates.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {
#define GEN_PASS_DEF_REGISTERTILE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

struct RegisterTile : tsgu::impl::RegisterTileBase<RegisterTile> {
  using RegisterTileBase::RegisterTileBase;

  void runOnOperation() override {
    auto kernel = Kernel::get(getOperation());
    if (failed(kernel))
      return signalPassFailure();
    if (*kernel && failed(tile(**kernel)))
      signalPassFailure();
  }

  LogicalResult tile(Kernel kernel) {
    inlineSingleIterations(kernel);
    unsigned elements = carryElements(kernel);
    SmallVector<Accumulation, 1> accumulations = findAccumulations(kernel);
    bool once = visitsElementsOnce(kernel, accumulations);
    if (elements)
      remark::passed(kernel.func.getLoc(), remarkOn(kernel, "RegisterTile"))
          << remark::add("loops carry an element of the output")
          << remark::metric("loops", elements);
    for (const Accumulation &each : accumulations) {
      Location loc = each.dense().getLoc();
      int64_t lanes = each.body.getLanes(vectorBits);
      unsigned count =
          buildPanels(kernel, each, kernel.identity && once, vectorBits);
      remark::passed(loc, remarkOn(kernel, "RegisterTile"))
          << remark::add("accumulators in registers")
          << remark::metric("accumulators", count)
          << remark::metric("lanes", lanes);
    }
    if (!kernel.identity)
      return success();
    kernel.func->removeAttr("tsgu.identity");
    if (once)
      return startFromIdentity(kernel), success();
    if (kernel.isFilled())
      return success();
    if (failed(fill(kernel)))
      return kernel.func.emitError("found no way to fill the output");
    remark::missed(kernel.func.getLoc(), remarkOn(kernel, "RegisterTile"))
        << remark::reason("the output is filled first: its elements are not "
                          "each visited once");
    return success();
  }
};

} // namespace
