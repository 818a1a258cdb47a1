//===- ExpandConjugated.cpp - Solves with a conjugated matrix -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime solves with A, its transpose and its adjoint.
//
//===----------------------------------------------------------------------===//

#include "programs/LinalgRules.h"
#include "tsgu/Dialect/SolveOps.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tsgu {
#define GEN_PASS_DEF_EXPANDCONJUGATED
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

static Value conjugate(OpBuilder &builder, Value vectors) {
  Location loc = vectors.getLoc();
  AffineMap whole = builder.getMultiDimIdentityMap(
      cast<RankedTensorType>(vectors.getType()).getRank());
  return buildSumOfProducts(builder, loc, {{{{vectors, whole, true}}}},
                            buildZero(builder, loc, vectors), whole);
}

static void expand(SolveOpInterface op) {
  OpBuilder builder(op);
  IRMapping mapping;
  mapping.map(op.getRhs(), conjugate(builder, op.getRhs()));
  Operation *solve = builder.clone(*op, mapping);
  cast<SolveOpInterface>(solve).setMode(Mode::N);
  op->replaceAllUsesWith(ValueRange(conjugate(builder, solve->getResult(0))));
  op->erase();
}

namespace {
struct ExpandConjugated : tsgu::impl::ExpandConjugatedBase<ExpandConjugated> {
  void runOnOperation() override {
    SmallVector<SolveOpInterface> solves;
    getOperation().walk([&](SolveOpInterface op) {
      if (op.getMode() == Mode::R)
        solves.push_back(op);
    });
    for (SolveOpInterface op : solves)
      expand(op);
  }
};
} // namespace
