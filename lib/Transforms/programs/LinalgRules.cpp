//===- LinalgRules.cpp - Derivatives of linalg.generic --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "programs/LinalgRules.h"
#include "programs/ScalarDerivative.h"
#include "programs/ScalarOps.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using linalg::GenericOp;
using mlir::utils::IteratorType;

namespace tsgu {

/// The argument on the pattern of a sparse value: what holds the pattern
/// without keeping the value's computation alive.
static Value getPatternHolder(Value value) {
  auto function = cast<func::FuncOp>(value.getParentRegion()->getParentOp());
  BlockArgument argument = getPatternArgument(function, getPattern(value));
  return argument ? Value(argument) : value;
}

Value buildZero(OpBuilder &builder, Location loc, Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  if (isSparse(type))
    return ZerosLikeOp::create(builder, loc, getPatternHolder(like));
  SmallVector<Value> extents;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(d))
      extents.push_back(
          tensor::DimOp::create(builder, loc, like, d).getResult());
  Value empty = tensor::EmptyOp::create(builder, loc, type, extents);
  Value zero = createConstant(builder, loc, type.getElementType(), 0.0);
  return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
}

namespace {

/// A linalg.generic in the making: `init[map] += term(inputs)`, or = where
/// every loop indexes the output. `body` builds the payload.
struct GenericBuilder {
  struct Input {
    Value tensor;
    AffineMap map;
  };

  GenericBuilder(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc), body(builder.getContext()) {
    body.setInsertionPointToEnd(block.get());
  }

  BlockArgument addInput(Value tensor, AffineMap map) {
    inputs.push_back({tensor, map});
    return block->addArgument(getElementTypeOrSelf(tensor), loc);
  }

  /// Creates the op at the insertion point of `builder`, restricted to stored
  /// entries if asked, or if absent entries would contribute otherwise.
  Value finish(Value term, Value init, AffineMap map, bool sampled);

  OpBuilder &builder;
  Location loc;
  SmallVector<Input> inputs;
  std::unique_ptr<Block> block = std::make_unique<Block>();
  OpBuilder body;

private:
  bool absentEntriesContribute(Value term) {
    return llvm::any_of(inputs, [](Input i) { return isSparse(i.tensor); }) &&
           !annihilates(term, [&](BlockArgument argument) {
             return argument.getOwner() == block.get() &&
                    isSparse(inputs[argument.getArgNumber()].tensor);
           });
  }
};

Value GenericBuilder::finish(Value term, Value init, AffineMap map,
                             bool sampled) {
  sampled |= isSparse(init) || absentEntriesContribute(term);
  SmallVector<IteratorType> iterators(map.getNumDims(),
                                      IteratorType::reduction);
  for (AffineExpr result : map.getResults())
    iterators[cast<AffineDimExpr>(result).getPosition()] =
        IteratorType::parallel;

  Value out = block->addArgument(term.getType(), loc);
  if (llvm::is_contained(iterators, IteratorType::reduction))
    term = createAdd(body, loc, out, term);
  linalg::YieldOp::create(body, loc, term);

  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  for (Input input : inputs) {
    tensors.push_back(input.tensor);
    maps.push_back(input.map);
  }
  maps.push_back(map);
  auto op = GenericOp::create(builder, loc, init.getType(), tensors, init, maps,
                              iterators);
  op.getRegion().getBlocks().clear();
  op.getRegion().push_back(block.release());
  if (sampled)
    setSampled(op);
  return op.getResult(0);
}

} // namespace

/// Adds the inputs of `op` and the payload's ops, so that `primal` maps the
/// payload's values into the new op. Where the result is at hand, the term of
/// an elementwise op is read from it instead of being computed again.
static void addPrimal(GenericBuilder &generic, GenericOp op, Payload payload,
                      StoredValue stored, IRMapping &primal) {
  Block *source = op.getBlock();
  for (OpOperand *input : op.getDpsInputOperands())
    primal.map(source->getArgument(input->getOperandNumber()),
               generic.addInput(stored(input->get()),
                                op.getMatchingIndexingMap(input)));
  for (Operation &inner : source->without_terminator())
    if (!llvm::is_contained(inner.getOperands(), source->getArguments().back()))
      generic.body.clone(inner, primal);
  Value result = op.getResult(0);
  bool cheaperToRead = isa_and_nonnull<math::ExpOp, math::TanhOp, math::SqrtOp>(
      payload.term.getDefiningOp());
  if (payload.reduction == Reduction::None &&
      (stored(result) != result || cheaperToRead))
    primal.map(
        payload.term,
        generic.addInput(stored(result), op.getIndexingMapsArray().back()));
}

/// The share of a term in a log-sum-exp. The result is computed anew even where
/// it is at hand: its rounded value does not do, --tsgu-expand-log-sum-exp
/// takes it as a maximum and a sum.
static Value buildShare(GenericBuilder &generic, GenericOp op, Value term,
                        AffineMap map) {
  Value result = generic.addInput(op.getResult(0), map);
  Value shifted =
      arith::SubFOp::create(generic.body, op.getLoc(), term, result);
  return math::ExpOp::create(generic.body, op.getLoc(), shifted);
}

