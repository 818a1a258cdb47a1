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

#include "programs/Simplify.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/ProgramSymbols.h"
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

/// Takes every extent from the first argument that has it. Which arguments a
/// derivative reads then follows from its values alone.
static void traceExtents(func::FuncOp program) {
  SmallVector<tensor::DimOp> extents;
  program.walk([&](tensor::DimOp op) {
    if (op.getConstantIndex())
      extents.push_back(op);
  });
  if (extents.empty())
    return;
  ProgramSymbols symbols(program);
  DenseMap<int32_t, std::pair<Value, int64_t>> origin;
  for (BlockArgument argument : program.getArguments())
    if (auto type = dyn_cast<RankedTensorType>(argument.getType()))
      for (auto [d, symbol] : llvm::enumerate(symbols.of(argument)))
        if (type.isDynamicDim(d))
          origin.try_emplace(symbol, argument, d);
  for (tensor::DimOp op : extents) {
    auto found =
        origin.find(symbols.of(op.getSource())[*op.getConstantIndex()]);
    if (found == origin.end())
      continue;
    auto [source, dim] = found->second;
    if (source == op.getSource() && dim == *op.getConstantIndex())
      continue;
    OpBuilder builder(op);
    op.replaceAllUsesWith(
        tensor::DimOp::create(builder, op.getLoc(), source, dim).getResult());
    op.erase();
  }
}

/// Readers come after what they read, so one pass from the end finds all.
static void eraseDeadOps(func::FuncOp program) {
  SmallVector<Operation *> ops;
  program.walk<WalkOrder::PreOrder>([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op) || (isa<linalg::LinalgOp>(op) && op->use_empty()))
      op->erase();
}

GenericOp tsgu::replaceInputs(GenericOp op, ArrayRef<Value> inputs,
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
  return replacement;
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
static GenericOp tidyInputs(GenericOp op) {
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
  return inputs.size() == count ? op : replaceInputs(op, inputs, maps);
}

/// Whether the two as one have a sparse tensor, if either is sampled at one's
/// entries: the producer's result is lost, which may be on its init's pattern.
static bool keepPattern(GenericOp producer, OpOperand &read) {
  auto consumer = cast<GenericOp>(read.getOwner());
  return !isSparse(read.get()) ||
         llvm::any_of(producer.getDpsInputs(),
                      [](Value input) { return isSparse(input); }) ||
         llvm::any_of(consumer->getOpOperands(), [&](OpOperand &other) {
           return &other != &read && isSparse(other.get());
         });
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
         keepPattern(producer, operand) &&
         linalg::areElementwiseOpsFusable(&operand);
}

GenericOp tsgu::fuseProducer(OpOperand &operand) {
  auto consumer = cast<GenericOp>(operand.getOwner());
  auto producer = operand.get().getDefiningOp<GenericOp>();
  bool sampled = isSampled(producer) || isSampled(consumer);
  IRRewriter rewriter(consumer);
  auto fusion = linalg::fuseElementwiseOps(rewriter, &operand);
  if (failed(fusion))
    return nullptr;
  auto fused = cast<GenericOp>(fusion->fusedOp);
  if (sampled)
    setSampled(fused);
  for (OpResult result : consumer->getResults())
    result.replaceAllUsesWith(fusion->replacements.lookup(result));
  consumer.erase();
  if (producer.use_empty())
    producer.erase();
  return fused;
}

/// Fuses into each op, in their order, what is worth it; false if nothing is.
static bool fuseElementwise(func::FuncOp program) {
  bool changed = false;
  for (GenericOp op : llvm::make_early_inc_range(program.getOps<GenericOp>()))
    while (true) {
      OpOperand *operand = llvm::find_if(op->getOpOperands(), isWorthFusing);
      GenericOp fused = operand == op->getOpOperands().end()
                            ? nullptr
                            : fuseProducer(*operand);
      if (!fused)
        break;
      op = tidyInputs(fused);
      changed = true;
    }
  return changed;
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
      (void)tidyInputs(op);
    eraseDeadOps(program);
  } while (fuseElementwise(program));
}

namespace {
struct Simplify : tsgu::impl::SimplifyBase<Simplify> {
  void runOnOperation() override { simplifyProgram(getOperation()); }
};
} // namespace
