//===- MapToGPU.cpp - Kernels spread over the threads of a device ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each iteration of the partitioned loops, a row, is computed by a group of
// threads: D lanes share the columns of dense rows, 16 bytes each at a time,
// and E lanes share the stored entries, E chosen at launch from the rows' mean
// length. Thread t belongs to group t / (D E); no group crosses a warp.
//
//===----------------------------------------------------------------------===//

#include "device/ExtendRows.h"
#include "device/LaneLoops.h"
#include "kernels/OutputUpdates.h"
#include "kernels/RowNest.h"
#include "kernels/VectorBuilders.h"
#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace tsgu {
#define GEN_PASS_DEF_MAPTOGPU
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

constexpr int32_t blockThreads = 128;
/// Vectors of a dense row that each lane multiplies: fewer lanes need fewer
/// shuffles.
constexpr int64_t vectorsPerDotLane = 4;

/// What the lanes of a group share.
enum class Sharing {
  Nothing,      ///< One thread has the row.
  Accumulation, ///< A dense row that entries are added up to.
  Dots,         ///< Entries, and the dense rows multiplied for each.
  Reduction,    ///< Entries that are reduced.
  Entries,      ///< Entries that are written one by one.
  Dense         ///< A dense row that is written.
};

/// Spreads one kernel over threads, in place.
class KernelMap {
public:
  KernelMap(Kernel kernel, Stage &stage, unsigned alignment)
      : kernel(kernel), stage(stage), alignment(alignment),
        builder(kernel.func.getContext()), loc(kernel.func.getLoc()) {}

  LogicalResult run();

private:
  FailureOr<StringRef> prepareRows(Sharing &sharing);
  Sharing chooseSharing();
  bool chooseAccumulation();
  bool chooseDots();
  bool chooseDense();
  bool writesEachEntry();
  bool carriesReductions();
  void mapSerial();
  void placeGroups();
  void mapRow(Sharing sharing);
  void mapDense();
  void guardStores();

  template <typename Op, typename... Args> Value op(Args... args) {
    return Op::create(builder, loc, args...).getResult();
  }
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  Kernel kernel;
  Stage &stage;
  unsigned alignment;
  OpBuilder builder;
  Location loc;
  RowNest nest;
  // Of Accumulation, of Dots and of Dense.
  SmallVector<Accumulation, 1> accumulations;
  std::optional<VectorBody> dot;
  scf::ForOp dense;
  DenseCut cut{1, 0};
  int64_t denseLanes = 1;
  bool byEntries = false;
  LaneRow row;
};

} // namespace

//===----------------------------------------------------------------------===//
// What to share
//===----------------------------------------------------------------------===//

static scf::ForOp getOnlyLoop(Block *block) {
  auto loops = block->getOps<scf::ForOp>();
  bool one = !loops.empty() && std::next(loops.begin()) == loops.end();
  return one ? *loops.begin() : scf::ForOp();
}

static int64_t powerUpTo(int64_t lanes) {
  return std::clamp<int64_t>(llvm::PowerOf2Ceil(lanes), 1, warpLanes);
}

bool KernelMap::chooseAccumulation() {
  if (accumulations.size() != 1 || !kernel.identity)
    return false;
  const Accumulation &only = accumulations[0];
  if (only.reduction->getBlock() != nest.body() ||
      !isConstantIntValue(only.dense().getLowerBound(), 0))
    return false;
  cut = DenseCut::get(only.dense(), kernel.identity.getType(), alignment);
  denseLanes = cut.vectors ? powerUpTo(cut.vectors) : warpLanes;
  Operation *combiner =
      only.body.getOutputStore().getValueToStore().getDefiningOp();
  byEntries = only.reduction == nest.entries &&
              startsNeutral(combiner, kernel.identity);
  return true;
}

/// Whether what the loop carries starts at the neutral element of a reduction,
/// so that each lane may reduce entries of its own.
bool KernelMap::carriesReductions() {
  scf::ForOp loop = nest.entries;
  for (auto [init, argument, yielded] :
       llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs(),
                       loop.getYieldedValues())) {
    Operation *combiner = yielded.getDefiningOp();
    if (!startsNeutral(combiner, init) || !argument.hasOneUse() ||
        *argument.user_begin() != combiner)
      return false;
  }
  return loop.getNumResults() > 0;
}

