//===- SplitRows.cpp - Long rows in chunks --------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where rows are very uneven, a group of threads with a long row keeps all
// others waiting. A kernel that goes through the stored entries of rows,
//
//   for i { for k in row i { ... } }
//
// leaves rows of more than L entries empty, and a second kernel goes through
// chunks of L entries of these rows. If a row is reduced, the chunks' results
// are rows of a scratch buffer, and a third kernel reduces those: A = S A',
// where A' has the chunks for rows, and S sums them. L and the chunks depend on
// the pattern alone, so results are the same in every run.
//
//===----------------------------------------------------------------------===//

#include "kernels/OutputUpdates.h"
#include "kernels/RowNest.h"
#include "kernels/VectorBuilders.h"
#include "programs/ScalarOps.h"
#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace tsgu {
#define GEN_PASS_DEF_SPLITROWS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

/// What a kernel does with the entries of a row.
enum class Form {
  Other,    ///< Something that cannot be cut.
  Entries,  ///< It writes a value for each.
  Elements, ///< It reduces them to an element of the output.
  Rows      ///< It reduces them to a dense row of the output.
};

class RowSplit {
public:
  RowSplit(Kernel kernel, const Stage &stage, Manifest &manifest)
      : kernel(kernel), stage(stage), manifest(manifest),
        builder(kernel.func.getContext()), loc(kernel.func.getLoc()) {}

  /// The stages that take the place of the given one.
  SmallVector<Stage, 3> run();

private:
  Form getForm();
  void makeChunkKernel();
  void makeCombineKernel();
  void addIndexArguments(Stage &to, Argument::Role first,
                         Argument::Role second);
  void combineToElement(Value begin, Value end, Value partial, Value output,
                        ValueRange to);
  void combineToRow(Value begin, Value end, Value width, Value partial,
                    Value output, SmallVector<Value> to);
  Value combine(Value accumulated, Value term);
  void emptyLongRows();
  Value loadIndex(Value memref, Value at);
  SmallVector<Value> getRowIndices(Value flatRow, Value rows);
  bool setOutputIndices(Operation::operand_range indices);
  SmallVector<Value> getOutputIndices(ArrayRef<Value> rows);
  void writeToChunks(Kernel chunks, Value chunk);
  Value addSize(Stage &to, func::FuncOp func, SizeRef size);
  int32_t addSymbol(StringRef what, int32_t Symbol::*field);
  Argument makePartial() const;
  MemRefType getPartialType() const;
  MemRefType getIndicesType() { return bounds.begin.getMemRefType(); }

  Kernel kernel;
  Stage stage, chunkStage, combineStage;
  Manifest &manifest;
  OpBuilder builder;
  Location loc;
  RowNest nest;
  scf::ForOp entries;
  RowBounds bounds;
  Form form = Form::Other;
  func::FuncOp chunkKernel;
  Operation *combiner = nullptr;
  /// For each dimension of the output that the row decides: by which of the
  /// partitioned loops; -1: its only index is 0.
  SmallVector<int> outputRows;
  int32_t layout = -1, chunkSymbol = -1, longSymbol = -1, scratch = -1;
};

Form RowSplit::getForm() {
  if (kernel.identity) {
    SmallVector<Accumulation, 1> found = findAccumulations(kernel);
    if (found.size() != 1 || found[0].reduction != entries)
      return Form::Other;
    const VectorBody &body = found[0].body;
    combiner = body.getOutputStore().getValueToStore().getDefiningOp();
    // Each chunk starts from the identity: only a neutral one counts once.
    bool combines =
        startsNeutral(combiner, kernel.identity) &&
        llvm::is_contained(combiner->getOperands(),
                           body.getOutputLoad().getResult()) &&
        setOutputIndices(body.getOutputStore().getIndices().drop_back());
    return combines ? Form::Rows : Form::Other;
  }
  SmallVector<memref::StoreOp> stores;
  kernel.func.walk([&](memref::StoreOp store) { stores.push_back(store); });
  if (stores.size() != 1)
    return Form::Other;
  memref::StoreOp store = stores[0];
  if (entries.getNumResults() == 0) {
    bool own = store->getBlock() == entries.getBody() &&
               store.getIndices().size() == 1 &&
               store.getIndices()[0] == entries.getInductionVar();
    return own ? Form::Entries : Form::Other;
  }
  combiner = entries.getYieldedValues()[0].getDefiningOp();
  bool reduces = entries.getNumResults() == 1 &&
                 store.getValueToStore() == entries.getResult(0) &&
                 store->getBlock() == nest.body() &&
                 startsNeutral(combiner, entries.getInitArgs()[0]) &&
                 setOutputIndices(store.getIndices());
  return reduces ? Form::Elements : Form::Other;
}

