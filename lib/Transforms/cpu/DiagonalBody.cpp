//===- DiagonalBody.cpp - What rows along diagonals do ------------------- ===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cpu/DiagonalBody.h"
#include "cpu/RowBody.h"
#include "kernels/VectorBuilders.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace tsgu;

DiagonalBody::DiagonalBody(const BlockRows &rows, RowNest nest,
                           const VectorBody &entries)
    : nest(nest), entries(entries), kernel(rows.kernel),
      coordinates(rows.find(Argument::Coordinates)) {
  indices[nest.rows.back().getInductionVar()] = Row;
  indices[entries.getLoop().getInductionVar()] = Entry;
}

unsigned DiagonalBody::getMoving(ValueRange of) const {
  return llvm::find_if(of, [&](Value i) { return indices.contains(i); }) -
         of.begin();
}

bool DiagonalBody::visitAccess(Value memref, ValueRange at) {
  if (llvm::count_if(at, [&](Value i) { return isVarying(i); }) != 1)
    return false;
  const unsigned moving = getMoving(at);
  auto type = cast<MemRefType>(memref.getType());
  if (moving == at.size() || !type.getElementType().isIntOrFloat())
    return false;
  if (kindOf(at[moving]) == Entry)
    return at.size() == 1 && type.getLayout().isIdentity();
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  if (ShapedType::isDynamic(strides[moving]))
    strided.push_back({memref, moving});
  else if (strides[moving] != 1)
    return false;
  return true;
}

bool DiagonalBody::visitLoad(memref::LoadOp load) {
  if (load.getMemRef() == coordinates) {
    LoadedIndex column(load);
    if (load.getIndices()[0] != entries.getLoop().getInductionVar() ||
        !column.index)
      return false;
    indices[column.index] = Column;
    columnsOf.push_back(column.index);
    indexing.insert_range(column.ops);
    return true;
  }
  if (!kernel.isReadOnly(load.getMemRef()))
    return false;
  if (llvm::none_of(load.getIndices(), [&](Value i) { return isVarying(i); }))
    return true;
  if (!visitAccess(load.getMemRef(), load.getIndices()))
    return false;
  varying.insert(load);
  if (kindOf(load.getIndices()[0]) == Entry)
    values.push_back(load);
  return true;
}

bool DiagonalBody::visit(Operation &op) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return visitLoad(load);
  if (auto store = dyn_cast<memref::StoreOp>(op))
    return !indices.contains(store.getValueToStore()) &&
           visitAccess(store.getMemRef(), store.getIndices()) &&
           (kindOf(store.getIndices()[0]) == Entry) ==
               (store->getBlock() != nest.body());
  if (!isPure(&op) || op.getNumRegions() != 0)
    return false;
  auto isIndex = [&](Value v) { return indices.contains(v); };
  if (llvm::none_of(op.getOperands(), [&](Value v) { return isVarying(v); }))
    return true;
  if (isa<arith::AddIOp>(op) &&
      llvm::count_if(op.getOperands(), isIndex) == 1) {
    const unsigned at = isIndex(op.getOperand(0)) ? 0 : 1;
    indices[op.getResult(0)] = *kindOf(op.getOperand(at));
    return !varying.contains(op.getOperand(1 - at));
  }
  if (llvm::any_of(op.getOperands(), isIndex) ||
      !OpTrait::hasElementwiseMappableTraits(&op) || op.getNumResults() != 1 ||
      !llvm::all_of(op.getResultTypes(), VectorType::isValidElementType))
    return false;
  varying.insert_range(op.getResults());
  return true;
}

LogicalResult DiagonalBody::visit(Block &block) {
  for (Operation &op : block.without_terminator()) {
    if (isIndexing(op))
      continue;
    if (&op != entries.getLoop()) {
      if (!visit(op))
        return failure();
      continue;
    }
    varying.insert_range(entries.getLoop().getRegionIterArgs());
    if (failed(visit(*entries.getLoop().getBody())))
      return failure();
    varying.insert_range(entries.getLoop().getResults());
  }
  return success();
}

std::optional<DiagonalBody> DiagonalBody::analyze(const BlockRows &rows,
                                                  RowNest nest,
                                                  std::string &whyNot) {
  auto refuse = [&](StringRef why) {
    whyNot = why;
    return std::nullopt;
  };
  auto found = findEntries(nest);
  if (!found ||
      found->second.begin.getMemRef() != rows.find(Argument::Positions))
    return refuse("there is no loop through a row's entries alone");
  auto [loop, bounds] = *found;
  if (llvm::any_of(loop.getResultTypes(), llvm::IsaPred<VectorType>))
    return refuse("a row has several columns");
  auto entries = VectorBody::analyze(rows.kernel, loop, whyNot);
  if (failed(entries))
    return std::nullopt;
  if (!entries->needsLongRows())
    return refuse("little depends on the column");
  if ((loop.getNumResults() == 0) != bool(entries->getOutputStore()))
    return refuse("entries are stored and reduced at once");
  for (auto [i, init] : llvm::enumerate(loop.getInitArgs()))
    if (entries->getKind(i) != vector::CombiningKind::ADD ||
        !startsNeutral(entries->getCombiner(i), init))
      return refuse("rows are reduced otherwise than by sums");
  DiagonalBody body(rows, nest, *entries);
  for (memref::LoadOp load : {bounds.begin, bounds.end})
    body.indexing.insert_range(LoadedIndex(load).ops);
  for (Value bound : {loop.getLowerBound(), loop.getUpperBound()})
    if (!bound.hasOneUse() || !body.isIndexing(*bound.getDefiningOp()))
      return refuse("where a row's entries begin and end matters");
  if (failed(body.visit(*nest.body())))
    return refuse("rows are not gone through alike");
  return body;
}

Value DiagonalBody::buildCondition(OpBuilder &builder) const {
  Value all;
  llvm::SmallSetVector<std::pair<Value, unsigned>, 4> once(strided.begin(),
                                                           strided.end());
  for (auto [memref, dimension] : once) {
    Location loc = memref.getLoc();
    auto line = memref::ExtractStridedMetadataOp::create(builder, loc, memref);
    Value isOne = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::eq, line.getStrides()[dimension],
        arith::ConstantIndexOp::create(builder, loc, 1));
    all = all ? arith::AndIOp::create(builder, loc, all, isOne) : isOne;
  }
  return all;
}
