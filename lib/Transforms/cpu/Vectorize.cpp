//===- Vectorize.cpp - Innermost loops at vector width --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Short loops of constant length are unrolled into chunks. Others become a loop
// over full chunks and one masked chunk. Chunks are counted from the loop's own
// start, so a row gives the same bits wherever its matrix is cut. Loops that do
// little but gather stay scalar for short rows, with several sums that need not
// wait for each other.
//
//===----------------------------------------------------------------------===//

#include "kernels/ComplexVectors.h"
#include "kernels/KernelLoops.h"
#include "kernels/VectorBody.h"
#include "kernels/VectorEmitter.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {
#define GEN_PASS_DEF_VECTORIZE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

/// Writes one loop at vector width before itself and takes its place.
class LoopBuilder {
public:
  LoopBuilder(const VectorBody &body, unsigned vectorBits)
      : body(body), loop(body.getLoop()), builder(loop), loc(loop.getLoc()),
        vectorBits(vectorBits), lanes(body.getChunk(vectorBits)) {}

  void build();

private:
  using Values = SmallVector<Value>;

  /// Unrolling beyond this costs more in instruction fetches than it saves.
  static constexpr int64_t maxChunks = 32;
  static constexpr int64_t apart = VectorBody::apart;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  Values choose(Value condition, llvm::function_ref<Values()> yes,
                llvm::function_ref<Values()> no);
  Value buildIsLong();
  Value buildHasUnitStrides();
  Values buildVectors();
  Values buildUnrolled(int64_t extent);
  Values buildLooped();
  Values buildChunks(Value from, Value to, int64_t unroll, Values carried);
  Values buildTail(Value from, Value to, Values carried);
  Values combineAccumulators(ArrayRef<Value> carried);
  Value endOfMultiple(Value from, int64_t multiple);
  IRMapping mapUnitStrides();
  Values buildScalars();
  Value reduce(unsigned i, Value vector);

  const VectorBody &body;
  scf::ForOp loop;
  OpBuilder builder;
  Location loc;
  unsigned vectorBits;
  int64_t lanes;
  IRMapping scalars;
  bool unitStrides = false;
};

} // namespace

/// Chunks of a loop of constant length. Reductions use one vector type for all.
SmallVector<Value> LoopBuilder::buildUnrolled(int64_t extent) {
  int64_t narrowest = std::max<int64_t>(lanes * 128 / vectorBits, 2);
  auto widthOf = [&](int64_t active) {
    return std::min<int64_t>(
        lanes, std::max<int64_t>(narrowest, llvm::PowerOf2Ceil(active)));
  };
  bool reduces = loop.getNumRegionIterArgs() != 0;
  int64_t common = widthOf(extent);
  VectorEmitter emitter(body, builder, scalars, unitStrides);
  Values carried(loop.getNumRegionIterArgs());
  for (int64_t base = 0; base < extent; base += common) {
    int64_t active = std::min(common, extent - base);
    int64_t width = reduces ? common : widthOf(active);
    Value mask =
        width == active ? Value() : buildMask(builder, loc, active, width);
    carried = emitter.emit({constant(base), width, mask}, carried);
  }
  return carried;
}

/// A loop over `unroll` chunks at a time, each with its own accumulators.
SmallVector<Value> LoopBuilder::buildChunks(Value from, Value to,
                                            int64_t unroll, Values carried) {
  auto chunks = scf::ForOp::create(builder, loc, from, to,
                                   constant(unroll * lanes), carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(chunks.getBody());
  VectorEmitter emitter(body, builder, scalars, unitStrides);
  Values results;
  size_t count = carried.size() / unroll;
  for (int64_t i = 0; i < unroll; ++i) {
    Value base = chunks.getInductionVar();
    if (i)
      base = arith::AddIOp::create(builder, loc, base, constant(i * lanes));
    Values own(chunks.getRegionIterArgs().slice(i * count, count));
    llvm::append_range(results, emitter.emit({base, lanes, {}}, own));
  }
  if (!carried.empty())
    scf::YieldOp::create(builder, loc, results);
  return Values(chunks.getResults());
}

/// The iterations that fill no chunk.
SmallVector<Value> LoopBuilder::buildTail(Value from, Value to,
                                          Values carried) {
  Value some =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, from, to);
  auto tail = scf::IfOp::create(builder, loc, ValueRange(carried).getTypes(),
                                some, /*withElseRegion=*/!carried.empty());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(tail.thenBlock());
  auto maskType = VectorType::get({lanes}, builder.getI1Type());
  Value left = arith::SubIOp::create(builder, loc, to, from);
  Value mask = vector::CreateMaskOp::create(builder, loc, maskType, left);
  VectorEmitter emitter(body, builder, scalars, unitStrides);
  Values results = emitter.emit({from, lanes, mask}, carried);
  if (carried.empty())
    return {};
  scf::YieldOp::create(builder, loc, results);
  builder.setInsertionPointToStart(tail.elseBlock());
  scf::YieldOp::create(builder, loc, carried);
  return Values(tail.getResults());
}

