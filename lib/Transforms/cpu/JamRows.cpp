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

#include "kernels/RowNest.h"
#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tsgu {
#define GEN_PASS_DEF_JAMROWS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

bool isStore(Operation *op) {
  return isa<memref::StoreOp, vector::StoreOp, vector::MaskedStoreOp>(op);
}

/// What leads from a load to the index that it is for.
struct LoadedIndex {
  SmallVector<Operation *, 3> ops; ///< The load and casts.
  Value index;                     ///< Null: the load is used otherwise.

  explicit LoadedIndex(memref::LoadOp load) : ops{load} {
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
};

/// What the body of a loop over rows does with the row it is for.
class RowBody {
public:
  /// The positions and coordinates are arguments of the kernel.
  RowBody(Kernel kernel, RowNest nest, BlockArgument positions,
          BlockArgument coordinates)
      : kernel(kernel), nest(nest), positions(positions),
        coordinates(coordinates) {}

  LogicalResult analyze(std::string &whyNot);

  /// Of all rows of a full block.
  enum Kind {
    Shared, ///< The same.
    Shifts, ///< Moved by the entries of a row from one to the next.
    Own
  };
  Kind kindOf(Value value) const {
    auto known = kinds.find(value);
    return known == kinds.end() ? Shared : known->second;
  }

  /// If the loop runs over all entries of the row, in steps that end with those
  /// of a block, where it loads the columns of which ones, from its own on.
  std::optional<int64_t> getStep(scf::ForOp loop, int64_t blockColumns) const;
  /// The entry after the loop's own of which this loads the column.
  std::optional<int64_t> getOffset(scf::ForOp loop, memref::LoadOp load) const;

  bool isColumn(Operation *op) const {
    auto load = dyn_cast<memref::LoadOp>(op);
    return load && load.getMemRef() == coordinates;
  }
  /// Loads of where the row's entries begin and end, and casts of these.
  bool isBound(Operation *op) const { return bounds.contains(op); }

  Kernel kernel;
  RowNest nest;
  BlockArgument positions, coordinates;
  Value begin, end;    ///< Of the row's entries.
  int64_t carried = 0; ///< At most, by a loop, for a row.
  scf::ForOp storing;  ///< The first loop over entries that carries nothing.
  int64_t held = 0;    ///< Vectors of a row that are loaded before its loops.

private:
  LogicalResult findBounds();
  LogicalResult visit(Block &block);
  LogicalResult visit(scf::ForOp loop);
  Kind classify(Operation &op) const;

  DenseMap<Value, Kind> kinds;
  DenseSet<Operation *> bounds;
  bool readsColumns = false;
};

} // namespace

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

namespace {

/// Writes the rows of a full block, or some of them, side by side.
class BlockEmitter {
public:
  /// What is known of the block of rows, at the builder's place.
  struct Bounds {
    Value row, begin, length; ///< Of the first row; its entries.
    Value first, last;        ///< The nodes of its blocks.
  };

  BlockEmitter(RowBody &body, int64_t blockColumns, Value columns,
               const Bounds &bounds, OpBuilder &builder)
      : body(body), blockColumns(blockColumns), columns(columns),
        bounds(bounds), builder(builder), loc(columns.getLoc()) {}

  void emit(int64_t first, int64_t count);

private:
  using Values = SmallVector<Value>;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value add(Value a, Value b) {
    return arith::AddIOp::create(builder, loc, a, b);
  }
  Value multiply(Value a, Value b) {
    return arith::MulIOp::create(builder, loc, a, b);
  }

  void emit(Block &block);
  void emit(scf::ForOp loop);
  void emit(scf::IfOp branch);
  void emitColumns(scf::ForOp loop, int64_t step, scf::ForOp copy);
  void setEntry(Value iterator, Value entry);
  void takeResults(Block &block, ValueRange targets, scf::ForOp copy);

  RowBody &body;
  const int64_t blockColumns;
  const Value columns; ///< Coordinates of blocks.
  const Bounds bounds;
  OpBuilder &builder;
  Location loc;
  SmallVector<IRMapping> rows;
  Values shifts; ///< Entries from those of the first row here to each row's.
  DenseSet<Operation *> known; ///< In a block: what would load columns.
};

} // namespace

void BlockEmitter::emit(int64_t first, int64_t count) {
  rows.assign(count, IRMapping());
  shifts.clear();
  Value begin = add(bounds.begin, multiply(bounds.length, constant(first)));
  for (int64_t i = 0; i < count; ++i) {
    shifts.push_back(multiply(bounds.length, constant(i)));
    Value own = add(begin, shifts.back());
    rows[i].map(body.nest.rows.back().getInductionVar(),
                add(bounds.row, constant(first + i)));
    rows[i].map(body.begin, own);
    rows[i].map(body.end, add(own, bounds.length));
  }
  emit(*body.nest.body());
}

void BlockEmitter::emit(Block &block) {
  SmallVector<Operation *> stores; ///< Row by row, as memory likes it.
  auto emitStores = [&] {
    for (IRMapping &row : rows)
      for (Operation *store : stores)
        builder.clone(*store, row);
    stores.clear();
  };
  for (Operation &op : block.without_terminator()) {
    if (body.isBound(&op) || known.contains(&op))
      continue;
    if (isStore(&op)) {
      stores.push_back(&op);
      continue;
    }
    emitStores();
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      emit(loop);
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      emit(branch);
    } else if (op.getNumResults() == 1 &&
               body.kindOf(op.getResult(0)) == RowBody::Shared) {
      Value copy = builder.clone(op, rows[0])->getResult(0);
      for (IRMapping &row : rows)
        row.map(op.getResult(0), copy);
    } else {
      for (IRMapping &row : rows)
        builder.clone(op, row);
    }
  }
  emitStores();
}

