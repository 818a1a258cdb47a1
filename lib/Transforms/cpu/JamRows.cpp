//===- JamRows.cpp - The rows of a block side by side ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In a block of rows that is full, all rows have as many entries, in the same
// columns. Values keep their order, that of single rows: those of the next row
// begin where this one's end. So
//
//   for i { for k in entries of row i { ... j = coordinates[k] ... } }
//
// becomes, with the positions and coordinates of blocks,
//
//   for blocks of rows {
//     if full { for blocks { for j in block { ... for each row: ... } } }
//     else    { for i in block { for k { ... } } }
//   }
//
// Nothing is padded: what is not full is computed row by row. What rows do is
// copied in its order, so that bits stay.
//
//===----------------------------------------------------------------------===//

#include "cpu/BlockEmitter.h"
#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

namespace tsgu {
#define GEN_PASS_DEF_JAMROWS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

/// Rewrites one kernel, and completes its stage in the manifest.
class RowJam {
public:
  RowJam(Kernel kernel, Stage &stage, Manifest &manifest, ElementType index,
         unsigned vectorBits)
      : kernel(kernel), stage(stage), manifest(manifest), index(index),
        vectorBits(vectorBits), builder(kernel.func.getContext()),
        loc(kernel.func.getLoc()) {
    auto blocks = kernel.func->getAttrOfType<DenseI64ArrayAttr>(blocksAttr);
    blockRows = blocks[0];
    blockColumns = blocks[1];
  }

  LogicalResult run(std::string &whyNot);
  Levels getLevels() const;

private:
  BlockArgument find(Argument::Role role);
  void addArguments();
  void rewrite(RowBody &body);
  int64_t countTogether(RowBody &body) const;
  void prefetch(Value begin, Value entries);
  void emitFull(RowBody &body, const BlockEmitter::Bounds &bounds);

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  Kernel kernel;
  Stage &stage;
  Manifest &manifest;
  const ElementType index;
  const unsigned vectorBits;
  OpBuilder builder;
  Location loc;
  int64_t blockRows, blockColumns;
  BlockArgument positions, columns; ///< Of blocks.
};

} // namespace

/// The argument with the indices of the last level of the layout by rows.
BlockArgument RowJam::find(Argument::Role role) {
  const int32_t layout = stage.partition.weightLayout;
  const auto last =
      static_cast<int32_t>(manifest.layouts[layout].levels.size()) - 1;
  for (auto [number, argument] : llvm::enumerate(stage.arguments))
    if (argument.role == role && argument.layout == layout &&
        argument.level == last)
      return kernel.func.getArgument(number);
  return {};
}

Levels RowJam::getLevels() const {
  Levels levels = manifest.layouts[stage.partition.weightLayout].levels;
  Level *last = &levels.back();
  last[-1].block = static_cast<int32_t>(blockRows);
  last->block = static_cast<int32_t>(blockColumns);
  return levels;
}

/// Positions and coordinates of blocks, before the output.
void RowJam::addArguments() {
  LayoutInfo layout;
  layout.pattern = manifest.layouts[stage.partition.weightLayout].pattern;
  layout.levels = getLevels();
  layout.indexType = index;
  auto known = llvm::find_if(manifest.layouts, [&](const LayoutInfo &other) {
    return other.pattern == layout.pattern && other.levels == layout.levels;
  });
  const auto number = static_cast<int32_t>(known - manifest.layouts.begin());
  if (known == manifest.layouts.end())
    manifest.layouts.push_back(layout);

  const unsigned output = kernel.output.getArgNumber();
  auto type = MemRefType::get({ShapedType::kDynamic},
                              builder.getIntegerType(8 * elementSize(index)));
  for (Argument::Role role : {Argument::Coordinates, Argument::Positions}) {
    (void)kernel.func.insertArgument(output, type, {}, loc);
    Argument argument;
    argument.role = role;
    argument.layout = number;
    argument.level = static_cast<int32_t>(layout.levels.size()) - 1;
    stage.arguments.insert(stage.arguments.begin() + output, argument);
  }
  positions = kernel.func.getArgument(output);
  columns = kernel.func.getArgument(output + 1);
  kernel.func->setAttr(outputAttr, builder.getI64IntegerAttr(output + 2));
  for (SizeRef &size : stage.sizes)
    if (size.kind == SizeRef::Stride &&
        size.index >= static_cast<int32_t>(output))
      size.index += 2;
}

