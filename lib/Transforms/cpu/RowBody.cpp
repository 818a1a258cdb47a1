//===- RowBody.cpp - What a loop over rows does with its row --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cpu/RowBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace tsgu;

bool tsgu::isStore(Operation *op) {
  return isa<memref::StoreOp, vector::StoreOp, vector::MaskedStoreOp>(op);
}

LoadedIndex::LoadedIndex(memref::LoadOp load) : ops{load} {
  auto isCast = [](Operation *op) {
    return isa<arith::ExtUIOp, arith::IndexCastOp>(op);
  };
  Value value = load;
  for (; value.hasOneUse() && isCast(*value.user_begin());
       value = ops.back()->getResult(0))
    ops.push_back(*value.user_begin());
  if (value.getType().isIndex())
    index = value;
}

LogicalResult RowBody::findBounds() {
  for (auto load : nest.body()->getOps<memref::LoadOp>()) {
    if (load.getMemRef() != positions)
      continue;
    Value row = load.getIndices()[0];
    auto next = row.getDefiningOp<arith::AddIOp>();
    const bool isEnd = next && isConstantIntValue(next.getRhs(), 1) &&
                       isFlatRow(nest, next.getLhs());
    LoadedIndex bound(load);
    Value &known = isEnd ? end : begin;
    if (known || !bound.index || !(isEnd || isFlatRow(nest, row)))
      return failure();
    known = bound.index;
    bounds.insert_range(bound.ops);
  }
  return success(begin && end);
}

RowBody::Kind RowBody::classify(Operation &op) const {
  auto is = [&](unsigned operand, Kind kind) {
    return kindOf(op.getOperand(operand)) == kind;
  };
  if (isa<arith::AddIOp, arith::SubIOp>(op)) {
    const bool sum = isa<arith::AddIOp>(op);
    if ((is(0, Shifts) && is(1, Shared)) ||
        (sum && is(0, Shared) && is(1, Shifts)))
      return Shifts;
    if (!sum && is(0, Shifts) && is(1, Shifts))
      return Shared;
  }
  if (isa<memref::LoadOp, vector::LoadOp>(op) &&
      op.getOperand(0) == coordinates && is(1, Shifts))
    return Shared;
  const bool reads = !isPure(&op);
  if (reads && llvm::any_of(op.getOperands(), [&](Value operand) {
        return isa<MemRefType>(operand.getType()) &&
               !kernel.isReadOnly(operand);
      }))
    return Own;
  return llvm::all_of(op.getOperands(),
                      [&](Value v) { return kindOf(v) == Shared; })
             ? Shared
             : Own;
}

LogicalResult RowBody::visit(scf::ForOp loop) {
  const Kind kind = kindOf(loop.getLowerBound());
  if (kind == Own || kindOf(loop.getUpperBound()) != kind ||
      kindOf(loop.getStep()) != Shared)
    return failure();
  kinds[loop.getInductionVar()] = kind;
  carried = std::max<int64_t>(carried, loop.getNumRegionIterArgs());
  if (kind == Shifts && loop.getNumRegionIterArgs() == 0 && !storing)
    storing = loop;
  for (Value carried : loop.getRegionIterArgs())
    kinds[carried] = Own;
  for (Value result : loop.getResults())
    kinds[result] = Own;
  return visit(*loop.getBody());
}

LogicalResult RowBody::visit(Block &block) {
  for (Operation &op : block.without_terminator()) {
    if (isBound(&op))
      continue;
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      if (failed(visit(loop)))
        return failure();
      continue;
    }
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      if (kindOf(branch.getCondition()) != Shared ||
          branch.getNumResults() != 0)
        return failure();
      for (Region &region : branch->getRegions())
        if (!region.empty() && failed(visit(region.front())))
          return failure();
      continue;
    }
    const bool stores = isStore(&op);
    const bool loads = isa<memref::LoadOp, vector::LoadOp, vector::MaskedLoadOp,
                           vector::GatherOp>(op);
    if (op.getNumRegions() != 0 || !(stores || loads || isPure(&op)))
      return failure();
    const Kind kind = stores ? Own : classify(op);
    held += &block == nest.body() && kind == Own &&
            isa<vector::LoadOp, vector::MaskedLoadOp>(op);
    readsColumns |= loads && op.getOperand(0) == coordinates && kind == Shared;
    for (Value result : op.getResults())
      kinds[result] = kind;
  }
  return success();
}

LogicalResult RowBody::analyze(std::string &whyNot) {
  kinds[nest.rows.back().getInductionVar()] = Own;
  if (failed(findBounds()))
    return whyNot = "where entries of a row begin and end is not found",
           failure();
  kinds[begin] = kinds[end] = Shifts;
  if (failed(visit(*nest.body())))
    return whyNot = "rows are not gone through alike", failure();
  if (!readsColumns)
    return whyNot = "nothing depends on the column", failure();
  return success();
}

std::optional<int64_t> RowBody::getOffset(scf::ForOp loop,
                                          memref::LoadOp load) const {
  Value index = load.getIndices()[0];
  if (index == loop.getInductionVar())
    return 0;
  auto sum = index.getDefiningOp<arith::AddIOp>();
  return sum && sum.getLhs() == loop.getInductionVar()
             ? getConstantIntValue(sum.getRhs())
             : std::nullopt;
}

std::optional<int64_t> RowBody::getStep(scf::ForOp loop,
                                        int64_t blockColumns) const {
  std::optional<int64_t> step = getConstantIntValue(loop.getStep());
  if (loop.getLowerBound() != begin || !step || blockColumns % *step != 0)
    return std::nullopt;
  if (loop.getUpperBound() != end) { // end - (end - begin) % step?
    auto whole = loop.getUpperBound().getDefiningOp<arith::SubIOp>();
    auto rest =
        whole ? whole.getRhs().getDefiningOp<arith::RemUIOp>() : nullptr;
    auto count = rest ? rest.getLhs().getDefiningOp<arith::SubIOp>() : nullptr;
    if (!count || whole.getLhs() != end || count.getLhs() != end ||
        count.getRhs() != begin || !isConstantIntValue(rest.getRhs(), *step))
      return std::nullopt;
  }
  bool known = true;
  loop.walk([&](Operation *op) {
    if (isColumn(op)) {
      auto load = cast<memref::LoadOp>(op);
      std::optional<int64_t> offset = getOffset(loop, load);
      known &=
          offset && *offset >= 0 && *offset < *step && LoadedIndex(load).index;
    } else if (llvm::is_contained(op->getOperands(), coordinates)) {
      known = false;
    }
  });
  return known ? step : std::nullopt;
}