/// Combines several sets of accumulators pairwise into one.
SmallVector<Value> LoopBuilder::combineAccumulators(ArrayRef<Value> carried) {
  size_t count = loop.getNumRegionIterArgs();
  Values values(carried);
  while (values.size() > count) {
    size_t half = values.size() / 2;
    for (size_t i = 0; i < half; ++i)
      values[i] = buildCombine(builder, loc, body.getKind(i % count), values[i],
                               values[i + half]);
    values.resize(half);
  }
  return values;
}

/// Where the loop's last whole chunk of that many iterations ends.
Value LoopBuilder::endOfMultiple(Value from, int64_t multiple) {
  Value to = loop.getUpperBound();
  Value extent = arith::SubIOp::create(builder, loc, to, from);
  Value rest = arith::RemUIOp::create(builder, loc, extent, constant(multiple));
  return arith::SubIOp::create(builder, loc, to, rest);
}

/// What is gathered from, as a type that knows of the strides of 1. (A cast
/// would be folded away.)
IRMapping LoopBuilder::mapUnitStrides() {
  IRMapping mapping;
  if (!unitStrides)
    return mapping;
  for (memref::LoadOp load : body.getStridedGathers()) {
    auto line = memref::ExtractStridedMetadataOp::create(builder, loc,
                                                         load.getMemRef());
    SmallVector<OpFoldResult> strides = line.getConstifiedMixedStrides();
    for (auto [index, stride] : llvm::zip_equal(load.getIndices(), strides))
      if (!loop.isDefinedOutsideOfLoop(index))
        stride = builder.getIndexAttr(1);
    mapping.map(load.getMemRef(), memref::ReinterpretCastOp::create(
                                      builder, loc, line.getBaseBuffer(),
                                      line.getConstifiedMixedOffset(),
                                      line.getConstifiedMixedSizes(), strides));
  }
  return mapping;
}

/// The loop as it is; where it reduces, several iterations at a time.
SmallVector<Value> LoopBuilder::buildScalars() {
  const unsigned count = loop.getNumRegionIterArgs();
  const IRMapping memrefs = mapUnitStrides();
  if (count == 0) {
    IRMapping mapping = memrefs;
    return Values(builder.clone(*loop, mapping)->getResults());
  }
  Value from = loop.getLowerBound(), end = endOfMultiple(from, apart);
  Values starts(loop.getInitArgs());
  for (int64_t copy = 1; copy < apart; ++copy)
    for (unsigned i = 0; i < count; ++i)
      starts.push_back(arith::ConstantOp::create(
          builder, loc, cast<TypedAttr>(getNeutral(body.getCombiner(i)))));
  auto several =
      scf::ForOp::create(builder, loc, from, end, constant(apart), starts);
  Values sums;
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(several.getBody());
    for (int64_t copy = 0; copy < apart; ++copy) {
      IRMapping mapping = memrefs;
      mapping.map(loop.getInductionVar(),
                  arith::AddIOp::create(builder, loc, several.getInductionVar(),
                                        constant(copy)));
      mapping.map(loop.getRegionIterArgs(),
                  several.getRegionIterArgs().slice(copy * count, count));
      for (Operation &op : loop.getBody()->without_terminator())
        builder.clone(op, mapping);
      for (Value sum : loop.getYieldedValues())
        sums.push_back(mapping.lookupOrDefault(sum));
    }
    scf::YieldOp::create(builder, loc, sums);
  }
  sums = combineAccumulators(Values(several.getResults()));
  IRMapping mapping = memrefs;
  auto rest = cast<scf::ForOp>(builder.clone(*loop, mapping));
  rest.setLowerBound(end);
  rest.getInitArgsMutable().assign(sums);
  return Values(rest.getResults());
}

SmallVector<Value> LoopBuilder::buildLooped() {
  Value from = loop.getLowerBound(), to = loop.getUpperBound();
  Values carried;
  // Sums over dense rows are long: four accumulators hide the latency of
  // adding.
  bool dense = isConstantIntValue(from, 0);
  bool reduces = loop.getNumRegionIterArgs() != 0;
  int64_t unroll = dense && reduces && !body.needsLongRows() ? 4 : 1;
  for (int64_t copy = 0; copy < unroll; ++copy)
    for (unsigned i = 0; i < loop.getNumRegionIterArgs(); ++i)
      carried.push_back(
          buildSplat(builder, loc, getNeutral(body.getCombiner(i)), lanes));
  if (unroll > 1) {
    Value end = endOfMultiple(from, unroll * lanes);
    carried = combineAccumulators(buildChunks(from, end, unroll, carried));
    from = end;
  }
  Value end = endOfMultiple(from, lanes);
  carried = buildChunks(from, end, 1, carried);
  return buildTail(end, to, carried);
}

