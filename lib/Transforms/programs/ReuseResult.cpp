//===- ReuseResult.cpp - Reading what is at hand --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "programs/Simplify.h"

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;

/// The longest way from each value of a payload to an element or a constant.
static DenseMap<Value, unsigned> getHeights(GenericOp op) {
  DenseMap<Value, unsigned> heights;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    unsigned height = 0;
    for (Value operand : inner.getOperands())
      height = std::max(height, heights.lookup(operand));
    if (inner.getNumOperands() != 0)
      heights[inner.getResult(0)] = height + 1;
  }
  return heights;
}

/// Whether two ops compute the same of the same operands.
static bool isSameOp(Operation *p, Operation *q) {
  return p && q && p->getName() == q->getName() && p->getNumRegions() == 0 &&
         p->getAttrDictionary() == q->getAttrDictionary() &&
         p->getNumOperands() == q->getNumOperands();
}

namespace {

/// Matches values of one payload against the term of another op whose loops are
/// those of its result, and finds which loop stands for which.
class ElementMatcher {
public:
  ElementMatcher(GenericOp definition, GenericOp reader)
      : definition(definition), reader(reader),
        definedHeights(getHeights(definition)), heights(getHeights(reader)) {}

  bool match(Value defined, Value read);

  DenseMap<unsigned, unsigned> loops; // of the definition -> of the reader
  GenericOp definition, reader;

private:
  bool matchMaps(AffineMap defined, AffineMap read);
  bool matchElements(BlockArgument defined, BlockArgument read);

  DenseMap<Value, unsigned> definedHeights, heights;
};

} // namespace

bool ElementMatcher::matchMaps(AffineMap defined, AffineMap read) {
  for (auto [x, y] : llvm::zip_equal(defined.getResults(), read.getResults())) {
    unsigned from = cast<AffineDimExpr>(x).getPosition();
    unsigned to = cast<AffineDimExpr>(y).getPosition();
    if (!loops.try_emplace(from, to).second && loops[from] != to)
      return false;
  }
  return true;
}

bool ElementMatcher::matchElements(BlockArgument defined, BlockArgument read) {
  OpOperand &x = definition->getOpOperand(defined.getArgNumber());
  OpOperand &y = reader->getOpOperand(read.getArgNumber());
  return reader.isDpsInput(&y) && x.get() == y.get() &&
         matchMaps(definition.getMatchingIndexingMap(&x),
                   reader.getMatchingIndexingMap(&y));
}

bool ElementMatcher::match(Value defined, Value read) {
  loops.clear();
  DenseSet<std::pair<Value, Value>> seen;
  SmallVector<std::pair<Value, Value>> open{{defined, read}};
  while (!open.empty()) {
    auto [x, y] = open.pop_back_val();
    if (!seen.insert({x, y}).second)
      continue;
    auto a = dyn_cast<BlockArgument>(x), b = dyn_cast<BlockArgument>(y);
    if (a && b && matchElements(a, b))
      continue;
    if (a || b || definedHeights.lookup(x) != heights.lookup(y) ||
        !isSameOp(x.getDefiningOp(), y.getDefiningOp()))
      return false;
    for (auto [p, q] : llvm::zip(x.getDefiningOp()->getOperands(),
                                 y.getDefiningOp()->getOperands()))
      open.push_back({p, q});
  }
  // A term may not depend on all loops of its result.
  return loops.size() == definition.getNumLoops();
}

/// Adds an input to an op and lets its element replace a value of the payload.
static GenericOp addInput(GenericOp op, Value tensor, AffineMap map,
                          Value replaced) {
  SmallVector<Value> inputs = op.getDpsInputs();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value element = op.getBlock()->insertArgument(
      inputs.size(), getElementTypeOrSelf(tensor), op.getLoc());
  replaced.replaceAllUsesWith(element);
  maps.insert(maps.end() - 1, map);
  inputs.push_back(tensor);
  return replaceInputs(op, inputs, maps);
}

void tsgu::reuseResult(func::FuncOp program, GenericOp definition, Value held) {
  if (definition.getNumReductionLoops() != 0)
    return;
  Value term = definition.getBlock()->getTerminator()->getOperand(0);
  AffineMap resultMap = definition.getIndexingMapsArray().back();
  if (!term.getDefiningOp() || !resultMap.isPermutation())
    return;
  for (GenericOp op : llvm::make_early_inc_range(program.getOps<GenericOp>())) {
    if (op == definition)
      continue;
    ElementMatcher matcher(definition, op);
    for (Operation &inner : op.getBlock()->without_terminator()) {
      if (inner.getNumResults() != 1 || inner.use_empty() ||
          !matcher.match(term, inner.getResult(0)))
        continue;
      SmallVector<AffineExpr> indices;
      for (AffineExpr result : resultMap.getResults())
        indices.push_back(getAffineDimExpr(
            matcher.loops.at(cast<AffineDimExpr>(result).getPosition()),
            program.getContext()));
      AffineMap map = AffineMap::get(matcher.reader.getNumLoops(), 0, indices,
                                     program.getContext());
      matcher.reader = addInput(matcher.reader, held, map, inner.getResult(0));
    }
  }
}
