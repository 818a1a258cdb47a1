//===- LaneLoops.cpp - Loops shared by lanes ------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes without a column of their own compute the last one again, lanes without
// an entry of their own the first one of all, and neither store: so all threads
// of a warp meet at its shuffles, and no load needs a condition.
//
//===----------------------------------------------------------------------===//

#include "device/LaneLoops.h"
#include "kernels/VectorEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace tsgu;

/// Vectors that each lane accumulates of rows of unknown length.
constexpr int64_t dynamicChunks = 4;
/// Entries that a lane has in flight.
constexpr int64_t unrolledEntries = 4;

DenseCut DenseCut::get(scf::ForOp dense, Type element, unsigned alignment) {
  DenseCut cut;
  cut.elements =
      std::max<int64_t>(8 * alignment / element.getIntOrFloatBitWidth(), 1);
  auto extent = getStaticTripCount(dense);
  while (extent && *extent % cut.elements != 0)
    cut.elements /= 2;
  cut.vectors = extent ? *extent / cut.elements : 0;
  return cut;
}

namespace {

/// Short names for what is built again and again.
struct IndexBuilder {
  OpBuilder &builder;
  Location loc;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value add(Value a, Value b) {
    return arith::AddIOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubIOp::create(builder, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulIOp::create(builder, loc, a, b);
  }
  Value min(Value a, Value b) {
    return arith::MinSIOp::create(builder, loc, a, b);
  }
  Value max(Value a, Value b) {
    return arith::MaxSIOp::create(builder, loc, a, b);
  }
  Value shiftLeft(Value a, Value b) {
    return arith::ShLIOp::create(builder, loc, a, b);
  }
  Value shiftRight(Value a, Value b) {
    return arith::ShRUIOp::create(builder, loc, a, b);
  }
  Value less(Value a, Value b) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, a, b);
  }
  Value both(Value a, Value b) {
    return arith::AndIOp::create(builder, loc, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
};

} // namespace

/// Each lane takes every E-th of the entries, none where the group has no row.
static void shareEntries(const LaneRow &row, scf::ForOp entries) {
  OpBuilder builder(entries);
  IndexBuilder index{builder, entries.getLoc()};
  Value begin = entries.getLowerBound();
  Value end = index.select(row.active, entries.getUpperBound(), begin);
  entries.setLowerBound(index.add(begin, row.lanes.entry));
  entries.setUpperBound(end);
  entries.setStep(row.lanes.entryLanes);
}

/// Appends a copy of the loop's body for `at`; returns what it yields.
static SmallVector<Value> cloneBody(OpBuilder &builder, scf::ForOp loop,
                                    Value at, ValueRange carried) {
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), at);
  mapping.map(loop.getRegionIterArgs(), carried);
  for (Operation &op : loop.getBody()->without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> yielded;
  for (Value value : loop.getYieldedValues())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}

