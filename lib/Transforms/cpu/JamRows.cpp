//===- JamRows.cpp - The rows of a block side by side ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In a block of rows that is full, all rows have entries in the same columns.
// So
//
//   for i in block { for k in entries of row i { ... j = coordinates[k] ... } }
//
// becomes
//
//   for blocks of columns { for j in block { ... for each row: ... } }
//
// What rows do is copied in its order, so that bits stay.
//
//===----------------------------------------------------------------------===//

#include "cpu/BlockEmitter.h"
#include "tsgu/Transforms/Passes.h"

namespace tsgu {
#define GEN_PASS_DEF_JAMROWS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

/// How many rows are computed at a time, so that registers hold what they
/// carry, a value for each, and what they share. Of loops that store entries,
/// each row has the sums of four at a time, and the vectors that it holds.
static int64_t countTogether(const RowBody &body, int64_t blockRows,
                             unsigned vectorBits) {
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
static void prefetch(BlockRows &rows, const BlockRows::Bounds &block,
                     OpBuilder &builder) {
  constexpr int64_t bits = 64 * 8 * 64; // Of 64 lines.
  Location loc = rows.kernel.func.getLoc();
  Value entries = arith::SubIOp::create(builder, loc, block.end, block.begin);
  for (auto [number, argument] : llvm::enumerate(rows.stage.arguments)) {
    if (argument.role != Argument::Values || argument.written)
      continue;
    BlockArgument values = rows.kernel.func.getArgument(number);
    Type element = cast<MemRefType>(values.getType()).getElementType();
    if (!element.isIntOrFloat())
      continue;
    Value most = arith::ConstantIndexOp::create(
        builder, loc, bits / element.getIntOrFloatBitWidth());
    Value few = arith::MinUIOp::create(builder, loc, entries, most);
    BlockRows::prefetch(builder, values, block.end,
                        arith::AddIOp::create(builder, loc, block.end, few));
  }
}

static constexpr int64_t leastHeld = 4;

static LogicalResult jam(BlockRows &rows, unsigned vectorBits,
                         std::string &whyNot) {
  std::optional<RowNest> nest = rows.findNest();
  if (!nest)
    return whyNot = "it has no loop over rows that reads columns", failure();
  RowBody body(rows.kernel, *nest, rows.find(Argument::Positions),
               rows.find(Argument::Coordinates));
  if (failed(body.analyze(whyNot)))
    return failure();
  // Entries that are stored across lines, of several rows in turns, cost more
  // than a few vectors that are loaded once.
  if (body.storing && body.held < leastHeld &&
      !body.getStep(body.storing, rows.columns))
    return whyNot = "entries are stored in other portions than those of "
                    "blocks, and vectors are short",
           failure();
  OpBuilder builder(rows.kernel.func.getContext());
  BlockRows::Split split = rows.split(*nest, builder);
  builder.setInsertionPointToStart(split.branch.thenBlock());
  prefetch(rows, split.block, builder);
  BlockEmitter emitter(body, rows.columns, rows.nodeColumns, split.block,
                       builder);
  const int64_t groups =
      llvm::divideCeil(rows.rows, countTogether(body, rows.rows, vectorBits));
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t first = rows.rows * group / groups;
    emitter.emit(first, rows.rows * (group + 1) / groups - first);
  }
  return success();
}

namespace {

struct JamRows : tsgu::impl::JamRowsBase<JamRows> {
  using JamRowsBase::JamRowsBase;

  void runOnOperation() override {
    auto rewrite = [&](BlockRows &rows, std::string &whyNot) {
      return jam(rows, vectorBits, whyNot);
    };
    if (failed(rewriteBlocks(getOperation(), /*ofDiagonals=*/false,
                             derivedIndex, "JamRows",
                             "rows of a block side by side", rewrite)))
      signalPassFailure();
  }
};

} // namespace