bool RowSplit::setOutputIndices(Operation::operand_range indices) {
  outputRows.clear();
  for (Value index : indices) {
    auto row = llvm::find_if(nest.rows, [&](scf::ForOp loop) {
      return loop.getInductionVar() == index;
    });
    if (row != nest.rows.end())
      outputRows.push_back(row - nest.rows.begin());
    else if (isConstantIntValue(index, 0))
      outputRows.push_back(-1);
    else
      return false;
  }
  return true;
}

SmallVector<Value> RowSplit::getOutputIndices(ArrayRef<Value> rows) {
  SmallVector<Value> indices;
  for (int row : outputRows)
    indices.push_back(
        row >= 0 ? rows[row]
                 : arith::ConstantIndexOp::create(builder, loc, 0).getResult());
  return indices;
}

int32_t RowSplit::addSymbol(StringRef what, int32_t Symbol::*field) {
  for (auto [index, symbol] : llvm::enumerate(manifest.symbols))
    if (symbol.*field == layout)
      return index;
  Symbol symbol;
  symbol.name = (what + "(" + Twine(layout) + ")").str();
  symbol.*field = layout;
  manifest.symbols.push_back(symbol);
  return manifest.symbols.size() - 1;
}

Value RowSplit::addSize(Stage &to, func::FuncOp func, SizeRef size) {
  to.sizes.push_back(size);
  return func.getBody().front().addArgument(builder.getIndexType(), loc);
}

Value RowSplit::loadIndex(Value memref, Value at) {
  Value loaded = memref::LoadOp::create(builder, loc, memref, at);
  if (!loaded.getType().isInteger(64))
    loaded = arith::ExtUIOp::create(builder, loc, builder.getI64Type(), loaded);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    loaded);
}

/// The indices of the partitioned loops, from the number of the row; `rows` are
/// those of an item.
SmallVector<Value> RowSplit::getRowIndices(Value flatRow, Value rows) {
  if (nest.rows.size() == 1)
    return {flatRow};
  return {arith::DivUIOp::create(builder, loc, flatRow, rows),
          arith::RemUIOp::create(builder, loc, flatRow, rows)};
}

MemRefType RowSplit::getPartialType() const {
  auto output = cast<MemRefType>(kernel.output.getType());
  Type element = output.getElementType();
  if (form == Form::Elements)
    return MemRefType::get({ShapedType::kDynamic}, element);
  return MemRefType::get({ShapedType::kDynamic, output.getShape().back()},
                         element,
                         StridedLayoutAttr::get(output.getContext(), 0,
                                                {ShapedType::kDynamic, 1}));
}

Argument RowSplit::makePartial() const {
  Argument partial;
  partial.role = Argument::Dense;
  partial.buffer = {Buffer::Scratch, scratch};
  partial.shape = manifest.scratch[scratch].shape;
  partial.slice = {0};
  return partial;
}