bool KernelMap::writesEachEntry() {
  bool each = nest.entries.getNumResults() == 0;
  kernel.func.walk([&](memref::StoreOp store) {
    each &= store->getBlock() == nest.entries.getBody() &&
            store.getIndices().size() == 1 &&
            store.getIndices()[0] == nest.entries.getInductionVar();
  });
  kernel.func.walk(
      [&](memref::LoadOp load) { each &= !kernel.isOutput(load.getMemRef()); });
  return each;
}

bool KernelMap::chooseDots() {
  scf::ForOp loop = getOnlyLoop(nest.entries.getBody());
  std::string whyNot;
  if (!loop || loop.getNumResults() != 1 ||
      !isConstantIntValue(loop.getLowerBound(), 0))
    return false;
  auto body = VectorBody::analyze(kernel, loop, whyNot);
  if (failed(body) || body->getGathers() || body->getOutputStore() ||
      !startsNeutral(body->getCombiner(0), loop.getInitArgs()[0]))
    return false;
  dot = *body;
  cut = DenseCut::get(loop, loop.getResult(0).getType(), alignment);
  denseLanes =
      cut.vectors ? powerUpTo(cut.vectors / vectorsPerDotLane) : warpLanes / 2;
  return true;
}

bool KernelMap::chooseDense() {
  dense = getOnlyLoop(nest.body());
  if (!dense || dense.getNumResults() != 0 || !hasUnitStep(dense))
    return false;
  bool consecutive = true;
  kernel.func.walk([&](memref::StoreOp store) {
    consecutive &= store->getBlock() == dense.getBody() &&
                   store.getIndices().back() == dense.getInductionVar();
  });
  kernel.func.walk([&](memref::LoadOp load) {
    consecutive &= !kernel.isOutput(load.getMemRef());
  });
  auto extent = getStaticTripCount(dense);
  denseLanes = consecutive ? powerUpTo(extent.value_or(warpLanes)) : 1;
  return consecutive;
}

Sharing KernelMap::chooseSharing() {
  accumulations = findAccumulations(kernel);
  if (chooseAccumulation())
    return Sharing::Accumulation;
  if (!accumulations.empty() || kernel.identity)
    return Sharing::Nothing;
  if (!nest.entries)
    return chooseDense() ? Sharing::Dense : Sharing::Nothing;
  byEntries = true;
  if (carriesReductions())
    return Sharing::Reduction;
  if (writesEachEntry())
    return chooseDots() ? Sharing::Dots : Sharing::Entries;
  byEntries = false;
  return Sharing::Nothing;
}

//===----------------------------------------------------------------------===//
// Groups of threads
//===----------------------------------------------------------------------===//

/// One thread does everything.
void KernelMap::mapSerial() {
  stage.device = {.blockThreads = blockThreads, .serial = true};
  Block &block = kernel.func.getBody().front();
  SmallVector<Operation *> ops;
  for (Operation &each : block.without_terminator())
    ops.push_back(&each);
  builder.setInsertionPointToStart(&block);
  Value either = op<arith::OrIOp>(op<gpu::ThreadIdOp>(gpu::Dimension::x),
                                  op<gpu::BlockIdOp>(gpu::Dimension::x));
  Value first =
      op<arith::CmpIOp>(arith::CmpIPredicate::eq, either, constant(0));
  auto guarded = scf::IfOp::create(builder, loc, first, false);
  for (Operation *each : ops)
    each->moveBefore(guarded.thenBlock()->getTerminator());
}

