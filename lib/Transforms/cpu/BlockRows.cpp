//===- BlockRows.cpp - Kernels whose rows make blocks ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values keep their order, that of single rows: in a block of rows that is
// full, all have as many entries, and those of the next row begin where this
// one's end. So
//
//   for i { entries of row i }
//
// becomes, with the positions and coordinates of blocks,
//
//   for blocks of rows {
//     if full { all rows of the block }
//     else    { for i in block { entries of row i } }
//   }
//
// Nothing is padded: what is not full is computed row by row.
//
//===----------------------------------------------------------------------===//

#include "cpu/BlockRows.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tsgu;

Value tsgu::loadIndex(OpBuilder &builder, Location loc, Value indices,
                      Value at) {
  Value value = memref::LoadOp::create(builder, loc, indices, at);
  if (value.getType().isInteger(32))
    value = arith::ExtUIOp::create(builder, loc, builder.getI64Type(), value);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    value);
}

BlockArgument BlockRows::find(Argument::Role role) const {
  func::FuncOp func = kernel.func;
  const int32_t layout = stage.partition.weightLayout;
  const auto last =
      static_cast<int32_t>(manifest.layouts[layout].levels.size()) - 1;
  for (auto [number, argument] : llvm::enumerate(stage.arguments))
    if (argument.role == role && argument.layout == layout &&
        argument.level == last)
      return func.getArgument(number);
  return {};
}

Levels BlockRows::getLevels() const {
  Levels levels = manifest.layouts[stage.partition.weightLayout].levels;
  Level *last = &levels.back();
  last[-1].block = static_cast<int32_t>(rows);
  if (isOfDiagonals())
    last->kind = Level::Diagonal;
  else
    last->block = static_cast<int32_t>(columns);
  return levels;
}

/// Positions and coordinates of blocks, before the output.
void BlockRows::addArguments() {
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
  Location loc = kernel.func.getLoc();
  Builder builder(kernel.func.getContext());
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
  nodePositions = kernel.func.getArgument(output);
  nodeColumns = kernel.func.getArgument(output + 1);
  kernel.func->setAttr(outputAttr, builder.getI64IntegerAttr(output + 2));
  for (SizeRef &size : stage.sizes)
    if (size.kind == SizeRef::Stride &&
        size.index >= static_cast<int32_t>(output))
      size.index += 2;
}

std::optional<RowNest> BlockRows::findNest() {
  if (!find(Argument::Positions) || !find(Argument::Coordinates))
    return std::nullopt;
  return RowNest::find(kernel.func, stage.partition.loops.size());
}

BlockRows::Bounds BlockRows::locate(RowNest &nest, Value number,
                                    OpBuilder &builder) {
  Location loc = kernel.func.getLoc();
  Value positions = find(Argument::Positions);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto add = [&](Value a, Value b) -> Value {
    return arith::AddIOp::create(builder, loc, a, b);
  };
  auto subtract = [&](Value a, Value b) -> Value {
    return arith::SubIOp::create(builder, loc, a, b);
  };
  auto multiply = [&](Value a, Value b) -> Value {
    return arith::MulIOp::create(builder, loc, a, b);
  };
  auto flat = [&](Value number, Value extent) {
    if (nest.rows.size() == 1)
      return number;
    return add(multiply(nest.rows[0].getInductionVar(), extent), number);
  };
  Value height = constant(rows), node = flat(number, blocks);
  Bounds block;
  block.row = multiply(number, height);
  Value next = add(block.row, height);
  block.stop = arith::MinUIOp::create(builder, loc, next, count);
  block.begin = loadIndex(builder, loc, positions, flat(block.row, count));
  block.end = loadIndex(builder, loc, positions, flat(block.stop, count));
  block.first = loadIndex(builder, loc, nodePositions, node);
  block.last = loadIndex(builder, loc, nodePositions, add(node, constant(1)));
  block.length = multiply(subtract(block.last, block.first),
                          constant(std::max<int64_t>(columns, 1)));
  block.isFull = arith::AndIOp::create(
      builder, loc,
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ule, next,
                            count),
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                            subtract(block.end, block.begin),
                            multiply(block.length, height)));
  return block;
}

