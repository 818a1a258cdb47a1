//===- Simplify.cpp - Cleaning up derived programs ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream's canonicalizations of linalg are not used on programs: one of them
// turns a copy that is sampled on a pattern into a conversion of formats.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/Simplify.h"

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/SolveOps.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tsgu {
#define GEN_PASS_DEF_SIMPLIFY
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;

/// The value whose extent in dimension `dim` equals that of `value`, as close
/// to the arguments as can be told.
static std::pair<Value, int64_t> traceExtent(Value value, int64_t dim) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto zeros = dyn_cast<ZerosLikeOp>(op)) {
      value = zeros.getSource();
    } else if (auto triangle = dyn_cast<TriangleOp>(op)) {
      value = triangle.getSource();
    } else if (auto solve = dyn_cast<SolveOpInterface>(op)) {
      std::tie(value, dim) = getExtentOrigin(solve, dim);
    } else if (auto destination = dyn_cast<DestinationStyleOpInterface>(op)) {
      value = destination.getDpsInits()[0];
    } else if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      if (!empty.getType().isDynamicDim(dim))
        break;
      auto extent = empty.getDynamicSize(dim).getDefiningOp<tensor::DimOp>();
      if (!extent || !extent.getConstantIndex())
        break;
      value = extent.getSource();
      dim = *extent.getConstantIndex();
    } else {
      break;
    }
  }
  return {value, dim};
}

static void traceExtents(func::FuncOp program) {
  SmallVector<tensor::DimOp> extents;
  program.walk([&](tensor::DimOp op) { extents.push_back(op); });
  for (tensor::DimOp op : extents) {
    std::optional<int64_t> dim = op.getConstantIndex();
    if (!dim)
      continue;
    auto [value, traced] = traceExtent(op.getSource(), *dim);
    if (value == op.getSource())
      continue;
    OpBuilder builder(op);
    op.replaceAllUsesWith(
        tensor::DimOp::create(builder, op.getLoc(), value, traced).getResult());
    op.erase();
  }
}

static void eraseDeadOps(func::FuncOp program) {
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<Operation *> ops;
    program.walk<WalkOrder::PostOrder>(
        [&](Operation *op) { ops.push_back(op); });
    for (Operation *op : llvm::reverse(ops))
      if (isOpTriviallyDead(op) ||
          (isa<linalg::LinalgOp>(op) && op->use_empty())) {
        op->erase();
        changed = true;
        break;
      }
  }
}

/// Gives an op, whose block has arguments to match, other inputs.
static void replaceInputs(GenericOp op, ArrayRef<Value> inputs,
                          ArrayRef<AffineMap> maps) {
  OpBuilder builder(op);
  auto replacement =
      GenericOp::create(builder, op.getLoc(), op->getResultTypes(), inputs,
                        op.getDpsInits(), maps, op.getIteratorTypesArray());
  replacement.getRegion().takeBody(op.getRegion());
  if (isSampled(op))
    setSampled(replacement);
  op->replaceAllUsesWith(replacement->getResults());
  op.erase();
}

/// Whether an op still knows its pattern and the extents of its loops without
/// input number `dropped`.
static bool canDrop(GenericOp op, ArrayRef<Value> inputs,
                    ArrayRef<AffineMap> maps, unsigned dropped) {
  bool patternKnown = !isSampled(op) || !isSparse(inputs[dropped]) ||
                      isSparse(op.getDpsInits()[0]);
  for (auto [i, input] : llvm::enumerate(inputs))
    patternKnown |= i != dropped && isSparse(input);
  SmallVector<AffineMap> rest(maps);
  rest.erase(rest.begin() + dropped);
  return patternKnown &&
         inversePermutation(concatAffineMaps(rest, op.getContext()));
}

/// Drops inputs that the payload does not read and those given twice.
static void tidyInputs(GenericOp op) {
  SmallVector<Value> inputs = op.getDpsInputs();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned count = inputs.size();
  for (unsigned i = count; i-- > 0;) {
    BlockArgument element = op.getBlock()->getArgument(i);
    for (unsigned j = 0; j < i; ++j)
      if (inputs[j] == inputs[i] && maps[j] == maps[i])
        element.replaceAllUsesWith(op.getBlock()->getArgument(j));
    if (!element.use_empty() || !canDrop(op, inputs, maps, i))
      continue;
    op.getBlock()->eraseArgument(i);
    inputs.erase(inputs.begin() + i);
    maps.erase(maps.begin() + i);
  }
  if (inputs.size() != count)
    replaceInputs(op, inputs, maps);
}

/// Whether fusing the producer of a consumer's operand computes nothing twice:
/// it is elementwise over the same loops and nobody else reads it.
static bool isWorthFusing(OpOperand &operand) {
  auto consumer = dyn_cast<GenericOp>(operand.getOwner());
  auto producer = operand.get().getDefiningOp<GenericOp>();
  return consumer && producer && consumer.isDpsInput(&operand) &&
         producer->hasOneUse() && producer.getNumReductionLoops() == 0 &&
         producer.getNumLoops() == consumer.getNumLoops() &&
         consumer.getMatchingIndexingMap(&operand).isPermutation() &&
         linalg::areElementwiseOpsFusable(&operand);
}