/// The clone of the kernel whose loop is over chunks.
void RowSplit::makeChunkKernel() {
  auto func = cast<func::FuncOp>(kernel.func->clone());
  func.setName((kernel.func.getName() + "_chunks").str());
  SymbolTable(kernel.func->getParentOfType<ModuleOp>())
      .insert(func, std::next(Block::iterator(kernel.func)));
  chunkKernel = func;
  chunkStage = stage;
  chunkStage.name = func.getName().str();
  for (SizeRef &size : chunkStage.sizes)
    if (size.kind == SizeRef::Range)
      size = {SizeRef::Extent, stage.partition.loops[size.index], 0};
  chunkStage.partition = {{chunkSymbol}, true, -1, "chunks of rows are apart"};
  chunkStage.cost = {};
  for (Argument &argument : chunkStage.arguments)
    argument.slice.clear();

  Block &block = func.getBody().front();
  unsigned buffers = stage.arguments.size();
  Value chunkRows = block.insertArgument(buffers, getIndicesType(), loc);
  Value chunkPositions =
      block.insertArgument(buffers + 1, getIndicesType(), loc);
  addIndexArguments(chunkStage, Argument::ChunkRows, Argument::ChunkPositions);
  Value count = addSize(chunkStage, func, {SizeRef::Range, 0, 0});
  Value limit = addSize(chunkStage, func, {SizeRef::SplitLength, layout, 0});

  RowNest old = *RowNest::find(func, nest.rows.size());
  auto [loop, oldBounds] = *findEntries(old);
  IRRewriter rewriter(func.getContext());
  builder.setInsertionPoint(old.rows[0]);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  auto chunks = scf::ForOp::create(builder, loc, zero, count, one);
  builder.setInsertionPointToStart(chunks.getBody());
  Value chunk = chunks.getInductionVar();
  SmallVector<Value> rows = getRowIndices(loadIndex(chunkRows, chunk),
                                          old.rows.back().getUpperBound());
  Operation *place = chunks.getBody()->getTerminator();
  for (auto [row, index] : llvm::zip_equal(old.rows, rows)) {
    rewriter.eraseOp(row.getBody()->getTerminator());
    rewriter.inlineBlockBefore(row.getBody(), place, index);
    if (row != old.rows.back())
      place = old.rows.back();
  }
  for (scf::ForOp row : llvm::reverse(old.rows))
    rewriter.eraseOp(row);

  builder.setInsertionPoint(loop);
  Value begin = loadIndex(chunkPositions, chunk);
  Value end = arith::AddIOp::create(builder, loc, begin, limit);
  end = arith::MinSIOp::create(builder, loc, end, loop.getUpperBound());
  loop.setLowerBound(begin);
  loop.setUpperBound(end);
  loop->setAttr(entriesAttr, builder.getUnitAttr());
  func.setType(builder.getFunctionType(block.getArgumentTypes(), {}));
  if (form != Form::Entries)
    writeToChunks(**Kernel::get(func), chunk);
}

/// Results of chunks go to rows of their own.
void RowSplit::writeToChunks(Kernel chunks, Value chunk) {
  unsigned number = chunks.output.getArgNumber();
  chunks.output.setType(getPartialType());
  auto move = [&](Operation::operand_range indices) {
    SmallVector<Value> moved{chunk};
    if (form == Form::Rows)
      moved.push_back(indices.back());
    return moved;
  };
  for (Operation *user : llvm::make_early_inc_range(chunks.output.getUsers())) {
    if (auto load = dyn_cast<memref::LoadOp>(user))
      load.getIndicesMutable().assign(move(load.getIndices()));
    else if (auto store = dyn_cast<memref::StoreOp>(user))
      store.getIndicesMutable().assign(move(store.getIndices()));
  }
  chunkStage.arguments[number] = makePartial();
  chunkStage.arguments[number].written = true;
  llvm::erase_if(chunkStage.sizes, [&](const SizeRef &size) {
    return size.kind == SizeRef::Stride &&
           size.index == static_cast<int32_t>(number);
  });
  if (form == Form::Rows)
    chunkStage.sizes.push_back(
        {SizeRef::Stride, static_cast<int32_t>(number), 0});
  chunks.func.setType(
      builder.getFunctionType(chunks.func.getBody().getArgumentTypes(), {}));
}

