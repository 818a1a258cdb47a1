//===- VectorEmitter.cpp - Writing loop bodies at vector width ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/VectorEmitter.h"
#include "kernels/ComplexVectors.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tsgu;
using vector::CombiningKind;

void VectorEmitter::emitShared() {
  for (Operation *op : body.ops)
    if (!body.varying.contains(op))
      builder.clone(*op, scalars);
}

/// The value in every lane: that of each iteration, or copies of a shared one.
Value VectorEmitter::widen(Value value) {
  if (Value known = vectors.lookup(value))
    return known;
  Location loc = body.getLoop().getLoc();
  VectorType type = getLanesType(value.getType(), chunk.lanes);
  if (value == body.getLoop().getInductionVar()) {
    Value step = vector::StepOp::create(builder, loc, type);
    Value base = vector::BroadcastOp::create(builder, loc, type, chunk.base);
    return vectors[value] = arith::AddIOp::create(builder, loc, base, step);
  }
  Value &copies = broadcasts[{value, chunk.lanes}];
  if (copies)
    return copies;
  Value scalar = scalars.lookupOrDefault(value);
  TypedAttr constant;
  if (matchPattern(scalar, m_Constant(&constant)))
    return copies = buildSplat(builder, loc, constant, chunk.lanes);
  if (isComplex(scalar.getType()))
    return copies = broadcastComplex(builder, loc, scalar, chunk.lanes);
  return copies = vector::BroadcastOp::create(builder, loc, type, scalar);
}

/// Coordinates at vector width. Those of 32 bits stay so where nothing is
/// multiplied with them: they are not negative, and gathers take them as they
/// are.
Value VectorEmitter::widenCoordinate(Value index) {
  Value raw = index;
  while (Operation *op = raw.getDefiningOp()) {
    if (!body.varying.contains(op) ||
        !isa<arith::IndexCastOp, arith::ExtUIOp, arith::ExtSIOp>(op))
      break;
    raw = op->getOperand(0);
  }
  return widen(raw.getType().isInteger(32) ? raw : index);
}

/// The value in one iteration, which others compute along with it.
Value VectorEmitter::emitLane(Value value, Value iteration) {
  if (value == body.getLoop().getInductionVar())
    return iteration;
  if (!body.isVarying(value))
    return scalars.lookupOrDefault(value);
  Operation *op = value.getDefiningOp();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(emitLane(operand, iteration));
  return clone(builder, op, op->getResultTypes(), operands)->getResult(0);
}

/// Lanes that are loaded one by one.
Value VectorEmitter::emitLanes(memref::LoadOp load) {
  Location loc = load.getLoc();
  SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < chunk.lanes; ++lane) {
    Value number = arith::ConstantIndexOp::create(builder, loc, lane);
    lanes.push_back(emitLane(
        load, arith::AddIOp::create(builder, loc, chunk.base, number)));
  }
  return vector::FromElementsOp::create(
      builder, loc, VectorType::get({chunk.lanes}, load.getType()), lanes);
}

/// A load whose place in one dimension is a coordinate: a gather.
Value VectorEmitter::emitGather(memref::LoadOp load) {
  if (!chunk.mask && chunk.lanes > VectorBody::mostGathered)
    return emitLanes(load);
  Location loc = load.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value base = scalars.lookupOrDefault(load.getMemRef());
  Value coordinates;
  MemRefType type = load.getMemRefType();
  if (type.getRank() == 1 && type.isLastDimUnitStride())
    coordinates = widenCoordinate(load.getIndices()[0]);
  else
    std::tie(base, coordinates) = flatten(load, base);
  Value mask = chunk.mask ? chunk.mask
                          : buildMask(builder, loc, chunk.lanes, chunk.lanes);
  Value none = buildSplat(builder, loc, builder.getZeroAttr(load.getType()),
                          chunk.lanes);
  return vector::GatherOp::create(
      builder, loc, VectorType::get({chunk.lanes}, load.getType()), base,
      ValueRange{zero}, coordinates, mask, none);
}

/// A memref as a line of elements, and the places in it that a load reads.
std::pair<Value, Value> VectorEmitter::flatten(memref::LoadOp load,
                                               Value memref) {
  Location loc = load.getLoc();
  auto line = memref::ExtractStridedMetadataOp::create(builder, loc, memref);
  Value start = line.getOffset(), extent, coordinates;
  for (auto [index, stride, size] :
       llvm::zip_equal(load.getIndices(), line.getStrides(), line.getSizes())) {
    if (!body.isVarying(index)) {
      Value shift = arith::MulIOp::create(
          builder, loc, scalars.lookupOrDefault(index), stride);
      start = arith::AddIOp::create(builder, loc, start, shift);
      continue;
    }
    extent = arith::MulIOp::create(builder, loc, size, stride);
    if (unitStrides) {
      coordinates = widenCoordinate(index);
    } else {
      Value steps = vector::BroadcastOp::create(
          builder, loc, VectorType::get({chunk.lanes}, builder.getIndexType()),
          stride);
      coordinates = arith::MulIOp::create(builder, loc, widen(index), steps);
    }
  }
  auto layout =
      StridedLayoutAttr::get(builder.getContext(), ShapedType::kDynamic, {1});
  OpFoldResult one = builder.getIndexAttr(1);
  Value flat = memref::ReinterpretCastOp::create(
      builder, loc,
      MemRefType::get({ShapedType::kDynamic}, load.getType(), layout),
      line.getBaseBuffer(), OpFoldResult(start), OpFoldResult(extent), one);
  return {flat, coordinates};
}

