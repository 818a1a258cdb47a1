//===- LaneGroup.cpp - The threads that share a row -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/LaneGroup.h"
#include "kernels/VectorBody.h"
#include "kernels/VectorBuilders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tsgu;

LaneGroup LaneGroup::place(OpBuilder &builder, Location loc, Value thread,
                           int64_t denseLanes, Value entryLog) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto shiftRight = [&](Value value, Value by) -> Value {
    return arith::ShRUIOp::create(builder, loc, value, by);
  };
  LaneGroup lanes;
  lanes.denseLanes = denseLanes;
  lanes.entryLog = entryLog;
  lanes.dense =
      arith::AndIOp::create(builder, loc, thread, constant(denseLanes - 1));
  lanes.group = shiftRight(thread, constant(llvm::Log2_64(denseLanes)));
  lanes.entry = constant(0);
  lanes.entryLanes = constant(1);
  if (!entryLog)
    return lanes;
  lanes.entryLanes = arith::ShLIOp::create(builder, loc, constant(1), entryLog);
  Value mask =
      arith::SubIOp::create(builder, loc, lanes.entryLanes, constant(1));
  lanes.entry = arith::AndIOp::create(builder, loc, lanes.group, mask);
  lanes.group = shiftRight(lanes.group, entryLog);
  return lanes;
}

static Value isZero(OpBuilder &builder, Location loc, Value value) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, value,
                               zero);
}

Value LaneGroup::isFirst(OpBuilder &builder, Location loc) const {
  return isZero(builder, loc, arith::OrIOp::create(builder, loc, dense, entry));
}

Value LaneGroup::isFirstByColumns(OpBuilder &builder, Location loc) const {
  return isZero(builder, loc, dense);
}

Value LaneGroup::isFirstByEntries(OpBuilder &builder, Location loc) const {
  return isZero(builder, loc, entry);
}

/// The value of the lane whose number differs in the bits of `offset`.
static Value exchange(OpBuilder &builder, Location loc, Value value,
                      Value offset) {
  auto vector = dyn_cast<VectorType>(value.getType());
  Value width = arith::ConstantIntOp::create(builder, loc, warpLanes, 32);
  auto one = [&](Value element) {
    return gpu::ShuffleOp::create(builder, loc, element, offset, width,
                                  gpu::ShuffleMode::XOR)
        .getShuffleResult();
  };
  if (!vector)
    return one(value);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < vector.getNumElements(); ++i)
    elements.push_back(one(vector::ExtractOp::create(builder, loc, value, i)));
  return vector::FromElementsOp::create(builder, loc, vector, elements);
}

Value LaneGroup::reduceByColumns(OpBuilder &builder, Location loc,
                                 vector::CombiningKind kind,
                                 Value value) const {
  for (int64_t offset = 1; offset < denseLanes; offset *= 2) {
    Value bits = arith::ConstantIntOp::create(builder, loc, offset, 32);
    value = buildCombine(builder, loc, kind, value,
                         exchange(builder, loc, value, bits));
  }
  return value;
}

Value LaneGroup::reduceByEntries(OpBuilder &builder, Location loc,
                                 vector::CombiningKind kind,
                                 Value value) const {
  if (!entryLog)
    return value;
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  auto steps = scf::ForOp::create(builder, loc, zero, entryLog, one, value);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(steps.getBody());
  Value first = arith::ConstantIntOp::create(builder, loc, denseLanes, 32);
  Value step = arith::IndexCastOp::create(builder, loc, builder.getI32Type(),
                                          steps.getInductionVar());
  Value offset = arith::ShLIOp::create(builder, loc, first, step);
  Value held = steps.getRegionIterArg(0);
  held = buildCombine(builder, loc, kind, held,
                      exchange(builder, loc, held, offset));
  scf::YieldOp::create(builder, loc, held);
  return steps.getResult(0);
}

Value tsgu::buildWarpMaximum(OpBuilder &builder, Location loc, Value value) {
  for (int64_t offset = 1; offset < warpLanes; offset *= 2) {
    Value bits = arith::ConstantIntOp::create(builder, loc, offset, 32);
    value = arith::MaxSIOp::create(builder, loc, value,
                                   exchange(builder, loc, value, bits));
  }
  return value;
}