static scf::ForOp
buildLoop(OpBuilder &builder, Location loc, Value from, Value to, Value step,
          ValueRange inits,
          function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(builder, loc, from, to, step, inits);
  OpBuilder::InsertionGuard guard(builder);
  if (inits.empty())
    loop.getBody()->getTerminator()->erase();
  builder.setInsertionPointToEnd(loop.getBody());
  scf::YieldOp::create(builder, loc,
                       body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return loop;
}

/// What is left of a reduction, at once: fewer than `times` entries from `rest`
/// on. Those behind the end are the last one again, and are not counted.
static scf::IfOp buildRest(IndexBuilder index, scf::ForOp loop, Value rest,
                           int64_t times, ValueRange carried) {
  OpBuilder &builder = index.builder;
  Location loc = index.loc;
  Value end = loop.getUpperBound();
  auto some = scf::IfOp::create(builder, loc, carried.getTypes(),
                                index.less(rest, end), true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(some.elseBlock());
  scf::YieldOp::create(builder, loc, carried);
  builder.setInsertionPointToStart(some.thenBlock());
  Value last = index.sub(end, index.constant(1));
  SmallVector<Value> values = cloneBody(builder, loop, rest, carried);
  for (int64_t i = 1; i + 1 < times; ++i) {
    rest = index.add(rest, loop.getStep());
    Value inside = index.less(rest, end);
    SmallVector<Value> next =
        cloneBody(builder, loop, index.min(rest, last), values);
    for (auto [value, counted] : llvm::zip_equal(values, next))
      value = index.select(inside, counted, value);
  }
  scf::YieldOp::create(builder, loc, values);
  return some;
}

/// Several entries at a time, so that their loads overlap; then the rest. The
/// order of each lane's entries stays.
static void unroll(const LaneGroup &lanes, scf::ForOp loop,
                   int64_t times = unrolledEntries) {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  IndexBuilder index{builder, loc};
  Value begin = loop.getLowerBound(), end = loop.getUpperBound();
  Value step = loop.getStep();
  Value wide = index.mul(step, index.constant(times));
  Value wideEnd = index.sub(end, index.sub(wide, step));
  auto many = buildLoop(builder, loc, begin, wideEnd, wide, loop.getInitArgs(),
                        [&](Value at, ValueRange carried) {
                          SmallVector<Value> values(carried);
                          for (int64_t i = 0; i < times; ++i) {
                            values = cloneBody(builder, loop, at, values);
                            at = index.add(at, step);
                          }
                          return values;
                        });
  // Shifts instead of divisions: the step is a power of two.
  Value shift = index.constant(llvm::Log2_64(times));
  if (lanes.entryLog)
    shift = index.add(shift, lanes.entryLog);
  Value length = index.max(index.sub(wideEnd, begin), index.constant(0));
  Value steps = index.shiftRight(
      index.add(length, index.sub(wide, index.constant(1))), shift);
  Value rest = index.add(begin, index.shiftLeft(steps, shift));
  Operation *after =
      loop.getNumResults() > 0
          ? buildRest(index, loop, rest, times, many.getResults())
          : buildLoop(builder, loc, rest, end, step, {},
                      [&](Value at, ValueRange) {
                        return cloneBody(builder, loop, at, {});
                      })
                .getOperation();
  loop.replaceAllUsesWith(after->getResults());
  loop.erase();
}

void tsgu::mapEntries(const LaneRow &row, scf::ForOp entries) {
  shareEntries(row, entries);
  unroll(row.lanes, entries);
}

void tsgu::mapReduction(const LaneRow &row, scf::ForOp entries) {
  SmallVector<vector::CombiningKind> kinds;
  for (Value yielded : entries.getYieldedValues())
    kinds.push_back(*getCombiningKind(yielded.getDefiningOp()));
  shareEntries(row, entries);
  OpBuilder builder(entries->getContext());
  builder.setInsertionPointAfter(entries);
  for (auto [result, kind] : llvm::zip_equal(entries.getResults(), kinds)) {
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : result.getUses())
      uses.push_back(&use);
    Value reduced =
        row.lanes.reduceByEntries(builder, entries.getLoc(), kind, result);
    for (OpOperand *use : uses)
      use->set(reduced);
  }
  unroll(row.lanes, entries);
}

//===----------------------------------------------------------------------===//
// Dense rows
//===----------------------------------------------------------------------===//

namespace {

/// Vectors of a dense row that one lane holds, and whether each is its own.
struct LaneChunks {
  SmallVector<Chunk> chunks;
  SmallVector<Value> own; ///< Null: always.
};

} // namespace

/// The chunks from vector number `first` on; `last` is where the row's last
/// vector begins, null if every lane has a vector in every chunk.
static LaneChunks placeChunks(IndexBuilder index, const LaneGroup &lanes,
                              const DenseCut &cut, int64_t count, Value from,
                              Value last) {
  LaneChunks placed;
  Value lane = index.mul(lanes.dense, index.constant(cut.elements));
  if (from)
    lane = index.add(from, lane);
  for (int64_t i = 0; i < count; ++i) {
    Value base =
        index.add(lane, index.constant(i * lanes.denseLanes * cut.elements));
    bool whole =
        !last || (cut.vectors && (i + 1) * lanes.denseLanes <= cut.vectors);
    placed.own.push_back(
        whole ? Value() : index.less(base, index.add(last, index.constant(1))));
    placed.chunks.push_back(
        {whole ? base : index.min(base, last), cut.elements, {}});
  }
  return placed;
}

static void storeOwn(const LaneRow &row, OpBuilder &builder,
                     const Accumulation &accumulation, const LaneChunks &placed,
                     ValueRange values) {
  Location loc = accumulation.dense().getLoc();
  IndexBuilder index{builder, loc};
  Value may = index.both(row.active, row.lanes.isFirstByEntries(builder, loc));
  for (auto [chunk, own, value] :
       llvm::zip_equal(placed.chunks, placed.own, values)) {
    auto guarded = scf::IfOp::create(builder, loc,
                                     own ? index.both(may, own) : may, false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(guarded.thenBlock());
    SmallVector<Value> indices(
        accumulation.body.getOutputStore().getIndices().drop_back());
    indices.push_back(chunk.base);
    buildStore(builder, loc, value, row.kernel.output, indices, chunk);
  }
}

static void accumulate(const LaneRow &row, OpBuilder &builder,
                       const Accumulation &accumulation,
                       const LaneChunks &placed, bool byEntries) {
  Location loc = accumulation.dense().getLoc();
  Operation *combiner =
      accumulation.body.getOutputStore().getValueToStore().getDefiningOp();
  SmallVector<Value> values;
  for (const Chunk &chunk : placed.chunks)
    values.push_back(
        buildSplat(builder, loc, row.kernel.identity, chunk.lanes));
  values = emitPanel(row.kernel, accumulation, builder, placed.chunks,
                     std::move(values));
  auto loop = values[0].getDefiningOp<scf::ForOp>();
  if (byEntries)
    for (Value &value : values)
      value = row.lanes.reduceByEntries(builder, loc,
                                        *getCombiningKind(combiner), value);
  storeOwn(row, builder, accumulation, placed, values);
  if (byEntries)
    unroll(row.lanes, loop);
}

void tsgu::mapAccumulation(const LaneRow &row, const Accumulation &accumulation,
                           const DenseCut &cut, bool byEntries) {
  OpBuilder builder(accumulation.reduction);
  IndexBuilder index{builder, accumulation.dense().getLoc()};
  if (byEntries)
    shareEntries(row, accumulation.reduction);
  builder.setInsertionPoint(accumulation.reduction);
  Value last = index.sub(accumulation.dense().getUpperBound(),
                         index.constant(cut.elements));
  if (cut.vectors) {
    int64_t count = llvm::divideCeil(cut.vectors, row.lanes.denseLanes);
    accumulate(row, builder, accumulation,
               placeChunks(index, row.lanes, cut, count, {}, last), byEntries);
  } else {
    int64_t width = dynamicChunks * row.lanes.denseLanes * cut.elements;
    auto panels = scf::ForOp::create(builder, index.loc, index.constant(0),
                                     accumulation.dense().getUpperBound(),
                                     index.constant(width));
    builder.setInsertionPointToStart(panels.getBody());
    accumulate(row, builder, accumulation,
               placeChunks(index, row.lanes, cut, dynamicChunks,
                           panels.getInductionVar(), last),
               byEntries);
  }
  accumulation.reduction->erase();
}

//===----------------------------------------------------------------------===//
// Products of rows, sampled at the entries
//===----------------------------------------------------------------------===//

/// This lane's part of the reduction of a dense row.
static Value emitDot(const LaneGroup &lanes, OpBuilder &builder,
                     const VectorBody &dot, const DenseCut &cut,
                     IRMapping &mapping) {
  scf::ForOp loop = dot.getLoop();
  Location loc = loop.getLoc();
  IndexBuilder index{builder, loc};
  Value extent = mapping.lookupOrDefault(loop.getUpperBound());
  VectorEmitter emitter(dot, builder, mapping);
  emitter.emitShared();
  Value sum =
      buildSplat(builder, loc, getNeutral(dot.getCombiner(0)), cut.elements);
  if (cut.vectors) {
    Value last = index.sub(extent, index.constant(cut.elements));
    int64_t count = llvm::divideCeil(cut.vectors, lanes.denseLanes);
    LaneChunks placed = placeChunks(index, lanes, cut, count, {}, last);
    for (auto [chunk, own] : llvm::zip_equal(placed.chunks, placed.own)) {
      Value next = emitter.emit(chunk, sum)[0];
      sum = own ? index.select(own, next, sum) : next;
    }
  } else {
    Value first = index.mul(lanes.dense, index.constant(cut.elements));
    Value step = index.constant(lanes.denseLanes * cut.elements);
    auto chunks = buildLoop(builder, loc, first, extent, step, sum,
                            [&](Value base, ValueRange carried) {
                              return emitter.emit({base, cut.elements, {}},
                                                  SmallVector<Value>(carried));
                            });
    sum = chunks.getResult(0);
  }
  return buildReduction(builder, loc, dot.getKind(0), sum, false);
}

/// Copies the body of the loop over entries, the dot shared by columns; stores
/// only where `may` says.
static void emitEntry(const LaneRow &row, OpBuilder &builder,
                      scf::ForOp entries, const VectorBody &dot,
                      const DenseCut &cut, Value at, Value may) {
  IRMapping mapping;
  mapping.map(entries.getInductionVar(), at);
  for (Operation &op : entries.getBody()->without_terminator()) {
    if (&op == dot.getLoop()) {
      Value part = emitDot(row.lanes, builder, dot, cut, mapping);
      part =
          row.lanes.reduceByColumns(builder, op.getLoc(), dot.getKind(0), part);
      mapping.map(op.getResult(0), part);
    } else if (isa<memref::StoreOp>(op) && may) {
      auto guarded = scf::IfOp::create(builder, op.getLoc(), may, false);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(guarded.thenBlock());
      builder.clone(op, mapping);
    } else {
      builder.clone(op, mapping);
    }
  }
}

/// Rounds of the loop until every group of the warp is through its row.
static Value countRounds(const LaneRow &row, IndexBuilder index, Value begin,
                         Value end) {
  Value length = index.sub(end, begin);
  if (row.lanes.entryLog)
    length = index.shiftRight(
        index.add(length, index.sub(row.lanes.entryLanes, index.constant(1))),
        row.lanes.entryLog);
  Type i32 = index.builder.getI32Type();
  Value rounds =
      arith::IndexCastOp::create(index.builder, index.loc, i32, length);
  rounds = buildWarpMaximum(index.builder, index.loc, rounds);
  return arith::IndexCastOp::create(index.builder, index.loc,
                                    index.builder.getIndexType(), rounds);
}

void tsgu::mapDots(const LaneRow &row, scf::ForOp entries,
                   const VectorBody &dot, const DenseCut &cut) {
  OpBuilder builder(entries);
  Location loc = entries.getLoc();
  IndexBuilder index{builder, loc};
  scf::ForOp mapped;
  if (row.lanes.denseLanes == 1) {
    shareEntries(row, entries);
    builder.setInsertionPoint(entries);
    mapped = buildLoop(builder, loc, entries.getLowerBound(),
                       entries.getUpperBound(), entries.getStep(), {},
                       [&](Value at, ValueRange) {
                         emitEntry(row, builder, entries, dot, cut, at, {});
                         return SmallVector<Value>();
                       });
  } else {
    Value begin = entries.getLowerBound();
    Value end = index.select(row.active, entries.getUpperBound(), begin);
    Value rounds = countRounds(row, index, begin, end);
    Value zero = index.constant(0), one = index.constant(1);
    Value first = index.add(begin, row.lanes.entry);
    mapped = buildLoop(
        builder, loc, zero, rounds, one, {}, [&](Value round, ValueRange) {
          Value at = index.add(first, index.mul(round, row.lanes.entryLanes));
          Value inside = index.less(at, end);
          Value may =
              index.both(inside, row.lanes.isFirstByColumns(builder, loc));
          // Somebody has an entry, so there is a first one.
          emitEntry(row, builder, entries, dot, cut,
                    index.select(inside, at, zero), may);
          return SmallVector<Value>();
        });
  }
  hoistInvariants(row.kernel, mapped, 8);
  entries.erase();
  // Lanes with few vectors of an entry have several entries in flight instead.
  if (row.lanes.denseLanes == 1 && cut.vectors &&
      2 * cut.vectors <= unrolledEntries)
    unroll(row.lanes, mapped,
           unrolledEntries / llvm::PowerOf2Ceil(cut.vectors));
}
