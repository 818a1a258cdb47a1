//===- BlockEmitter.cpp - The rows of a full block side by side -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "cpu/BlockEmitter.h"

using namespace mlir;
using namespace tsgu;

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
  Value block = loadIndex(builder, loc, columns, node);
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