/// How many rows are computed at a time, so that registers hold what they
/// carry, a value for each, and what they share. Of loops that store entries,
/// each row has the sums of four at a time, and the vectors that it holds.
int64_t RowJam::countTogether(RowBody &body) const {
  const int64_t registers = vectorBits >= 512 ? 30 : 14;
  int64_t count = registers / (body.carried + 1);
  if (body.storing) {
    const bool inRegisters = body.held <= registers / 7;
    const int64_t most =
        blockRows * 7 <= registers ? blockRows : registers / 10;
    count = inRegisters ? (registers - 4) / (4 + body.held) : most;
  }
  return std::clamp<int64_t>(count, 1, blockRows);
}

/// Rows that are gone through side by side are several streams, close to each
/// other, which no processor sees coming: asks for the values of the next rows,
/// in their order, as far as they are few.
void RowJam::prefetch(Value begin, Value entries) {
  constexpr int64_t line = 64, lines = 64;
  for (auto [number, argument] : llvm::enumerate(stage.arguments)) {
    if (argument.role != Argument::Values || argument.written)
      continue;
    BlockArgument values = kernel.func.getArgument(number);
    Type element = cast<MemRefType>(values.getType()).getElementType();
    if (!element.isIntOrFloat())
      continue;
    const int64_t step = 8 * line / element.getIntOrFloatBitWidth();
    Value few =
        arith::MinUIOp::create(builder, loc, entries, constant(lines * step));
    auto loop = scf::ForOp::create(
        builder, loc, begin, arith::AddIOp::create(builder, loc, begin, few),
        constant(step));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    memref::PrefetchOp::create(builder, loc, values, loop.getInductionVar(),
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}

void RowJam::emitFull(RowBody &body, const BlockEmitter::Bounds &bounds) {
  BlockEmitter emitter(body, blockColumns, columns, bounds, builder);
  const int64_t groups = llvm::divideCeil(blockRows, countTogether(body));
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t first = blockRows * group / groups;
    emitter.emit(first, blockRows * (group + 1) / groups - first);
  }
}

void RowJam::rewrite(RowBody &body) {
  scf::ForOp old = body.nest.rows.back();
  builder.setInsertionPoint(old);
  Value rows = old.getUpperBound(), zero = constant(0), one = constant(1);
  Value height = constant(blockRows);
  auto add = [&](Value a, Value b) -> Value {
    return arith::AddIOp::create(builder, loc, a, b);
  };
  auto subtract = [&](Value a, Value b) -> Value {
    return arith::SubIOp::create(builder, loc, a, b);
  };
  auto multiply = [&](Value a, Value b) -> Value {
    return arith::MulIOp::create(builder, loc, a, b);
  };
  auto load = [&](Value indices, Value at) {
    return loadIndex(builder, loc, indices, at);
  };
  Value blocks = arith::DivUIOp::create(
      builder, loc, add(rows, constant(blockRows - 1)), height);
  auto loop = scf::ForOp::create(builder, loc, zero, blocks, one);
  builder.setInsertionPointToStart(loop.getBody());
  auto flat = [&](Value number, Value extent) {
    if (body.nest.rows.size() == 1)
      return number;
    return add(multiply(body.nest.rows[0].getInductionVar(), extent), number);
  };
  Value block = loop.getInductionVar();
  Value row = multiply(block, height), next = add(row, height);
  Value stop = arith::MinUIOp::create(builder, loc, next, rows);
  Value node = flat(block, blocks);
  BlockEmitter::Bounds bounds;
  bounds.row = row;
  bounds.begin = load(body.positions, flat(row, rows));
  bounds.first = load(positions, node);
  bounds.last = load(positions, add(node, one));
  Value nodes = subtract(bounds.last, bounds.first);
  bounds.length = multiply(nodes, constant(blockColumns));
  Value end = load(body.positions, flat(stop, rows));
  Value entries = subtract(end, bounds.begin);
  Value isFull = arith::AndIOp::create(
      builder, loc,
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ule, next,
                            rows),
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, entries,
                            multiply(bounds.length, height)));
  auto branch =
      scf::IfOp::create(builder, loc, isFull, /*withElseRegion=*/true);
  builder.setInsertionPointToStart(branch.thenBlock());
  prefetch(end, entries);
  emitFull(body, bounds);
  old->moveBefore(branch.elseBlock()->getTerminator());
  old.setLowerBound(row);
  old.setUpperBound(stop);
}

