//===- LowerSampled.cpp - Sampled ops for the sparsifier ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream's sparsifier accepts one sparse tensor in an op with a sparse
// result, and merges several by searching. All sparse tensors of our ops have
// one pattern, so one of them drives the loop (the carrier) and the values of
// the others are read at its position:
//
//   %term = sparse_tensor.unary %carrier present = { tsgu.term { payload } }
//   %out  = sparse_tensor.reduce %out, %term, identity
//
//===----------------------------------------------------------------------===//

#include "programs/ScalarOps.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

namespace tsgu {
#define GEN_PASS_DEF_LOWERSAMPLED
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;

namespace {

struct LoweredOperands {
  OpOperand *carrier;
  SmallVector<OpOperand *> inputs;              ///< Dense ones and the carrier.
  llvm::MapVector<OpOperand *, Value> valuesOf; ///< Of the other sparse ones.
};

/// Chooses the carrier: the output if it is sparse, or the first sparse input.
LoweredOperands splitOperands(OpBuilder &builder, GenericOp op) {
  LoweredOperands split;
  OpOperand *output = op.getDpsInitOperand(0);
  split.carrier = isSparse(output->get()) ? output : nullptr;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isSparse(input->get())) {
      split.inputs.push_back(input);
    } else if (!split.carrier) {
      split.carrier = input;
      split.inputs.push_back(input);
    } else {
      split.valuesOf[input] =
          sparse_tensor::ToValuesOp::create(builder, op.getLoc(), input->get());
    }
  }
  return split;
}

/// The term of the payload at a stored entry with value `element`, as one op:
/// the other elements it needs are its operands.
Value buildTerm(OpBuilder &builder, GenericOp op, const LoweredOperands &split,
                const IRMapping &elements, Value element) {
  Payload payload = *getPayload(op);
  Location loc = op.getLoc();
  SmallVector<Value> operands;
  SmallVector<BlockArgument> arguments;
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    if (split.valuesOf.contains(input) || argument.use_empty())
      continue;
    arguments.push_back(argument);
    operands.push_back(input == split.carrier ? element
                                              : elements.lookup(argument));
  }
  auto term = TermOp::create(builder, loc, payload.term.getType(), operands);
  Block *block = &term.getBody().emplaceBlock();
  OpBuilder body = OpBuilder::atBlockEnd(block);
  IRMapping mapping;
  for (BlockArgument argument : arguments)
    mapping.map(argument, block->addArgument(argument.getType(), loc));
  for (auto [input, values] : split.valuesOf) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    if (!argument.use_empty())
      mapping.map(
          argument,
          StoredOp::create(body, loc, argument.getType(), values).getResult());
  }
  Value out = op.getBlock()->getArguments().back();
  for (Operation &inner : op.getBlock()->without_terminator())
    if (!llvm::is_contained(inner.getOperands(), out))
      body.clone(inner, mapping);
  YieldOp::create(body, loc, mapping.lookupOrDefault(payload.term));
  return term.getResult();
}

/// Adds a region of one block and gives its arguments.
Block *addBlock(Region &region, Type type, unsigned count, Location loc) {
  Block *block = new Block();
  region.push_back(block);
  for (unsigned i = 0; i < count; ++i)
    block->addArgument(type, loc);
  return block;
}

Value buildUnary(OpBuilder &builder, GenericOp op, const LoweredOperands &split,
                 const IRMapping &elements, Value carrier) {
  Location loc = op.getLoc();
  auto unary =
      sparse_tensor::UnaryOp::create(builder, loc, carrier.getType(), carrier);
  OpBuilder::InsertionGuard guard(builder);
  Block *present =
      addBlock(unary.getPresentRegion(), carrier.getType(), 1, loc);
  builder.setInsertionPointToEnd(present);
  sparse_tensor::YieldOp::create(
      builder, loc,
      buildTerm(builder, op, split, elements, present->getArgument(0)));
  return unary.getResult();
}

Value buildReduce(OpBuilder &builder, Location loc, Reduction reduction,
                  Value out, Value term) {
  Type type = out.getType();
  Value identity = createConstant(builder, loc, getIdentity(reduction, type));
  auto reduce =
      sparse_tensor::ReduceOp::create(builder, loc, type, out, term, identity);
  OpBuilder::InsertionGuard guard(builder);
  Block *block = addBlock(reduce.getRegion(), type, 2, loc);
  builder.setInsertionPointToEnd(block);
  Value x = block->getArgument(0), y = block->getArgument(1), combined;
  switch (reduction) {
  case Reduction::Max:
    combined = arith::MaximumFOp::create(builder, loc, x, y);
    break;
  case Reduction::Min:
    combined = arith::MinimumFOp::create(builder, loc, x, y);
    break;
  case Reduction::MaxNumber:
    combined = arith::MaxNumFOp::create(builder, loc, x, y);
    break;
  case Reduction::MinNumber:
    combined = arith::MinNumFOp::create(builder, loc, x, y);
    break;
  default:
    combined = createAdd(builder, loc, x, y);
  }
  sparse_tensor::YieldOp::create(builder, loc, combined);
  return reduce.getResult();
}

void lower(GenericOp op) {
  OpBuilder builder(op);
  Payload payload = *getPayload(op);
  LoweredOperands split = splitOperands(builder, op);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand *input : split.inputs) {
    inputs.push_back(input->get());
    maps.push_back(op.getMatchingIndexingMap(input));
  }
  maps.push_back(op.getIndexingMapsArray().back());
  bool denseOutput = op.isDpsInput(split.carrier);
  auto body = [&](OpBuilder &inner, Location loc, ValueRange elements) {
    IRMapping mapping;
    Value carrier = elements.back();
    for (auto [input, element] : llvm::zip(split.inputs, elements)) {
      mapping.map(op.getMatchingBlockArgument(input), element);
      if (input == split.carrier)
        carrier = element;
    }
    Value result = buildUnary(inner, op, split, mapping, carrier);
    if (payload.reduction != Reduction::None || denseOutput)
      result =
          buildReduce(inner, loc, payload.reduction, elements.back(), result);
    linalg::YieldOp::create(inner, loc, result);
  };
  auto lowered = GenericOp::create(builder, op.getLoc(), op->getResultTypes(),
                                   inputs, op.getDpsInits(), maps,
                                   op.getIteratorTypesArray(), body);
  // Loops run in the order written, which is that of the layout's levels.
  lowered->setAttr("sorted", builder.getBoolAttr(true));
  op->replaceAllUsesWith(lowered->getResults());
  op.erase();
}

struct LowerSampled : tsgu::impl::LowerSampledBase<LowerSampled> {
  void runOnOperation() override {
    SmallVector<GenericOp> sparse;
    getOperation().walk([&](GenericOp op) {
      if (llvm::any_of(op->getOperands(), [](Value v) { return isSparse(v); }))
        sparse.push_back(op);
    });
    for (GenericOp op : sparse) {
      FailureOr<Payload> payload = getPayload(op);
      if (failed(payload))
        return signalPassFailure();
      if (payload->reduction == Reduction::LogAddExp) {
        op.emitError("reduces by tsgu.logaddexp; run --tsgu-expand-log-sum-exp "
                     "first");
        return signalPassFailure();
      }
      if (!isSampled(op) && !annihilates(op, payload->term)) {
        op.emitError("is not zero where its sparse operand is absent; mark it "
                     "tsgu.sampled to leave absent entries out");
        return signalPassFailure();
      }
      lower(op);
    }
  }
};

} // namespace
