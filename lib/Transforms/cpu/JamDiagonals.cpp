//===- JamDiagonals.cpp - The rows of a block of diagonals in lanes -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In a block of rows that all have entries on the same diagonals,
//
//   for i in block { for k in entries of row i { sum += a[k] * x[columns[k]] }
//   }
//
// becomes
//
//   for d in diagonals { sums += (a of all rows) * x[column[d] : rows] }
//
//===----------------------------------------------------------------------===//

#include "cpu/DiagonalEmitter.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {
#define GEN_PASS_DEF_JAMDIAGONALS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

/// Rows of blocks that are not full read columns, each time at a place that no
/// processor sees coming: they are asked for some blocks ahead. Of values, what
/// full blocks would have asked for.
static void prefetchOthers(BlockRows &rows, const DiagonalBody &body,
                           BlockRows::Split &split, OpBuilder &builder) {
  constexpr int64_t blocksAhead = 4;
  Location loc = split.loop.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  builder.setInsertionPointToStart(split.branch.elseBlock());
  auto prefetch = [&](Value values, bool isWrite) {
    Value shift = constant(DiagonalEmitter::getAhead(values));
    BlockRows::prefetch(
        builder, values,
        arith::AddIOp::create(builder, loc, split.block.begin, shift),
        arith::AddIOp::create(builder, loc, split.block.end, shift), isWrite);
  };
  for (memref::LoadOp load : body.values)
    prefetch(load.getMemRef(), /*isWrite=*/false);
  if (memref::StoreOp store = body.entries.getOutputStore())
    prefetch(store.getMemRef(), /*isWrite=*/true);
  builder.setInsertionPoint(split.branch);
  RowNest nest = body.nest;
  Value last = arith::SubIOp::create(builder, loc, rows.blocks, constant(1));
  Value next = arith::AddIOp::create(builder, loc, split.loop.getInductionVar(),
                                     constant(blocksAhead));
  const BlockRows::Bounds block = rows.locate(
      nest, arith::MinUIOp::create(builder, loc, next, last), builder);
  auto branch = scf::IfOp::create(builder, loc, block.isFull,
                                  /*withElseRegion=*/true);
  builder.setInsertionPointToStart(branch.elseBlock());
  BlockRows::prefetch(builder, rows.find(Argument::Coordinates), block.begin,
                      block.end);
}

static LogicalResult jam(BlockRows &rows, unsigned vectorBits,
                         std::string &whyNot) {
  std::optional<RowNest> nest = rows.findNest();
  if (!nest)
    return whyNot = "it has no loop over rows that reads columns", failure();
  auto body = DiagonalBody::analyze(rows, *nest, whyNot);
  if (!body)
    return failure();
  OpBuilder builder(nest->rows.back());
  Value condition = body->buildCondition(builder);
  BlockRows::Split split = rows.split(*nest, builder, condition);
  prefetchOthers(rows, *body, split, builder);
  builder.setInsertionPointToStart(split.branch.thenBlock());
  DiagonalEmitter(*body, split.block, rows.nodeColumns, rows.rows,
                  body->entries.getChunk(vectorBits), builder)
      .emit();
  return success();
}

namespace {

struct JamDiagonals : tsgu::impl::JamDiagonalsBase<JamDiagonals> {
  using JamDiagonalsBase::JamDiagonalsBase;

  void runOnOperation() override {
    auto rewrite = [&](BlockRows &rows, std::string &whyNot) {
      return jam(rows, vectorBits, whyNot);
    };
    if (failed(rewriteBlocks(getOperation(), /*ofDiagonals=*/true, derivedIndex,
                             "JamDiagonals", "rows of diagonals in lanes",
                             rewrite)))
      signalPassFailure();
  }
};

} // namespace