static constexpr int64_t leastHeld = 4;

LogicalResult RowJam::run(std::string &whyNot) {
  BlockArgument rowPositions = find(Argument::Positions);
  BlockArgument coordinates = find(Argument::Coordinates);
  std::optional<RowNest> nest =
      RowNest::find(kernel.func, stage.partition.loops.size());
  if (!nest || !rowPositions || !coordinates)
    return whyNot = "it has no loop over rows that reads columns", failure();
  RowBody body(kernel, *nest, rowPositions, coordinates);
  if (failed(body.analyze(whyNot)))
    return failure();
  // Entries that are stored across lines, of several rows in turns, cost more
  // than a few vectors that are loaded once.
  if (body.storing && body.held < leastHeld &&
      !body.getStep(body.storing, blockColumns))
    return whyNot = "entries are stored in other portions than those of "
                    "blocks, and vectors are short",
           failure();
  addArguments();
  rewrite(body);
  return success();
}

namespace {

struct JamRows : tsgu::impl::JamRowsBase<JamRows> {
  using JamRowsBase::JamRowsBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func->hasAttr(blocksAttr))
        kernels.push_back(func);
    if (kernels.empty())
      return;
    FailureOr<Manifest> manifest = getManifest(getOperation());
    if (failed(manifest))
      return signalPassFailure();
    for (func::FuncOp func : kernels)
      if (failed(jam(func, *manifest)))
        return signalPassFailure();
    setManifest(getOperation(), *manifest);
  }

  LogicalResult jam(func::FuncOp func, Manifest &manifest) {
    auto stage = llvm::find_if(manifest.stages, [&](const Stage &s) {
      return s.name == func.getName();
    });
    auto kernel = Kernel::get(func);
    auto blocks = func->getAttrOfType<DenseI64ArrayAttr>(blocksAttr);
    if (failed(kernel) || !*kernel || stage == manifest.stages.end() ||
        stage->partition.weightLayout < 0 || !blocks || blocks.size() != 2 ||
        blocks[0] < 2 || blocks[1] < 1)
      return func.emitError("has blocks that are not those of a stage");
    RowJam jam(**kernel, *stage, manifest,
               derivedIndex == 32 ? ElementType::I32 : ElementType::I64,
               vectorBits);
    std::string layout = print(jam.getLevels()), whyNot;
    if (succeeded(jam.run(whyNot)))
      remark::passed(func.getLoc(), remarkOn(**kernel, "JamRows"))
          << remark::add("rows of a block side by side")
          << remark::metric("Layout", layout);
    else
      remark::missed(func.getLoc(), remarkOn(**kernel, "JamRows"))
          << remark::reason("{0}", whyNot);
    func->removeAttr(blocksAttr);
    return success();
  }
};

} // namespace