BlockRows::Split BlockRows::split(RowNest &nest, OpBuilder &builder,
                                  Value condition) {
  addArguments();
  Location loc = kernel.func.getLoc();
  scf::ForOp old = nest.rows.back();
  builder.setInsertionPoint(old);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  count = old.getUpperBound();
  Value more = arith::AddIOp::create(builder, loc, count, constant(rows - 1));
  blocks = arith::DivUIOp::create(builder, loc, more, constant(rows));
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), blocks, constant(1));
  builder.setInsertionPointToStart(loop.getBody());
  const Bounds block = locate(nest, loop.getInductionVar(), builder);
  Value isFull = block.isFull;
  if (condition)
    isFull = arith::AndIOp::create(builder, loc, condition, isFull);
  auto branch =
      scf::IfOp::create(builder, loc, isFull, /*withElseRegion=*/true);
  old->moveBefore(branch.elseBlock()->getTerminator());
  old.setLowerBound(block.row);
  old.setUpperBound(block.stop);
  return {loop, branch, block};
}

void BlockRows::prefetch(OpBuilder &builder, Value memory, Value begin,
                         Value end, bool isWrite) {
  constexpr int64_t line = 8 * 64;
  Location loc = memory.getLoc();
  Type element = cast<MemRefType>(memory.getType()).getElementType();
  auto loop = scf::ForOp::create(
      builder, loc, begin, end,
      arith::ConstantIndexOp::create(builder, loc,
                                     line / element.getIntOrFloatBitWidth()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  memref::PrefetchOp::create(builder, loc, memory, loop.getInductionVar(),
                             isWrite, /*localityHint=*/3,
                             /*isDataCache=*/true);
}

static LogicalResult
rewriteBlocks(func::FuncOp func, Manifest &manifest, ElementType index,
              StringRef pass, StringRef done,
              function_ref<LogicalResult(BlockRows &, std::string &)> rewrite) {
  auto stage = llvm::find_if(manifest.stages, [&](const Stage &s) {
    return s.name == func.getName();
  });
  auto kernel = Kernel::get(func);
  auto blocks = func->getAttrOfType<DenseI64ArrayAttr>(blocksAttr);
  if (failed(kernel) || !*kernel || stage == manifest.stages.end() ||
      stage->partition.weightLayout < 0 || blocks[0] < 2 || blocks[1] < 0)
    return func.emitError("has blocks that are not those of a stage");
  BlockRows rows(**kernel, *stage, manifest, blocks, index);
  std::string layout = print(rows.getLevels()), whyNot;
  if (succeeded(rewrite(rows, whyNot)))
    remark::passed(func.getLoc(), remarkOn(**kernel, pass))
        << remark::add("{0}", done) << remark::metric("Layout", layout);
  else
    remark::missed(func.getLoc(), remarkOn(**kernel, pass))
        << remark::reason("{0}", whyNot);
  func->removeAttr(blocksAttr);
  return success();
}

LogicalResult tsgu::rewriteBlocks(
    ModuleOp module, bool ofDiagonals, unsigned indexBits, StringRef pass,
    StringRef done,
    function_ref<LogicalResult(BlockRows &, std::string &)> rewrite) {
  SmallVector<func::FuncOp> kernels;
  for (auto func : module.getOps<func::FuncOp>()) {
    auto blocks = func->getAttrOfType<DenseI64ArrayAttr>(blocksAttr);
    if (!blocks)
      continue;
    if (blocks.size() != 2)
      return func.emitError("has blocks that are not those of a stage");
    if ((blocks[1] == 0) == ofDiagonals)
      kernels.push_back(func);
  }
  if (kernels.empty())
    return success();
  FailureOr<Manifest> manifest = getManifest(module);
  if (failed(manifest))
    return failure();
  const auto index = indexBits == 32 ? ElementType::I32 : ElementType::I64;
  for (func::FuncOp func : kernels)
    if (failed(::rewriteBlocks(func, *manifest, index, pass, done, rewrite)))
      return failure();
  setManifest(module, *manifest);
  return success();
}
