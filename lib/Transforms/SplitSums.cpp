//===- SplitSums.cpp - Independent partial sums ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sum over stored entries that stays scalar, for its operands are gathered,
// is a chain of additions: each waits for the one before. Four chains hide
// that. Which entries go to which depends on the row alone, so results do not
// depend on how rows are cut into ranges.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

namespace tsgu {
#define GEN_PASS_DEF_SPLITSUMS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;

namespace {

constexpr int64_t chains = 4;

/// The addition that a loop carries, if it does nothing else from one iteration
/// to the next, has no loop inside and no constant length.
arith::AddFOp getCarriedSum(scf::ForOp loop) {
  if (loop.getNumRegionIterArgs() != 1 ||
      !isConstantIntValue(loop.getStep(), 1) ||
      getConstantIntValue(loop.getUpperBound()))
    return nullptr;
  BlockArgument sum = loop.getRegionIterArgs()[0];
  auto add = loop.getBody()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddFOp>();
  if (!add || !isa<FloatType>(add.getType()) || !sum.hasOneUse() ||
      *sum.user_begin() != add || add->getParentOp() != loop)
    return nullptr;
  for (Operation &op : loop.getBody()->without_terminator())
    if (op.getNumRegions() != 0 ||
        !(isPure(&op) || hasSingleEffect<MemoryEffects::Read>(&op)))
      return nullptr;
  return add;
}

/// Copies the loop's body for iteration `iv`; returns the next sum.
Value copyBody(OpBuilder &builder, scf::ForOp loop, Value iv, Value sum) {
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), iv);
  mapping.map(loop.getRegionIterArgs()[0], sum);
  for (Operation &op : loop.getBody()->without_terminator())
    builder.clone(op, mapping);
  return mapping.lookup(loop.getBody()->getTerminator()->getOperand(0));
}

void split(scf::ForOp loop, arith::AddFOp add) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  auto index = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value).getResult();
  };
  auto addSums = [&](Value x, Value y) {
    return arith::AddFOp::create(builder, loc, x, y, add.getFastmath())
        .getResult();
  };
  // The entries that fill all chains: lower + (upper - lower) / 4 * 4.
  Value lower = loop.getLowerBound(), upper = loop.getUpperBound();
  Value length = arith::SubIOp::create(builder, loc, upper, lower);
  Value rounded = arith::MulIOp::create(
      builder, loc, arith::DivSIOp::create(builder, loc, length, index(chains)),
      index(chains));
  Value middle = arith::AddIOp::create(builder, loc, lower, rounded);

  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(add.getType()));
  SmallVector<Value> starts(chains, zero);
  starts[0] = loop.getInitArgs()[0];
  auto body = [&](OpBuilder &inner, Location, Value iv, ValueRange sums) {
    SmallVector<Value> next;
    for (auto [chain, sum] : llvm::enumerate(sums)) {
      Value offset = arith::ConstantIndexOp::create(inner, loc, chain);
      Value entry = arith::AddIOp::create(inner, loc, iv, offset);
      next.push_back(copyBody(inner, loop, entry, sum));
    }
    scf::YieldOp::create(inner, loc, next);
  };
  auto main = scf::ForOp::create(builder, loc, lower, middle, index(chains),
                                 starts, body);
  Value total = addSums(addSums(main.getResult(0), main.getResult(1)),
                        addSums(main.getResult(2), main.getResult(3)));
  loop.setLowerBound(middle);
  loop.getInitArgsMutable()[0].set(total);
}

struct SplitSums : tsgu::impl::SplitSumsBase<SplitSums> {
  void runOnOperation() override {
    SmallVector<std::pair<scf::ForOp, arith::AddFOp>> sums;
    getOperation().walk([&](scf::ForOp loop) {
      if (arith::AddFOp add = getCarriedSum(loop))
        sums.emplace_back(loop, add);
    });
    for (auto [loop, add] : sums) {
      split(loop, add);
      remark::passed(loop.getLoc(), remark::RemarkOpts::name("SplitSums")
                                        .category("tsgu")
                                        .function(getOperation().getName()))
          << remark::add("independent partial sums")
          << remark::metric("chains", chains);
    }
  }
};

} // namespace