Value VectorEmitter::emitLoad(memref::LoadOp load) {
  if (load.getIndices().back() != body.getLoop().getInductionVar())
    return emitGather(load);
  SmallVector<Value> indices;
  for (Value index : load.getIndices().drop_back())
    indices.push_back(scalars.lookupOrDefault(index));
  indices.push_back(chunk.base);
  return buildLoad(builder, load.getLoc(),
                   scalars.lookupOrDefault(load.getMemRef()), indices, chunk);
}

void VectorEmitter::emitStore(memref::StoreOp store) {
  SmallVector<Value> indices;
  for (Value index : store.getIndices().drop_back())
    indices.push_back(scalars.lookupOrDefault(index));
  indices.push_back(chunk.base);
  buildStore(builder, store.getLoc(), widen(store.getValueToStore()),
             scalars.lookupOrDefault(store.getMemRef()), indices, chunk);
}

Value VectorEmitter::emitScalar(Operation &op) {
  SmallVector<Value> operands;
  for (Value operand : op.getOperands()) {
    // The first term of a reduction is its value.
    auto argument = dyn_cast<BlockArgument>(operand);
    if (argument && operand != body.getLoop().getInductionVar() &&
        argument.getOwner() == body.getLoop().getBody() &&
        !vectors.lookup(operand))
      return widen(op.getOperand(op.getOperand(0) == operand ? 1 : 0));
    operands.push_back(widen(operand));
  }
  if (isReducedNumber(op))
    return buildCombine(builder, op.getLoc(),
                        isa<arith::MaxNumFOp>(op) ? CombiningKind::MAXNUMF
                                                  : CombiningKind::MINNUMF,
                        operands[0], operands[1]);
  if (Value lanes = buildComplexLanes(builder, op, operands))
    return lanes;
  auto type = VectorType::get({chunk.lanes}, op.getResult(0).getType());
  return clone(builder, &op, TypeRange{type}, operands)->getResult(0);
}

/// Whether an op is the maximum or minimum of numbers that a reduction carries.
bool VectorEmitter::isReducedNumber(Operation &op) const {
  return isa<arith::MaxNumFOp, arith::MinNumFOp>(op) &&
         llvm::is_contained(body.getLoop().getYieldedValues(), op.getResult(0));
}

void VectorEmitter::emitOps() {
  for (Operation *op : body.ops) {
    if (!body.varying.contains(op))
      continue;
    if (auto load = dyn_cast<memref::LoadOp>(op)) {
      bool inRegister = held && load == body.outputLoad;
      vectors[load] = inRegister ? held : emitLoad(load);
    } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
      if (held)
        held = widen(store.getValueToStore());
      else
        emitStore(store);
    } else {
      vectors[op->getResult(0)] = emitScalar(*op);
    }
  }
}

SmallVector<Value> VectorEmitter::emit(const Chunk &next,
                                       ArrayRef<Value> carried) {
  chunk = next;
  held = {};
  vectors.clear();
  scf::ForOp loop = body.getLoop();
  for (auto [argument, value] :
       llvm::zip_equal(loop.getRegionIterArgs(), carried))
    if (value)
      vectors[argument] = value;
  emitOps();
  SmallVector<Value> results;
  for (auto [i, before] : llvm::enumerate(carried)) {
    Value after = vectors.lookup(loop.getYieldedValues()[i]);
    // Lanes beyond the end keep what they hold.
    if (chunk.mask)
      after = arith::SelectOp::create(
          builder, loop.getLoc(),
          isComplex(loop.getResult(i).getType())
              ? buildMaskOfParts(builder, loop.getLoc(), chunk.mask)
              : chunk.mask,
          after,
          before ? before
                 : buildSplat(builder, loop.getLoc(),
                              getNeutral(body.getCombiner(i)), chunk.lanes));
    results.push_back(after);
  }
  return results;
}

Value VectorEmitter::emitUpdate(const Chunk &next, Value output) {
  chunk = next;
  held = output;
  vectors.clear();
  emitOps();
  return held;
}

void VectorEmitter::emitGiven(const Chunk &next, Value given) {
  chunk = next;
  held = {};
  vectors.clear();
  vectors[body.given] = given;
  emitOps();
}