void RowSplit::addIndexArguments(Stage &to, Argument::Role first,
                                 Argument::Role second) {
  for (Argument::Role role : {first, second}) {
    Argument argument;
    argument.role = role;
    argument.layout = layout;
    to.arguments.push_back(argument);
  }
}

Value RowSplit::combine(Value accumulated, Value term) {
  return clone(builder, combiner, combiner->getResultTypes(),
               {accumulated, term})
      ->getResult(0);
}

void RowSplit::combineToElement(Value begin, Value end, Value partial,
                                Value output, ValueRange to) {
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value start = createConstant(builder, loc, getNeutral(combiner));
  auto chunks = scf::ForOp::create(
      builder, loc, begin, end, one, start,
      [&](OpBuilder &, Location, Value c, ValueRange carried) {
        Value term = memref::LoadOp::create(builder, loc, partial, c);
        scf::YieldOp::create(builder, loc, combine(carried[0], term));
      });
  chunks->setAttr(entriesAttr, builder.getUnitAttr());
  builder.setInsertionPointAfter(chunks);
  memref::StoreOp::create(builder, loc, chunks.getResult(0), output, to);
}

void RowSplit::combineToRow(Value begin, Value end, Value width, Value partial,
                            Value output, SmallVector<Value> to) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  auto chunks = scf::ForOp::create(builder, loc, begin, end, one);
  chunks->setAttr(entriesAttr, builder.getUnitAttr());
  builder.setInsertionPointToStart(chunks.getBody());
  auto columns = scf::ForOp::create(builder, loc, zero, width, one);
  builder.setInsertionPointToStart(columns.getBody());
  to.push_back(columns.getInductionVar());
  Value held = memref::LoadOp::create(builder, loc, output, to);
  Value term = memref::LoadOp::create(
      builder, loc, partial,
      ValueRange{chunks.getInductionVar(), columns.getInductionVar()});
  memref::StoreOp::create(builder, loc, combine(held, term), output, to);
}

/// for q in long rows { for c in chunks of row q { C[row q] += partial[c] } }
void RowSplit::makeCombineKernel() {
  auto outputType = cast<MemRefType>(kernel.output.getType());
  int32_t number = kernel.output.getArgNumber();
  Type buffers[] = {getIndicesType(), getIndicesType(), getPartialType(),
                    outputType};
  builder.setInsertionPointAfter(chunkKernel);
  auto func = func::FuncOp::create(builder, loc,
                                   (kernel.func.getName() + "_combine").str(),
                                   builder.getFunctionType(buffers, {}));
  func->setAttr(kernelAttr, builder.getUnitAttr());
  func->setAttr(outputAttr, builder.getI64IntegerAttr(3));
  if (form == Form::Rows)
    func->setAttr(identityAttr, kernel.identity);
  Block *block = func.addEntryBlock();

  Stage &made = combineStage;
  made.name = func.getName().str();
  made.partition = {{longSymbol}, true, -1, "long rows are apart"};
  addIndexArguments(made, Argument::LongRows, Argument::LongPositions);
  made.arguments.push_back(makePartial());
  made.arguments.back().slice.clear();
  made.arguments.push_back(stage.arguments[number]);
  made.arguments.back().slice.clear();
  Value count = addSize(made, func, {SizeRef::Range, 0, 0});
  Value rows, width;
  if (nest.rows.size() == 2)
    rows =
        addSize(made, func, {SizeRef::Extent, stage.partition.loops.back(), 0});
  if (form == Form::Rows && outputType.isDynamicDim(outputType.getRank() - 1))
    width = addSize(made, func,
                    {SizeRef::Extent, stage.arguments[number].shape.back(), 0});
  for (int32_t d = 0; d + 1 < outputType.getRank(); ++d)
    made.sizes.push_back({SizeRef::Stride, 3, d});
  if (form == Form::Rows)
    made.sizes.push_back({SizeRef::Stride, 2, 0});

  builder.setInsertionPointToStart(block);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  if (form == Form::Rows && !width)
    width = arith::ConstantIndexOp::create(builder, loc,
                                           outputType.getShape().back());
  auto longRows = scf::ForOp::create(builder, loc, zero, count, one);
  func::ReturnOp::create(builder, loc);
  builder.setInsertionPointToStart(longRows.getBody());
  Value q = longRows.getInductionVar();
  Value next = arith::AddIOp::create(builder, loc, q, one);
  SmallVector<Value> to = getOutputIndices(
      getRowIndices(loadIndex(block->getArgument(0), q), rows));
  Value begin = loadIndex(block->getArgument(1), q);
  Value end = loadIndex(block->getArgument(1), next);
  Value partial = block->getArgument(2), output = block->getArgument(3);
  if (form == Form::Elements)
    combineToElement(begin, end, partial, output, to);
  else
    combineToRow(begin, end, width, partial, output, to);
  func.setType(builder.getFunctionType(block->getArgumentTypes(), {}));
}