/// `weight` (the cotangent of a log-sum-exp, or the tangent of its start) times
/// the share of the start.
static Value buildStartProduct(OpBuilder &builder, GenericOp op, Value weight,
                               StoredValue stored) {
  Value start = getStart(op);
  AffineMap map = builder.getMultiDimIdentityMap(
      cast<RankedTensorType>(start.getType()).getRank());
  GenericBuilder generic(builder, op.getLoc());
  Value w = generic.addInput(weight, map);
  Value z = generic.addInput(stored(start), map);
  Value product =
      createMul(generic.body, op.getLoc(), w, buildShare(generic, op, z, map));
  return generic.finish(product, buildZero(builder, op.getLoc(), start), map,
                        /*sampled=*/false);
}

/// Whether a term is the extremum that the reduction found.
static Value buildTie(GenericBuilder &generic, GenericOp op, Value term,
                      Value result) {
  Value found = generic.addInput(result, op.getIndexingMapsArray().back());
  return arith::CmpFOp::create(generic.body, op.getLoc(),
                               arith::CmpFPredicate::OEQ, term, found);
}

/// The share of a term in a maximum or minimum: of k equal ones each has 1/k,
/// as in torch.amax. Computed terms are compared with what is computed again,
/// for a result at hand may have been rounded to 16 bits.
static Value buildTieShare(GenericBuilder &generic, GenericOp op,
                           Payload payload, const IRMapping &primal,
                           StoredValue stored) {
  Location loc = op.getLoc();
  Value result = op.getResult(0);
  if (isa<BlockArgument>(payload.term))
    result = stored(result);
  AffineMap map = op.getIndexingMapsArray().back();
  auto chosen = [&](GenericBuilder &inner, const IRMapping &at, Value one) {
    Value zero = createConstant(inner.body, loc, one.getType(), 0.0);
    Value tie = buildTie(inner, op, at.lookupOrDefault(payload.term), result);
    return arith::SelectOp::create(inner.body, loc, tie, one, zero);
  };
  auto one = [&](GenericBuilder &inner) {
    return createConstant(inner.body, loc, getElementTypeOrSelf(result), 1.0);
  };
  GenericBuilder counting(generic.builder, loc);
  IRMapping terms;
  addPrimal(counting, op, payload, stored, terms);
  Value count = counting.finish(
      chosen(counting, terms, one(counting)),
      buildZero(generic.builder, loc, op.getDpsInits()[0]), map, isSampled(op));
  Value k = generic.addInput(count, map);
  return chosen(generic, primal, createDiv(generic.body, loc, one(generic), k));
}

/// d(out)/d(term) of the reduction; null stands for one.
static Value getReductionSlope(GenericBuilder &generic, GenericOp op,
                               Payload payload, const IRMapping &primal,
                               StoredValue stored) {
  switch (payload.reduction) {
  case Reduction::None:
  case Reduction::Add:
    return nullptr;
  case Reduction::LogAddExp:
    return buildShare(generic, op, primal.lookupOrDefault(payload.term),
                      op.getIndexingMapsArray().back());
  case Reduction::Max:
  case Reduction::MaxNumber:
  case Reduction::Min:
  case Reduction::MinNumber:
    return buildTieShare(generic, op, payload, primal, stored);
  }
  llvm_unreachable("covered switch");
}

/// x * y, where null stands for one.
static Value multiply(OpBuilder &builder, Location loc, Value x, Value y) {
  if (!x || !y)
    return x ? x : y;
  return createMul(builder, loc, x, y);
}

/// x + y, where null stands for zero.
static Value add(OpBuilder &builder, Location loc, Value x, Value y) {
  if (!x || !y)
    return x ? x : y;
  return createAdd(builder, loc, x, y);
}

/// The cotangent of x for f(x) with cotangent g, as PyTorch defines it (see
/// Kreutz-Delgado, "The complex gradient operator and the CR-calculus"):
/// g conj(df/dx) + conj(g) df/dconj(x). Null stands for zero.
static Value pullBack(OpBuilder &builder, Location loc, Value g,
                      ScalarSlopes partial) {
  Value term, conjugated;
  if (partial.slope)
    term = createMul(builder, loc, g, createConj(builder, loc, partial.slope));
  if (partial.conjugateSlope)
    conjugated = createMul(builder, loc, createConj(builder, loc, g),
                           partial.conjugateSlope);
  return add(builder, loc, term, conjugated);
}

/// The tangent of f(x): t df/dx + conj(t) df/dconj(x).
static Value pushForward(OpBuilder &builder, Location loc, Value t,
                         ScalarSlopes partial) {
  Value term, conjugated;
  if (partial.slope)
    term = createMul(builder, loc, t, partial.slope);
  if (partial.conjugateSlope)
    conjugated = createMul(builder, loc, createConj(builder, loc, t),
                           partial.conjugateSlope);
  return add(builder, loc, term, conjugated);
}