/// The scalar result of a reduction, its start included.
Value LoopBuilder::reduce(unsigned i, Value vector) {
  vector::CombiningKind kind = body.getKind(i);
  bool complexLanes = isComplex(loop.getResult(i).getType());
  Value result = buildReduction(builder, loc, kind, vector, complexLanes);
  Value init = loop.getInitArgs()[i];
  if (startsNeutral(body.getCombiner(i), init))
    return result;
  if (complexLanes)
    return createAdd(builder, loc, init, result);
  return vector::makeArithReduction(builder, loc, kind, init, result);
}

/// The loop's results, computed in chunks at the builder's place.
SmallVector<Value> LoopBuilder::buildVectors() {
  scalars.clear();
  VectorEmitter(body, builder, scalars).emitShared();
  auto extent = getStaticTripCount(loop);
  Values results = extent && *extent <= maxChunks * lanes
                       ? buildUnrolled(*extent)
                       : buildLooped();
  for (auto [i, result] : llvm::enumerate(results))
    result = reduce(i, result);
  return results;
}

SmallVector<Value> LoopBuilder::choose(Value condition,
                                       llvm::function_ref<Values()> yes,
                                       llvm::function_ref<Values()> no) {
  auto choice = scf::IfOp::create(builder, loc, loop.getResultTypes(),
                                  condition, /*withElseRegion=*/true);
  for (bool first : {true, false}) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(first ? choice.thenBlock()
                                           : choice.elseBlock());
    Values results = first ? yes() : no();
    if (!results.empty())
      scf::YieldOp::create(builder, loc, results);
  }
  return Values(choice.getResults());
}

Value LoopBuilder::buildIsLong() {
  Value count = arith::SubIOp::create(builder, loc, loop.getUpperBound(),
                                      loop.getLowerBound());
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, count,
                               constant(body.getLongRow()));
}

Value LoopBuilder::buildHasUnitStrides() {
  Value all;
  for (memref::LoadOp load : body.getStridedGathers()) {
    auto line = memref::ExtractStridedMetadataOp::create(builder, loc,
                                                         load.getMemRef());
    for (auto [dim, index] : llvm::enumerate(load.getIndices())) {
      if (loop.isDefinedOutsideOfLoop(index))
        continue;
      Value unit = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                         line.getStrides()[dim], constant(1));
      all = all ? arith::AndIOp::create(builder, loc, all, unit) : unit;
    }
  }
  return all;
}

void LoopBuilder::build() {
  auto anyLength = [&] {
    if (!body.needsLongRows())
      return buildVectors();
    return choose(
        buildIsLong(), [&] { return buildVectors(); },
        [&] { return buildScalars(); });
  };
  auto withStrides = [&](bool unit) {
    unitStrides = unit;
    return anyLength();
  };
  Values results =
      body.getStridedGathers().empty()
          ? anyLength()
          : choose(
                buildHasUnitStrides(), [&] { return withStrides(true); },
                [&] { return withStrides(false); });
  loop->replaceAllUsesWith(results);
  loop.erase();
}

namespace {

struct Vectorize : tsgu::impl::VectorizeBase<Vectorize> {
  using VectorizeBase::VectorizeBase;

  void runOnOperation() override {
    auto kernel = Kernel::get(getOperation());
    if (failed(kernel))
      return signalPassFailure();
    if (!*kernel)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      bool innermost = true;
      loop.getBody()->walk([&](LoopLikeOpInterface) { innermost = false; });
      if (innermost)
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      vectorize(**kernel, loop);
  }

  void vectorize(Kernel kernel, scf::ForOp loop) {
    // Loops that RegisterTile has rewritten are at vector width already.
    auto isVector = [](Type type) { return isa<VectorType>(type); };
    for (Operation &op : *loop.getBody())
      if (llvm::any_of(op.getOperandTypes(), isVector))
        return;
    std::string whyNot;
    Location loc = loop.getLoc();
    auto body = VectorBody::analyze(kernel, loop, whyNot);
    if (getStaticTripCount(loop).value_or(2) < 2)
      whyNot = "fewer than two iterations";
    if (!whyNot.empty()) {
      remark::missed(loc, remarkOn(kernel, "Vectorize"))
          << remark::reason("{0}", whyNot);
      return;
    }
    int64_t lanes = body->getChunk(vectorBits);
    auto outer = dyn_cast<scf::ForOp>(loop->getParentOp());
    bool longRows = body->needsLongRows();
    LoopBuilder(*body, vectorBits).build();
    if (outer)
      hoistInvariants(kernel, outer, /*maxVectors=*/16);
    remark::passed(loc, remarkOn(kernel, "Vectorize"))
        << remark::add(longRows ? "long rows are computed at vector width"
                                : "computed at vector width")
        << remark::metric("lanes", lanes);
  }
};

} // namespace