void BlockEmitter::emit(scf::IfOp branch) {
  auto copy = scf::IfOp::create(builder, branch.getLoc(),
                                rows[0].lookupOrDefault(branch.getCondition()),
                                !branch.getElseRegion().empty());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(copy.thenBlock());
  emit(*branch.thenBlock());
  if (branch.elseBlock()) {
    builder.setInsertionPointToStart(copy.elseBlock());
    emit(*branch.elseBlock());
  }
}

/// The entry of the first row that a loop is at, and so those of the others.
void BlockEmitter::setEntry(Value iterator, Value entry) {
  for (auto [row, shift] : llvm::zip(rows, shifts))
    row.map(iterator, add(entry, shift));
}

/// The body for each entry of a block's row, one after the other.
void BlockEmitter::emitColumns(scf::ForOp loop, int64_t step, scf::ForOp copy) {
  Value node = copy.getInductionVar();
  Value block = memref::LoadOp::create(builder, loc, columns, node);
  if (block.getType().isInteger(32))
    block = arith::ExtUIOp::create(builder, loc, builder.getI64Type(), block);
  block =
      arith::IndexCastOp::create(builder, loc, builder.getIndexType(), block);
  Value size = constant(blockColumns);
  Value firstColumn = multiply(block, size);
  Value number = arith::SubIOp::create(builder, loc, node, bounds.first);
  Value firstEntry = add(rows[0].lookup(body.begin), multiply(number, size));
  for (int64_t at = 0; at < blockColumns; at += step) {
    setEntry(loop.getInductionVar(), add(firstEntry, constant(at)));
    loop.walk([&](memref::LoadOp load) {
      if (!body.isColumn(load))
        return;
      LoadedIndex column(load);
      Value here = add(firstColumn, constant(at + *body.getOffset(loop, load)));
      for (IRMapping &row : rows)
        row.map(column.index, here);
      known.insert_range(column.ops);
    });
    emit(*loop.getBody());
    for (IRMapping &row : rows) {
      Values next;
      for (Value value : loop.getBody()->getTerminator()->getOperands())
        next.push_back(row.lookupOrDefault(value));
      for (auto [carried, value] : llvm::zip(loop.getRegionIterArgs(), next))
        row.map(carried, value);
    }
  }
  known.clear();
  Values carried;
  for (IRMapping &row : rows)
    for (Value value : loop.getRegionIterArgs())
      carried.push_back(row.lookup(value));
  scf::YieldOp::create(builder, loc, carried);
}

void BlockEmitter::emit(scf::ForOp loop) {
  Values carried;
  for (IRMapping &row : rows)
    for (Value init : loop.getInitArgs())
      carried.push_back(row.lookupOrDefault(init));
  auto bound = [&](Value value) { return rows[0].lookupOrDefault(value); };
  std::optional<int64_t> step;
  if (blockColumns > 1)
    step = body.getStep(loop, blockColumns);
  auto copy = step ? scf::ForOp::create(builder, loop.getLoc(), bounds.first,
                                        bounds.last, constant(1), carried)
                   : scf::ForOp::create(builder, loop.getLoc(),
                                        bound(loop.getLowerBound()),
                                        bound(loop.getUpperBound()),
                                        bound(loop.getStep()), carried);
  const size_t count = loop.getNumRegionIterArgs();
  for (auto [i, row] : llvm::enumerate(rows)) {
    row.map(loop.getRegionIterArgs(),
            copy.getRegionIterArgs().slice(i * count, count));
    row.map(loop.getResults(), copy.getResults().slice(i * count, count));
  }
  OpBuilder::InsertionGuard guard(builder);
  Block *inner = copy.getBody();
  if (!inner->empty()) // Without results it has a terminator.
    inner->getTerminator()->erase();
  builder.setInsertionPointToEnd(inner);
  if (step)
    return emitColumns(loop, *step, copy);
  if (body.kindOf(loop.getInductionVar()) == RowBody::Shifts)
    setEntry(loop.getInductionVar(), copy.getInductionVar());
  else
    for (IRMapping &row : rows)
      row.map(loop.getInductionVar(), copy.getInductionVar());
  emit(*loop.getBody());
  Values yielded;
  for (IRMapping &row : rows)
    for (Value value : loop.getBody()->getTerminator()->getOperands())
      yielded.push_back(row.lookupOrDefault(value));
  scf::YieldOp::create(builder, loc, yielded);
}

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
  Value loadIndex(Value indices, Value at);

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

Value RowJam::loadIndex(Value indices, Value at) {
  Value value = memref::LoadOp::create(builder, loc, indices, at);
  if (value.getType().isInteger(32)) // Not negative.
    value = arith::ExtUIOp::create(builder, loc, builder.getI64Type(), value);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    value);
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
  bounds.begin = loadIndex(body.positions, flat(row, rows));
  bounds.first = loadIndex(positions, node);
  bounds.last = loadIndex(positions, add(node, one));
  Value nodes = subtract(bounds.last, bounds.first);
  bounds.length = multiply(nodes, constant(blockColumns));
  Value end = loadIndex(body.positions, flat(stop, rows));
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