/// The loops' body takes the place of the loops; groups without a row get the
/// last one.
void KernelMap::placeGroups() {
  Value entryLog;
  if (byEntries) {
    entryLog =
        kernel.func.getBody().front().addArgument(builder.getIndexType(), loc);
    stage.sizes.push_back({SizeRef::EntryLanes, 0, 0});
  }
  builder.setInsertionPoint(nest.rows[0]);
  Value base = op<arith::MulIOp>(op<gpu::BlockIdOp>(gpu::Dimension::x),
                                 constant(blockThreads));
  Value thread =
      op<arith::AddIOp>(base, op<gpu::ThreadIdOp>(gpu::Dimension::x));
  row.kernel = kernel;
  row.lanes = LaneGroup::place(builder, loc, thread, denseLanes, entryLog);
  Value total = nest.rows[0].getUpperBound();
  if (nest.rows.size() == 2)
    total = op<arith::MulIOp>(total, nest.rows[1].getUpperBound());
  row.active =
      op<arith::CmpIOp>(arith::CmpIPredicate::slt, row.lanes.group, total);
  Value last = op<arith::SubIOp>(total, constant(1));
  Value number = op<arith::MinSIOp>(row.lanes.group, last);
  SmallVector<Value> indices{number};
  if (nest.rows.size() == 2) {
    Value count = nest.rows[1].getUpperBound();
    indices = {op<arith::DivUIOp>(number, count),
               op<arith::RemUIOp>(number, count)};
  }
  IRRewriter rewriter(kernel.func.getContext());
  for (auto [loop, index] : llvm::zip_equal(nest.rows, indices)) {
    rewriter.eraseOp(loop.getBody()->getTerminator());
    rewriter.inlineBlockBefore(loop.getBody(), loop, index);
    rewriter.eraseOp(loop);
  }
}

/// Each lane takes every D-th element, none where the group has no row.
void KernelMap::mapDense() {
  builder.setInsertionPoint(dense);
  Value begin = dense.getLowerBound();
  Value end = op<arith::SelectOp>(row.active, dense.getUpperBound(), begin);
  dense.setLowerBound(op<arith::AddIOp>(begin, row.lanes.dense));
  dense.setUpperBound(end);
  dense.setStep(constant(denseLanes));
}

/// Stores of a row's own are those of the group's first thread.
void KernelMap::guardStores() {
  SmallVector<Operation *> ops;
  for (Operation &each : kernel.func.getBody().front().without_terminator())
    if (isa<memref::StoreOp>(each))
      ops.push_back(&each);
  for (Operation *store : ops) {
    builder.setInsertionPoint(store);
    Value may = op<arith::AndIOp>(row.active, row.lanes.isFirst(builder, loc));
    auto guarded = scf::IfOp::create(builder, loc, may, false);
    store->moveBefore(guarded.thenBlock()->getTerminator());
  }
}

/// Nothing is shared: the thread leaves what follows out if it has no row.
static void guardRest(Operation *after, Value active) {
  OpBuilder builder(after->getContext());
  builder.setInsertionPointAfter(after);
  SmallVector<Operation *> ops;
  for (Operation *each = after->getNextNode();
       !each->hasTrait<OpTrait::IsTerminator>(); each = each->getNextNode())
    ops.push_back(each);
  auto guarded = scf::IfOp::create(builder, after->getLoc(), active, false);
  for (Operation *each : ops)
    each->moveBefore(guarded.thenBlock()->getTerminator());
}

void KernelMap::mapRow(Sharing sharing) {
  switch (sharing) {
  case Sharing::Nothing:
    return guardRest(row.active.getDefiningOp(), row.active);
  case Sharing::Accumulation:
    mapAccumulation(row, accumulations[0], cut, byEntries);
    kernel.func->removeAttr(identityAttr);
    break;
  case Sharing::Dots:
    mapDots(row, nest.entries, *dot, cut);
    break;
  case Sharing::Reduction:
    mapReduction(row, nest.entries);
    break;
  case Sharing::Entries:
    mapEntries(row, nest.entries);
    break;
  case Sharing::Dense:
    mapDense();
    break;
  }
  guardStores();
}

static StringRef describe(Sharing sharing) {
  switch (sharing) {
  case Sharing::Nothing:
    return "a thread for each row";
  case Sharing::Accumulation:
    return "lanes share a dense row of the output";
  case Sharing::Dots:
    return "lanes share the entries and the products of dense rows";
  case Sharing::Reduction:
    return "lanes share the entries of a reduction";
  case Sharing::Entries:
    return "lanes share the entries";
  case Sharing::Dense:
    return "lanes share a dense row";
  }
  llvm_unreachable("no sharing");
}

