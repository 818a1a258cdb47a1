//===- Panels.cpp - Panels of vector accumulators -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/Panels.h"
#include "kernels/VectorEmitter.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tsgu;

/// Copies a loop of the nest, carrying the accumulators through it.
static SmallVector<Value> cloneNest(Kernel kernel,
                                    const Accumulation &accumulation,
                                    scf::ForOp loop, OpBuilder &builder,
                                    IRMapping &mapping, ArrayRef<Chunk> panel,
                                    SmallVector<Value> values) {
  if (loop == accumulation.dense()) {
    VectorEmitter emitter(accumulation.body, builder, mapping);
    emitter.emitShared();
    for (auto [chunk, value] : llvm::zip_equal(panel, values))
      value = emitter.emitUpdate(chunk, value);
    return values;
  }
  auto copy = scf::ForOp::create(
      builder, loop.getLoc(), mapping.lookupOrDefault(loop.getLowerBound()),
      mapping.lookupOrDefault(loop.getUpperBound()),
      mapping.lookupOrDefault(loop.getStep()), values);
  mapping.map(loop.getInductionVar(), copy.getInductionVar());
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(copy.getBody());
    values.assign(copy.getRegionIterArgs().begin(),
                  copy.getRegionIterArgs().end());
    for (Operation &op : loop.getBody()->without_terminator()) {
      if (op.isAncestor(accumulation.dense()))
        values = cloneNest(kernel, accumulation, cast<scf::ForOp>(op), builder,
                           mapping, panel, std::move(values));
      else
        builder.clone(op, mapping);
    }
    scf::YieldOp::create(builder, loop.getLoc(), values);
  }
  // What the accumulators leave of 32 registers, less operands in flight.
  hoistInvariants(kernel, copy, 24 - std::min<size_t>(panel.size(), 20));
  return SmallVector<Value>(copy.getResults());
}

SmallVector<Value> tsgu::emitPanel(Kernel kernel,
                                   const Accumulation &accumulation,
                                   OpBuilder &builder, ArrayRef<Chunk> panel,
                                   SmallVector<Value> values) {
  IRMapping mapping;
  return cloneNest(kernel, accumulation, accumulation.reduction, builder,
                   mapping, panel, std::move(values));
}

namespace {

/// Writes the panels of one accumulation.
class PanelBuilder {
public:
  PanelBuilder(Kernel kernel, const Accumulation &accumulation,
               bool fromIdentity, unsigned vectorBits)
      : kernel(kernel), accumulation(accumulation), fromIdentity(fromIdentity),
        vectorBits(vectorBits), lanes(accumulation.body.getLanes(vectorBits)),
        builder(accumulation.reduction), loc(accumulation.dense().getLoc()) {}

  unsigned build() {
    auto extent = getStaticTripCount(accumulation.dense());
    unsigned accumulators = extent ? buildStatic(*extent) : buildDynamic();
    accumulation.reduction->erase();
    return accumulators;
  }

private:
  using Panel = SmallVector<Chunk>;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  /// As many as leave registers for the operands, or for other rows of a block.
  unsigned maxAccumulators() const {
    const unsigned most = vectorBits >= 512 ? 16 : 8;
    return kernel.func->hasAttr(blocksAttr) ? most / 2 : most;
  }

  unsigned buildStatic(int64_t extent);
  unsigned buildDynamic();
  Chunk buildLastChunk(int64_t base, int64_t active);
  void buildPanelLoop(Value from, Value to, int64_t chunks);
  void buildPanel(const Panel &panel);
  SmallVector<Value> getIndices(const Chunk &chunk);

  Kernel kernel;
  const Accumulation &accumulation;
  bool fromIdentity;
  unsigned vectorBits;
  int64_t lanes;
  OpBuilder builder;
  Location loc;
};

} // namespace