static bool fuseOneElementwise(func::FuncOp program) {
  IRRewriter rewriter(program.getContext());
  for (auto consumer : program.getOps<GenericOp>())
    for (OpOperand &operand : consumer->getOpOperands()) {
      if (!isWorthFusing(operand))
        continue;
      auto producer = operand.get().getDefiningOp<GenericOp>();
      bool sampled = isSampled(producer) || isSampled(consumer);
      rewriter.setInsertionPoint(consumer);
      auto fused = linalg::fuseElementwiseOps(rewriter, &operand);
      if (failed(fused))
        continue;
      if (sampled)
        setSampled(cast<GenericOp>(fused->fusedOp));
      for (OpResult result : consumer->getResults())
        result.replaceAllUsesWith(fused->replacements.lookup(result));
      consumer.erase();
      producer.erase();
      return true;
    }
  return false;
}

void tsgu::simplifyProgram(func::FuncOp program) {
  IRRewriter rewriter(program.getContext());
  RewritePatternSet ours(program.getContext());
  LeastSquaresOp::getCanonicalizationPatterns(ours, program.getContext());
  FrozenRewritePatternSet patterns(std::move(ours));
  do {
    traceExtents(program);
    // Also folds constants and removes dead ops, payloads included.
    (void)applyPatternsGreedily(program, patterns);
    DominanceInfo dominance(program);
    eliminateCommonSubExpressions(rewriter, dominance, program);
    eraseDeadOps(program);
    for (GenericOp op : llvm::make_early_inc_range(program.getOps<GenericOp>()))
      tidyInputs(op);
    eraseDeadOps(program);
  } while (fuseOneElementwise(program));
}

namespace {

/// Matches values of one payload against the term of another op whose loops are
/// those of its result, and finds which loop stands for which.
struct ElementMatcher {
  GenericOp definition, reader;
  DenseMap<unsigned, unsigned> loops; // of the definition -> of the reader

  ElementMatcher(GenericOp definition, GenericOp reader)
      : definition(definition), reader(reader) {}

  bool matchMaps(AffineMap defined, AffineMap read) {
    for (auto [x, y] :
         llvm::zip_equal(defined.getResults(), read.getResults())) {
      unsigned from = cast<AffineDimExpr>(x).getPosition();
      unsigned to = cast<AffineDimExpr>(y).getPosition();
      if (!loops.try_emplace(from, to).second && loops[from] != to)
        return false;
    }
    return true;
  }

  bool match(Value defined, Value read) {
    auto a = dyn_cast<BlockArgument>(defined),
         b = dyn_cast<BlockArgument>(read);
    if (a && b) {
      OpOperand &x = definition->getOpOperand(a.getArgNumber());
      OpOperand &y = reader->getOpOperand(b.getArgNumber());
      return reader.isDpsInput(&y) && x.get() == y.get() &&
             matchMaps(definition.getMatchingIndexingMap(&x),
                       reader.getMatchingIndexingMap(&y));
    }
    if (a || b)
      return false;
    Operation *p = defined.getDefiningOp(), *q = read.getDefiningOp();
    if (p->getName() != q->getName() || p->getNumRegions() != 0 ||
        p->getAttrDictionary() != q->getAttrDictionary() ||
        p->getNumOperands() != q->getNumOperands())
      return false;
    return llvm::all_of(
        llvm::zip(p->getOperands(), q->getOperands()),
        [&](auto pair) { return match(std::get<0>(pair), std::get<1>(pair)); });
  }
};

} // namespace

/// Adds an input to an op and lets its element replace a value of the payload.
static void addInput(GenericOp op, Value tensor, AffineMap map,
                     Value replaced) {
  SmallVector<Value> inputs = op.getDpsInputs();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value element = op.getBlock()->insertArgument(
      inputs.size(), getElementTypeOrSelf(tensor), op.getLoc());
  replaced.replaceAllUsesWith(element);
  maps.insert(maps.end() - 1, map);
  inputs.push_back(tensor);
  replaceInputs(op, inputs, maps);
}

/// Replaces one such part of one payload; false if there is none.
static bool reuseOnce(func::FuncOp program, GenericOp definition, Value term,
                      AffineMap resultMap, Value held) {
  for (auto reader : program.getOps<GenericOp>()) {
    if (reader == definition)
      continue;
    for (Operation &inner : reader.getBlock()->without_terminator()) {
      ElementMatcher matcher(definition, reader);
      if (inner.getNumResults() != 1 || inner.use_empty() ||
          !matcher.match(term, inner.getResult(0)))
        continue;
      SmallVector<AffineExpr> indices;
      for (AffineExpr result : resultMap.getResults())
        indices.push_back(getAffineDimExpr(
            matcher.loops.at(cast<AffineDimExpr>(result).getPosition()),
            program.getContext()));
      AffineMap map = AffineMap::get(reader.getNumLoops(), 0, indices,
                                     program.getContext());
      addInput(reader, held, map, inner.getResult(0));
      return true;
    }
  }
  return false;
}

void tsgu::reuseResult(func::FuncOp program, GenericOp definition, Value held) {
  if (definition.getNumReductionLoops() != 0)
    return;
  Value term = definition.getBlock()->getTerminator()->getOperand(0);
  AffineMap resultMap = definition.getIndexingMapsArray().back();
  if (!term.getDefiningOp() || !resultMap.isPermutation())
    return;
  while (reuseOnce(program, definition, term, resultMap, held))
    ;
}

namespace {
struct Simplify : tsgu::impl::SimplifyBase<Simplify> {
  void runOnOperation() override { simplifyProgram(getOperation()); }
};
} // namespace