void RowSplit::emptyLongRows() {
  Value limit = addSize(stage, kernel.func, {SizeRef::SplitLength, layout, 0});
  builder.setInsertionPoint(entries);
  Value begin = entries.getLowerBound(), end = entries.getUpperBound();
  Value length = arith::SubIOp::create(builder, loc, end, begin);
  Value isLong = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt,
                                       length, limit);
  entries.setUpperBound(
      arith::SelectOp::create(builder, loc, isLong, begin, end));
  kernel.func.setType(
      builder.getFunctionType(kernel.func.getBody().getArgumentTypes(), {}));
}

SmallVector<Stage, 3> RowSplit::run() {
  layout = stage.partition.weightLayout;
  auto found = RowNest::find(kernel.func, stage.partition.loops.size());
  if (!stage.partition.parallel || layout < 0 || !found)
    return {stage};
  nest = *found;
  auto loop = findEntries(nest);
  if (!loop)
    return {stage};
  std::tie(entries, bounds) = *loop;
  form = getForm();
  if (form == Form::Other) {
    entries->setAttr(entriesAttr, builder.getUnitAttr());
    remark::missed(loc, remarkOn(kernel, "SplitRows"))
        << remark::reason("a row's entries are not reduced to one element or "
                          "row, nor written one by one");
    return {stage};
  }
  chunkSymbol = addSymbol("chunks", &Symbol::chunksOf);
  if (form != Form::Entries) {
    longSymbol = addSymbol("long_rows", &Symbol::longRowsOf);
    const Argument &output = stage.arguments[kernel.output.getArgNumber()];
    ScratchInfo partial;
    partial.type = output.buffer.kind == Buffer::Scratch
                       ? manifest.scratch[output.buffer.index].type
                       : manifest.result.type;
    partial.shape = {chunkSymbol};
    if (form == Form::Rows)
      partial.shape.push_back(output.shape.back());
    manifest.scratch.push_back(partial);
    scratch = manifest.scratch.size() - 1;
  }
  makeChunkKernel();
  if (form != Form::Entries)
    makeCombineKernel();
  emptyLongRows();
  entries->setAttr(entriesAttr, builder.getUnitAttr());
  remark::passed(loc, remarkOn(kernel, "SplitRows"))
      << remark::add("long rows are cut into chunks");
  if (form == Form::Entries)
    return {stage, chunkStage};
  return {stage, chunkStage, combineStage};
}

struct SplitRows : tsgu::impl::SplitRowsBase<SplitRows> {
  void runOnOperation() override {
    FailureOr<Manifest> manifest = getManifest(getOperation());
    if (failed(manifest))
      return signalPassFailure();
    std::vector<Stage> stages;
    for (const Stage &stage : manifest->stages) {
      auto func = getOperation().lookupSymbol<func::FuncOp>(stage.name);
      if (!stage.isKernel() || !func) {
        stages.push_back(stage);
        continue;
      }
      auto kernel = Kernel::get(func);
      if (failed(kernel) || !*kernel)
        return signalPassFailure();
      llvm::append_range(stages, RowSplit(**kernel, stage, *manifest).run());
    }
    manifest->stages = std::move(stages);
    setManifest(getOperation(), *manifest);
  }
};

} // namespace
