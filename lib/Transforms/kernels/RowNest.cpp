//===- RowNest.cpp - Kernels that go through rows -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/RowNest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace tsgu;

/// The only loop of a block whose other ops are pure; null if there is none.
static scf::ForOp getOnlyLoop(Block &block) {
  scf::ForOp only;
  for (Operation &op : block.without_terminator()) {
    auto loop = dyn_cast<scf::ForOp>(op);
    if (loop ? static_cast<bool>(only) : !isPure(&op))
      return {};
    if (loop)
      only = loop;
  }
  return only;
}

static bool countsFromZero(scf::ForOp loop) {
  return isConstantIntValue(loop.getLowerBound(), 0) && hasUnitStep(loop) &&
         loop.getNumRegionIterArgs() == 0;
}

std::optional<RowNest> RowNest::find(func::FuncOp kernel, unsigned loops) {
  RowNest nest;
  Block *block = &kernel.getBody().front();
  for (unsigned i = 0; i < loops; ++i) {
    scf::ForOp loop = getOnlyLoop(*block);
    if (!loop || !countsFromZero(loop) ||
        (i > 0 && !nest.rows[0].isDefinedOutsideOfLoop(loop.getUpperBound())))
      return std::nullopt;
    nest.rows.push_back(loop);
    block = loop.getBody();
  }
  if (loops == 0)
    return std::nullopt;
  for (auto loop : nest.body()->getOps<scf::ForOp>())
    if (loop->hasAttr(entriesAttr))
      nest.entries = loop;
  return nest;
}

static memref::LoadOp getLoadBehindCasts(Value value) {
  Operation *op = value.getDefiningOp();
  while (
      isa_and_nonnull<arith::IndexCastOp, arith::ExtUIOp, arith::ExtSIOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return dyn_cast_or_null<memref::LoadOp>(op);
}

bool tsgu::isFlatRow(RowNest &nest, Value value) {
  Value row = nest.rows.back().getInductionVar();
  if (nest.rows.size() == 1)
    return value == row;
  auto sum = value.getDefiningOp<arith::AddIOp>();
  if (!sum || (sum.getLhs() != row && sum.getRhs() != row))
    return false;
  Value other = sum.getLhs() == row ? sum.getRhs() : sum.getLhs();
  auto product = other.getDefiningOp<arith::MulIOp>();
  return product && product.getLhs() == nest.rows.front().getInductionVar() &&
         product.getRhs() == nest.rows.back().getUpperBound();
}

std::optional<std::pair<scf::ForOp, RowBounds>>
tsgu::findEntries(RowNest &nest) {
  std::optional<std::pair<scf::ForOp, RowBounds>> found;
  for (auto loop : nest.body()->getOps<scf::ForOp>()) {
    RowBounds bounds{getLoadBehindCasts(loop.getLowerBound()),
                     getLoadBehindCasts(loop.getUpperBound())};
    if (!bounds.begin || !bounds.end || !hasUnitStep(loop) ||
        bounds.begin.getMemRef() != bounds.end.getMemRef() ||
        bounds.begin.getIndices().size() != 1 ||
        !isFlatRow(nest, bounds.begin.getIndices()[0]))
      continue;
    auto next = bounds.end.getIndices()[0].getDefiningOp<arith::AddIOp>();
    if (!next || next.getLhs() != bounds.begin.getIndices()[0] ||
        !isConstantIntValue(next.getRhs(), 1))
      continue;
    if (found)
      return std::nullopt;
    found = {loop, bounds};
  }
  return found;
}