FailureOr<Value> buildCotangent(OpBuilder &builder, GenericOp op,
                                unsigned input, Value cotangent,
                                StoredValue stored) {
  FailureOr<Payload> payload = getPayload(op);
  if (failed(payload))
    return failure();
  GenericBuilder generic(builder, op.getLoc());
  Value g = generic.addInput(cotangent, op.getIndexingMapsArray().back());
  IRMapping primal;
  addPrimal(generic, op, *payload, stored, primal);
  Value slope = getReductionSlope(generic, op, *payload, primal, stored);
  FailureOr<ScalarSlopes> partial = differentiateScalar(
      generic.body, payload->term, op.getBlock()->getArgument(input), primal);
  if (failed(partial))
    return failure();
  Value weight = multiply(generic.body, op.getLoc(), g, slope);
  Value term = pullBack(generic.body, op.getLoc(), weight, *partial);
  if (!term)
    return Value();
  OpOperand *operand = op.getDpsInputOperand(input);
  return generic.finish(term, buildZero(builder, op.getLoc(), operand->get()),
                        op.getMatchingIndexingMap(operand), isSampled(op));
}

/// What the tangents of the inputs give.
static FailureOr<Value> buildTermsTangent(OpBuilder &builder, GenericOp op,
                                          ArrayRef<Value> tangents,
                                          StoredValue stored) {
  FailureOr<Payload> payload = getPayload(op);
  if (failed(payload))
    return failure();
  GenericBuilder generic(builder, op.getLoc());
  IRMapping primal;
  addPrimal(generic, op, *payload, stored, primal);
  Value sum;
  for (auto [input, tangent] : llvm::enumerate(tangents)) {
    if (!tangent)
      continue;
    FailureOr<ScalarSlopes> partial = differentiateScalar(
        generic.body, payload->term, op.getBlock()->getArgument(input), primal);
    if (failed(partial))
      return failure();
    if (!partial->slope && !partial->conjugateSlope)
      continue;
    Value t = generic.addInput(
        tangent, op.getMatchingIndexingMap(op.getDpsInputOperand(input)));
    Value term = pushForward(generic.body, op.getLoc(), t, *partial);
    sum = sum ? createAdd(generic.body, op.getLoc(), sum, term) : term;
  }
  if (!sum)
    return Value();
  Value slope = getReductionSlope(generic, op, *payload, primal, stored);
  sum = multiply(generic.body, op.getLoc(), sum, slope);
  Value init = buildZero(builder, op.getLoc(), op.getDpsInits()[0]);
  return generic.finish(sum, init, op.getIndexingMapsArray().back(),
                        isSampled(op));
}

FailureOr<Value> buildTangent(OpBuilder &builder, GenericOp op,
                              ArrayRef<Value> tangents, StoredValue stored) {
  FailureOr<Value> terms =
      buildTermsTangent(builder, op, tangents.drop_back(), stored);
  if (failed(terms) || !getStart(op) || !tangents.back())
    return terms;
  Value start = buildStartProduct(builder, op, tangents.back(), stored);
  return *terms ? buildSum(builder, op.getLoc(), *terms, start) : start;
}

Value buildSum(OpBuilder &builder, Location loc, Value x, Value y) {
  GenericBuilder generic(builder, loc);
  AffineMap map = builder.getMultiDimIdentityMap(
      cast<RankedTensorType>(x.getType()).getRank());
  Value a = generic.addInput(x, map), b = generic.addInput(y, map);
  Value sum = createAdd(generic.body, loc, a, b);
  return generic.finish(sum, buildZero(builder, loc, x), map,
                        /*sampled=*/false);
}

Value buildSumOfProducts(OpBuilder &builder, Location loc,
                         ArrayRef<ProductTerm> terms, Value zero,
                         AffineMap map) {
  GenericBuilder generic(builder, loc);
  Value sum;
  for (const ProductTerm &term : terms) {
    Value product;
    for (const Factor &factor : term.factors) {
      Value element = generic.addInput(factor.tensor, factor.map);
      if (factor.conjugated)
        element = createConj(generic.body, loc, element);
      product =
          product ? createMul(generic.body, loc, product, element) : element;
    }
    if (sum)
      sum = term.negated ? createSub(generic.body, loc, sum, product)
                         : createAdd(generic.body, loc, sum, product);
    else
      sum = term.negated ? createNeg(generic.body, loc, product) : product;
  }
  return generic.finish(sum, zero, map, /*sampled=*/false);
}

namespace {
struct GenericRule
    : DifferentiableOpInterface::ExternalModel<GenericRule, GenericOp> {
  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &input, Value cotangent,
                                  StoredValue stored) const {
    auto generic = cast<GenericOp>(op);
    if (!generic.isDpsInput(&input))
      return getStart(generic)
                 ? buildStartProduct(builder, generic, cotangent, stored)
                 : Value();
    return tsgu::buildCotangent(builder, generic, input.getOperandNumber(),
                                cotangent, stored);
  }

  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    auto generic = cast<GenericOp>(op);
    return tsgu::buildTangent(builder, generic, tangents, stored);
  }
};
} // namespace

void registerLinalgRules(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    GenericOp::attachInterface<GenericRule>(*context);
  });
}

} // namespace tsgu