/// The last, partial chunk: the narrowest vector that holds it.
Chunk PanelBuilder::buildLastChunk(int64_t base, int64_t active) {
  int64_t narrowest = std::max<int64_t>(lanes * 128 / vectorBits, 2);
  int64_t width = std::min<int64_t>(
      lanes, std::max<int64_t>(narrowest, llvm::PowerOf2Ceil(active)));
  Value mask =
      width == active ? Value() : buildMask(builder, loc, active, width);
  return {constant(base), width, mask};
}

unsigned PanelBuilder::buildStatic(int64_t extent) {
  unsigned chunks = llvm::divideCeil(extent, lanes);
  unsigned panels =
      std::max<unsigned>(llvm::divideCeil(chunks, maxAccumulators()), 1);
  unsigned perPanel = llvm::divideCeil(chunks, panels);
  for (unsigned first = 0; first < chunks; first += perPanel) {
    Panel panel;
    for (unsigned i = first; i < std::min(first + perPanel, chunks); ++i) {
      int64_t base = i * lanes, active = std::min(lanes, extent - base);
      panel.push_back(active == lanes ? Chunk{constant(base), lanes, {}}
                                      : buildLastChunk(base, active));
    }
    buildPanel(panel);
  }
  return perPanel;
}

/// Panels at `from`, `from` + their width, ... below `to`.
void PanelBuilder::buildPanelLoop(Value from, Value to, int64_t chunks) {
  auto loop =
      scf::ForOp::create(builder, loc, from, to, constant(chunks * lanes));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Panel panel;
  for (int64_t i = 0; i < chunks; ++i)
    panel.push_back({arith::AddIOp::create(builder, loc, loop.getInductionVar(),
                                           constant(i * lanes)),
                     lanes,
                     {}});
  buildPanel(panel);
}

/// Wide panels, then narrower ones, then a masked one.
unsigned PanelBuilder::buildDynamic() {
  Value from = accumulation.dense().getLowerBound();
  Value to = accumulation.dense().getUpperBound();
  constexpr int64_t narrow = 4;
  for (int64_t chunks : {int64_t(maxAccumulators()), narrow}) {
    Value extent = arith::SubIOp::create(builder, loc, to, from);
    Value rest =
        arith::RemUIOp::create(builder, loc, extent, constant(chunks * lanes));
    Value end = arith::SubIOp::create(builder, loc, to, rest);
    buildPanelLoop(from, end, chunks);
    from = end;
  }
  Value some =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, from, to);
  auto last = scf::IfOp::create(builder, loc, some, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(last.thenBlock());
  auto maskType = VectorType::get({lanes}, builder.getI1Type());
  Panel panel;
  for (int64_t i = 0; i < narrow; ++i) {
    Value base = arith::AddIOp::create(builder, loc, from, constant(i * lanes));
    Value left = arith::SubIOp::create(builder, loc, to, base);
    Value mask = vector::CreateMaskOp::create(builder, loc, maskType, left);
    panel.push_back({base, lanes, mask});
  }
  buildPanel(panel);
  return maxAccumulators();
}

SmallVector<Value> PanelBuilder::getIndices(const Chunk &chunk) {
  SmallVector<Value> indices(
      accumulation.body.getOutputStore().getIndices().drop_back());
  indices.push_back(chunk.base);
  return indices;
}

void PanelBuilder::buildPanel(const Panel &panel) {
  SmallVector<Value> values;
  for (const Chunk &chunk : panel)
    values.push_back(
        fromIdentity
            ? buildSplat(builder, loc, kernel.identity, chunk.lanes)
            : buildLoad(builder, loc, kernel.output, getIndices(chunk), chunk));
  values = emitPanel(kernel, accumulation, builder, panel, std::move(values));
  for (auto [chunk, value] : llvm::zip_equal(panel, values))
    buildStore(builder, loc, value, kernel.output, getIndices(chunk), chunk);
}

unsigned tsgu::buildPanels(Kernel kernel, const Accumulation &accumulation,
                           bool fromIdentity, unsigned vectorBits) {
  return PanelBuilder(kernel, accumulation, fromIdentity, vectorBits).build();
}
