//===- ExpandLogSumExp.cpp - Log-sum-exp as maximum and sum ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// log sum exp(x) = m + log sum exp(x - m) with m the maximum of the x, or 0 if
// that is infinite: so nothing overflows, an empty sum gives -inf, and +inf and
// NaN come through.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace tsgu {
#define GEN_PASS_DEF_EXPANDLOGSUMEXP
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;

namespace {

/// Builds `out[map] = combine(out, term)` from the reduction `op` with another
/// combination; `shift` (may be null) is one more input, indexed as the output.
Value rebuildReduction(
    OpBuilder &builder, GenericOp op, Reduction reduction, Value shift,
    function_ref<Value(OpBuilder &, Value out, Value term, Value shift)>
        combine) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  Value identity = arith::ConstantOp::create(
      builder, loc,
      getIdentity(reduction, cast<FloatType>(type.getElementType())));
  Value empty = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>().output();
  Value init =
      linalg::FillOp::create(builder, loc, identity, empty).getResult(0);
  SmallVector<Value> inputs = op.getDpsInputs();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (shift) {
    inputs.push_back(shift);
    maps.push_back(maps.back());
  }
  Value term = getPayload(op)->term;
  auto body = [&](OpBuilder &inner, Location, ValueRange elements) {
    IRMapping mapping;
    for (auto [from, to] :
         llvm::zip(op.getBlock()->getArguments().drop_back(), elements))
      mapping.map(from, to);
    for (Operation &payload : op.getBlock()->without_terminator())
      if (!isa<LogAddExpOp>(payload))
        inner.clone(payload, mapping);
    linalg::YieldOp::create(
        inner, loc,
        combine(inner, elements.back(), mapping.lookupOrDefault(term),
                shift ? elements[elements.size() - 2] : Value()));
  };
  auto result = GenericOp::create(builder, loc, type, inputs, init, maps,
                                  op.getIteratorTypesArray(), body);
  if (isSampled(op))
    setSampled(result);
  return result.getResult(0);
}

/// Builds an elementwise op over dense tensors of the result's type.
Value buildElementwise(OpBuilder &builder, GenericOp op, ValueRange inputs,
                       function_ref<Value(OpBuilder &, ValueRange)> payload) {
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  Value empty = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>().output();
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<IteratorType> iterators(type.getRank(), IteratorType::parallel);
  return GenericOp::create(
             builder, op.getLoc(), type, inputs, empty, maps, iterators,
             [&](OpBuilder &inner, Location loc, ValueRange e) {
               linalg::YieldOp::create(inner, loc, payload(inner, e));
             })
      .getResult(0);
}

void expand(GenericOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value maximum = rebuildReduction(
      builder, op, Reduction::Max, nullptr,
      [&](OpBuilder &b, Value out, Value term, Value) -> Value {
        return arith::MaximumFOp::create(b, loc, out, term);
      });
  Value shift = buildElementwise(
      builder, op, maximum, [&](OpBuilder &b, ValueRange e) -> Value {
        Value zero =
            arith::ConstantOp::create(b, loc, b.getZeroAttr(e[0].getType()));
        Value inf = arith::ConstantOp::create(
            b, loc,
            getIdentity(Reduction::Min, cast<FloatType>(e[0].getType())));
        Value magnitude = math::AbsFOp::create(b, loc, e[0]);
        Value infinite = arith::CmpFOp::create(
            b, loc, arith::CmpFPredicate::OEQ, magnitude, inf);
        return arith::SelectOp::create(b, loc, infinite, zero, e[0]);
      });
  Value sum = rebuildReduction(
      builder, op, Reduction::Add, shift,
      [&](OpBuilder &b, Value out, Value term, Value m) -> Value {
        Value shifted = arith::SubFOp::create(b, loc, term, m);
        Value exp = math::ExpOp::create(b, loc, shifted);
        return arith::AddFOp::create(b, loc, out, exp);
      });
  Value result = buildElementwise(
      builder, op, {shift, sum}, [&](OpBuilder &b, ValueRange e) -> Value {
        Value log = math::LogOp::create(b, loc, e[1]);
        return arith::AddFOp::create(b, loc, e[0], log);
      });
  op.getResult(0).replaceAllUsesWith(result);
  op.erase();
}

struct ExpandLogSumExp : tsgu::impl::ExpandLogSumExpBase<ExpandLogSumExp> {
  void runOnOperation() override {
    if (failed(verifyProgram(getOperation())))
      return signalPassFailure();
    SmallVector<GenericOp> reductions;
    for (auto op : getOperation().getOps<GenericOp>())
      if (getPayload(op)->reduction == Reduction::LogAddExp)
        reductions.push_back(op);
    for (GenericOp op : reductions)
      expand(op);
  }
};

} // namespace
