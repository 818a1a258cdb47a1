//===- SplitSums.cpp - Rows summed in two chains --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop over stored entries that carries one accumulator or two waits for each
// addition before it begins the next one. So every second entry is added to
// accumulators of its own, and both sums are added at the end of the row. How a
// row is summed depends on its entries alone.
//
//===----------------------------------------------------------------------===//

#include "kernels/KernelLoops.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tsgu {
#define GEN_PASS_DEF_SPLITSUMS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

static constexpr int64_t chains = 2;
/// More accumulators than these keep the multiply-adds of a core busy.
static constexpr unsigned mostCarried = 2;

/// Whether each value that the loop carries is a vector to which an iteration
/// adds a term.
static bool sumsVectors(scf::ForOp loop) {
  for (auto [carried, yielded] :
       llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues())) {
    auto sum = yielded.getDefiningOp<arith::AddFOp>();
    if (!sum || sum->getBlock() != loop.getBody() || !carried.hasOneUse() ||
        !sum->hasOneUse() || !isa<VectorType>(carried.getType()) ||
        !llvm::is_contained(sum->getOperands(), carried))
      return false;
  }
  return true;
}

static bool canSplit(Kernel kernel, scf::ForOp loop) {
  if (loop.getNumRegionIterArgs() == 0 ||
      loop.getNumRegionIterArgs() > mostCarried || !hasUnitStep(loop) ||
      getStaticTripCount(loop) || !sumsVectors(loop))
    return false;
  return llvm::all_of(loop.getBody()->without_terminator(), [&](Operation &op) {
    if (isa<memref::LoadOp, vector::LoadOp, vector::MaskedLoadOp>(op))
      return kernel.isReadOnly(op.getOperand(0));
    return op.getNumRegions() == 0 && isPure(&op);
  });
}

/// The body for entries `first` and the next one, each with accumulators of its
/// own, which are carried one after the other.
static void emitChains(scf::ForOp loop, scf::ForOp both) {
  OpBuilder builder = OpBuilder::atBlockBegin(both.getBody());
  Location loc = loop.getLoc();
  SmallVector<Value> sums;
  unsigned next = 0;
  for (int64_t chain = 0; chain < chains; ++chain) {
    IRMapping mapping;
    Value offset = arith::ConstantIndexOp::create(builder, loc, chain);
    mapping.map(
        loop.getInductionVar(),
        arith::AddIOp::create(builder, loc, both.getInductionVar(), offset));
    for (Value carried : loop.getRegionIterArgs())
      mapping.map(carried, both.getRegionIterArg(next++));
    for (Operation &op : loop.getBody()->without_terminator())
      builder.clone(op, mapping);
    for (Value yielded : loop.getYieldedValues())
      sums.push_back(mapping.lookup(yielded));
  }
  scf::YieldOp::create(builder, loc, sums);
}

/// Pairs of entries first; the loop itself adds the one that may be left.
static void split(scf::ForOp loop) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  Value two = arith::ConstantIndexOp::create(builder, loc, chains);
  Value count = arith::SubIOp::create(builder, loc, loop.getUpperBound(),
                                      loop.getLowerBound());
  Value left = arith::RemUIOp::create(builder, loc, count, two);
  Value end = arith::SubIOp::create(builder, loc, loop.getUpperBound(), left);
  SmallVector<Value> starts(loop.getInitArgs());
  for (Value start : loop.getInitArgs())
    starts.push_back(arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(start.getType())));
  auto both =
      scf::ForOp::create(builder, loc, loop.getLowerBound(), end, two, starts);
  emitChains(loop, both);
  unsigned carried = loop.getNumRegionIterArgs();
  for (unsigned i = 0; i < carried; ++i) {
    Operation *sum = loop.getYieldedValues()[i].getDefiningOp();
    Operation *total = builder.clone(*sum);
    total->setOperands({both.getResult(i), both.getResult(carried + i)});
    loop.getInitArgsMutable()[i].assign(total->getResult(0));
  }
  loop.setLowerBound(end);
}

namespace {

struct SplitSums : tsgu::impl::SplitSumsBase<SplitSums> {
  void runOnOperation() override {
    auto kernel = Kernel::get(getOperation());
    if (failed(kernel))
      return signalPassFailure();
    if (!*kernel)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (canSplit(**kernel, loop))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      split(loop);
      remark::passed(loop.getLoc(), remarkOn(**kernel, "SplitSums"))
          << remark::add("rows are summed in chains of every other entry")
          << remark::metric("chains", chains);
    }
  }
};

} // namespace