/// Finds the rows and fills them where lanes do not start from the identity.
/// Says why there are no rows to spread, if so.
FailureOr<StringRef> KernelMap::prepareRows(Sharing &sharing) {
  StringRef whyNot;
  auto found = RowNest::find(kernel.func, stage.partition.loops.size());
  if (!stage.partition.parallel)
    whyNot = "no loop is known to be parallel";
  else if (!found)
    whyNot = "there is more than the loops that are parallel";
  else {
    nest = *found;
    extendRows(kernel, stage, nest);
    sharing = chooseSharing();
  }
  if (!kernel.identity || sharing == Sharing::Accumulation)
    return whyNot;
  kernel.func->removeAttr(identityAttr);
  if (fillRows(kernel))
    return whyNot;
  if (failed(fill(kernel)))
    return kernel.func.emitError("found no way to fill the output");
  return whyNot.empty() ? "no row owns what it adds to" : whyNot;
}

LogicalResult KernelMap::run() {
  Sharing sharing = Sharing::Nothing;
  FailureOr<StringRef> whyNot = prepareRows(sharing);
  if (failed(whyNot))
    return failure();
  if (!whyNot->empty()) {
    remark::missed(loc, remarkOn(kernel, "MapToGPU"))
        << remark::reason("one thread does everything: {0}", *whyNot);
    mapSerial();
    return success();
  }
  placeGroups();
  mapRow(sharing);
  int64_t entryLanes = byEntries ? warpLanes / denseLanes : 1;
  stage.device = {.blockThreads = blockThreads,
                  .denseLanes = static_cast<int32_t>(denseLanes),
                  .entryLanes = static_cast<int32_t>(entryLanes)};
  remark::passed(loc, remarkOn(kernel, "MapToGPU"))
      << remark::add("{0}", describe(sharing))
      << remark::metric("lanes by columns", denseLanes)
      << remark::metric("lanes by entries", entryLanes);
  kernel.func.setType(builder.getFunctionType(
      kernel.func.getBody().front().getArgumentTypes(), {}));
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Vectors lie at multiples of their size: the launch sees to it.
static void alignVectors(gpu::GPUFuncOp func) {
  auto align = [](auto access) {
    auto type = access.getVectorType();
    access.setAlignment(type.getNumElements() * type.getElementTypeBitWidth() /
                        8);
  };
  func.walk([&](vector::LoadOp load) { align(load); });
  func.walk([&](vector::StoreOp store) { align(store); });
}

static void moveToDevice(func::FuncOp kernel, gpu::GPUModuleOp device) {
  OpBuilder builder = OpBuilder::atBlockEnd(device.getBody());
  auto func = gpu::GPUFuncOp::create(builder, kernel.getLoc(), kernel.getName(),
                                     kernel.getFunctionType());
  func->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                builder.getUnitAttr());
  func.setKnownBlockSizeAttr(
      builder.getDenseI32ArrayAttr({blockThreads, 1, 1}));
  func.getBody().getBlocks().clear();
  func.getBody().takeBody(kernel.getBody());
  Operation *end = func.getBody().front().getTerminator();
  builder.setInsertionPoint(end);
  gpu::ReturnOp::create(builder, end->getLoc());
  end->erase();
  kernel.erase();
  alignVectors(func);
}

namespace {

struct MapToGPU : tsgu::impl::MapToGPUBase<MapToGPU> {
  using MapToGPUBase::MapToGPUBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<Manifest> manifest = getManifest(module);
    if (failed(manifest))
      return signalPassFailure();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto device = gpu::GPUModuleOp::create(builder, module.getLoc(), "device");
    for (Stage &stage : manifest->stages) {
      auto func = module.lookupSymbol<func::FuncOp>(stage.name);
      if (!stage.isKernel() || !func)
        continue;
      auto kernel = Kernel::get(func);
      if (failed(kernel) || !*kernel ||
          failed(KernelMap(**kernel, stage, alignment).run()))
        return signalPassFailure();
      moveToDevice(func, device);
    }
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    builder.getUnitAttr());
    setManifest(module, *manifest);
  }
};

} // namespace
