//===- DiagonalEmitter.cpp - Rows in the lanes of vectors ---------------- ===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row's values follow one another, and so do rows. Four values of each row
// (or two, as many as 128 bits have) are loaded at once and transposed within
// registers, which takes half of the instructions of single loads.
//
//===----------------------------------------------------------------------===//

#include "cpu/DiagonalEmitter.h"
#include "kernels/VectorBuilders.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tsgu;

int64_t DiagonalEmitter::getAhead(Value values) {
  constexpr int64_t bytes = 8192;
  return 8 * bytes /
         cast<MemRefType>(values.getType()).getElementTypeBitWidth();
}

/// A value in all lanes.
Value DiagonalEmitter::widen(Value value) {
  if (Value known = vectors.lookup(value))
    return known;
  Value scalar = scalars.lookupOrDefault(value);
  return vector::BroadcastOp::create(
      builder, loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

/// The line of elements in which the next row's is the next one, and the place
/// of the first row's.
std::pair<Value, Value> DiagonalEmitter::getLine(Value memref,
                                                 ValueRange indices) {
  auto type = cast<MemRefType>(memref.getType());
  const unsigned moving = body.getMoving(indices);
  Value first = scalars.lookup(indices[moving]);
  if (type.getRank() == 1 && type.isLastDimUnitStride())
    return {memref, first};
  auto strided = memref::ExtractStridedMetadataOp::create(builder, loc, memref);
  Value offset = strided.getOffset();
  for (auto [dim, index] : llvm::enumerate(indices))
    if (dim != moving)
      offset = add(offset, arith::MulIOp::create(builder, loc,
                                                 scalars.lookupOrDefault(index),
                                                 strided.getStrides()[dim]));
  auto layout =
      StridedLayoutAttr::get(builder.getContext(), ShapedType::kDynamic, {1});
  Value line = memref::ReinterpretCastOp::create(
      builder, loc,
      MemRefType::get({ShapedType::kDynamic}, type.getElementType(), layout),
      strided.getBaseBuffer(), OpFoldResult(offset),
      OpFoldResult(strided.getSizes()[moving]),
      OpFoldResult(builder.getIndexAttr(1)));
  return {line, first};
}

void DiagonalEmitter::emit(Operation &op) {
  auto isVarying = [&](Value value) { return body.isVarying(value); };
  if (auto store = dyn_cast<memref::StoreOp>(op)) {
    Value value = widen(store.getValueToStore());
    if (store->getBlock() == loop.getBody()) {
      stored[store].push_back(value);
      return;
    }
    auto [line, first] = getLine(store.getMemRef(), store.getIndices());
    vector::StoreOp::create(builder, loc, value, line, first);
  } else if (llvm::none_of(op.getOperands(), isVarying) ||
             body.kindOf(op.getResult(0))) {
    builder.clone(op, scalars);
  } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
    if (llvm::is_contained(body.values, load)) // With others, before.
      return;
    auto [line, first] = getLine(load.getMemRef(), load.getIndices());
    vectors[load.getResult()] = vector::LoadOp::create(
        builder, loc, VectorType::get({lanes}, load.getType()), line, first);
  } else {
    Values operands;
    for (Value operand : op.getOperands())
      operands.push_back(widen(operand));
    auto type = VectorType::get({lanes}, op.getResult(0).getType());
    vectors[op.getResult(0)] =
        clone(builder, &op, TypeRange{type}, operands)->getResult(0);
  }
}

Value DiagonalEmitter::shuffle(Value a, Value b, ArrayRef<int64_t> mask) {
  return vector::ShuffleOp::create(builder, loc, a, b, mask);
}

/// How many values are transposed at once.
static int64_t getUnit(MemRefType type) {
  const int64_t unit = 128 / type.getElementTypeBitWidth();
  return unit == 2 || unit == 4 ? unit : 1;
}

/// The first entry of a row.
Value DiagonalEmitter::locate(int64_t row) {
  return add(block.begin,
             arith::MulIOp::create(builder, loc, block.length, constant(row)));
}

/// So many values from one on, of a row and of each `step` rows further, side
/// by side.
Value DiagonalEmitter::loadRows(memref::LoadOp load, Value from, int64_t first,
                                int64_t step, int64_t count) {
  auto type = VectorType::get({count}, load.getType());
  Values parts;
  for (int64_t row = first; row < lanes; row += step) {
    parts.push_back(vector::LoadOp::create(builder, loc, type, load.getMemRef(),
                                           add(locate(row), from)));
  }
  for (; parts.size() > 1; count *= 2) {
    auto mask = llvm::to_vector(llvm::seq<int64_t>(0, 2 * count));
    for (size_t i = 0; i < parts.size() / 2; ++i)
      parts[i] = shuffle(parts[2 * i], parts[2 * i + 1], mask);
    parts.resize(parts.size() / 2);
  }
  return parts[0];
}

/// From vectors of rows, by entries, to vectors of entries, by rows, or back:
/// two or four, in units of so many lanes, as processors like it.
SmallVector<Value> DiagonalEmitter::transpose(ArrayRef<Value> from) {
  const auto count = static_cast<int64_t>(from.size());
  /// Of both vectors, in turns, `part` lanes from the same ones of each unit.
  auto interleave = [&](Value a, Value b, int64_t first, int64_t part) {
    SmallVector<int64_t> mask;
    for (int64_t unit = 0; unit < lanes; unit += count)
      for (int64_t at = 0; at < count; ++at) {
        const int64_t lane = part == 1 ? first + at / 2 : first + at % 2;
        const bool second = part == 1 ? at % 2 : at / 2;
        mask.push_back(unit + lane + (second ? lanes : 0));
      }
    return shuffle(a, b, mask);
  };
  if (count == 2)
    return {interleave(from[0], from[1], 0, 1),
            interleave(from[0], from[1], 1, 1)};
  Values to;
  for (int64_t half : {0, 2}) {
    Value low = interleave(from[0], from[1], half, 1);
    Value high = interleave(from[2], from[3], half, 1);
    for (int64_t first : {0, 2})
      to.push_back(interleave(low, high, first, 2));
  }
  return to;
}

/// Two or four entries of all rows.
SmallVector<Value> DiagonalEmitter::loadTile(memref::LoadOp load, Value from,
                                             int64_t count) {
  Values rows;
  for (int64_t first = 0; first < count; ++first)
    rows.push_back(loadRows(load, from, first, count, count));
  return transpose(rows);
}

/// Stores entries of all rows, all of those that are loaded at once or one.
void DiagonalEmitter::storeTile(memref::StoreOp store, Value from,
                                ArrayRef<Value> entries) {
  const auto count = static_cast<int64_t>(entries.size());
  prefetch(store.getMemRef(), from, count, /*isWrite=*/true);
  Values rows = count == 1 ? Values(entries) : transpose(entries);
  for (int64_t row = 0; row < lanes; ++row) {
    Value at = add(locate(row), from);
    Value unit = rows[row % count];
    if (count == 1) {
      memref::StoreOp::create(
          builder, loc, vector::ExtractOp::create(builder, loc, unit, row),
          store.getMemRef(), at);
      continue;
    }
    unit = vector::ExtractStridedSliceOp::create(
        builder, loc, unit, ArrayRef<int64_t>{row / count * count},
        ArrayRef<int64_t>{count}, ArrayRef<int64_t>{1});
    vector::StoreOp::create(builder, loc, unit, store.getMemRef(), at);
  }
}

/// Asks for as many values as the entries of all rows have, some way ahead:
/// rows are several streams close to each other, which no processor sees
/// coming.
void DiagonalEmitter::prefetch(Value values, Value from, int64_t count,
                               bool isWrite) {
  const int64_t line =
      8 * 64 / cast<MemRefType>(values.getType()).getElementTypeBitWidth();
  Value all = arith::MulIOp::create(builder, loc, from, constant(lanes));
  Value begin = add(add(block.begin, all), constant(getAhead(values)));
  for (int64_t at = 0; at < count * lanes; at += line)
    memref::PrefetchOp::create(builder, loc, values, add(begin, constant(at)),
                               isWrite,
                               /*localityHint=*/3,
                               /*isDataCache=*/true);
}

SmallVector<Value> DiagonalEmitter::loadEntries(memref::LoadOp load, Value from,
                                                int64_t count) {
  prefetch(load.getMemRef(), from, count, /*isWrite=*/false);
  const int64_t unit = getUnit(load.getMemRefType());
  Values entries;
  while (static_cast<int64_t>(entries.size()) < count) {
    Value at = add(from, constant(entries.size()));
    if (unit > 1 && count - static_cast<int64_t>(entries.size()) >= unit) {
      llvm::append_range(entries, loadTile(load, at, unit));
      continue;
    }
    Values single;
    for (int64_t row = 0; row < lanes; ++row)
      single.push_back(memref::LoadOp::create(builder, loc, load.getMemRef(),
                                              add(locate(row), at)));
    entries.push_back(vector::FromElementsOp::create(
        builder, loc, VectorType::get({lanes}, load.getType()), single));
  }
  return entries;
}

/// So many entries of each row, each added to sums of its own, or all to the
/// only ones.
SmallVector<Value> DiagonalEmitter::emitEntries(Value from, int64_t count,
                                                ArrayRef<Value> sums) {
  SmallVector<Values> values;
  for (memref::LoadOp load : body.values)
    values.push_back(loadEntries(load, from, count));
  Values results(sums);
  const size_t carried = loop.getNumRegionIterArgs();
  for (int64_t i = 0; i < count; ++i) {
    Value entry = add(from, constant(i));
    scalars.map(loop.getInductionVar(), add(block.begin, entry));
    Value column = loadIndex(builder, loc, columns, add(block.first, entry));
    for (Value index : body.columnsOf)
      scalars.map(index, column);
    for (auto [load, entries] : llvm::zip_equal(body.values, values))
      vectors[load->getResult(0)] = entries[i];
    MutableArrayRef<Value> own(results);
    own = own.slice(own.size() > carried ? i * carried : 0, carried);
    for (auto [argument, sum] : llvm::zip_equal(loop.getRegionIterArgs(), own))
      vectors[argument] = sum;
    for (Operation &op : loop.getBody()->without_terminator())
      if (!body.isIndexing(op))
        emit(op);
    for (auto [sum, value] : llvm::zip_equal(own, loop.getYieldedValues()))
      sum = widen(value);
  }
  for (auto &[store, entries] : stored)
    storeTile(cast<memref::StoreOp>(store), from, entries);
  stored.clear();
  return results;
}

/// The row's entries up to one, as many at a time as there are sums.
SmallVector<Value> DiagonalEmitter::emitChunks(Value from, Value end,
                                               int64_t count,
                                               ArrayRef<Value> sums) {
  auto chunks =
      scf::ForOp::create(builder, loc, from, end, constant(count), sums);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(chunks.getBody());
  Values next = emitEntries(chunks.getInductionVar(), count,
                            Values(chunks.getRegionIterArgs()));
  if (!next.empty()) // Without results it has a terminator.
    scf::YieldOp::create(builder, loc, next);
  return Values(chunks.getResults());
}

/// Fewer entries than there are sums: half of them, if there are so many, then
/// the rest, each added to the sum that is next.
SmallVector<Value> DiagonalEmitter::emitRest(Value from, Value rest,
                                             ArrayRef<Value> sums) {
  const size_t carried = loop.getNumRegionIterArgs();
  const int64_t half = sums.size() / carried / 2;
  if (half == 0)
    return Values(sums);
  ArrayRef<Value> first = sums.take_front(half * carried),
                  second = sums.drop_front(half * carried);
  Value isHalf = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge,
                                       rest, constant(half));
  auto branch = scf::IfOp::create(builder, loc, ValueRange(sums).getTypes(),
                                  isHalf, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  Values results = emitEntries(from, half, first);
  Value left = arith::SubIOp::create(builder, loc, rest, constant(half));
  llvm::append_range(results,
                     emitRest(add(from, constant(half)), left, second));
  scf::YieldOp::create(builder, loc, results);
  builder.setInsertionPointToStart(branch.elseBlock());
  results = emitRest(from, rest, first);
  llvm::append_range(results, second);
  scf::YieldOp::create(builder, loc, results);
  return Values(branch.getResults());
}

/// Several sets of sums, pairwise, to one.
SmallVector<Value> DiagonalEmitter::combine(Values sums) {
  while (sums.size() > loop.getNumRegionIterArgs()) {
    const size_t half = sums.size() / 2;
    for (size_t i = 0; i < half; ++i)
      sums[i] = buildCombine(builder, loc, vector::CombiningKind::ADD, sums[i],
                             sums[half + i]);
    sums.resize(half);
  }
  return sums;
}

/// The sums of rows, from so many parts. What fills no chunk of these belongs
/// to the first of them, or is added afterwards.
SmallVector<Value> DiagonalEmitter::emitSums(int64_t parts, bool restInParts) {
  Values sums;
  for (int64_t part = 0; part < parts; ++part)
    for (unsigned i = 0; i < loop.getNumRegionIterArgs(); ++i)
      sums.push_back(buildSplat(
          builder, loc, getNeutral(body.entries.getCombiner(i)), lanes));
  Value rest =
      arith::RemUIOp::create(builder, loc, block.length, constant(parts));
  Value whole = arith::SubIOp::create(builder, loc, block.length, rest);
  sums = emitChunks(constant(0), whole, parts, sums);
  if (restInParts)
    return combine(emitRest(whole, rest, sums));
  return emitChunks(whole, block.length, 1, combine(sums));
}

/// Stores entries, as many at a time as are transposed.
void DiagonalEmitter::emitStored() {
  const int64_t count = getUnit(body.entries.getOutputStore().getMemRefType());
  Value rest =
      arith::RemUIOp::create(builder, loc, block.length, constant(count));
  Value whole = arith::SubIOp::create(builder, loc, block.length, rest);
  emitChunks(constant(0), whole, count, {});
  emitChunks(whole, block.length, 1, {});
}

Value DiagonalEmitter::buildIsLong() {
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge,
                               block.length,
                               constant(body.entries.getLongRow()));
}

void DiagonalEmitter::emit() {
  scf::ForOp rows = body.nest.rows.back();
  scalars.map(rows.getInductionVar(), block.row);
  for (Operation &op : rows.getBody()->without_terminator()) {
    if (body.isIndexing(op))
      continue;
    if (&op != loop) {
      emit(op);
      continue;
    }
    if (loop.getNumResults() == 0) {
      emitStored();
      continue;
    }
    SmallVector<Type> types;
    for (Type type : loop.getResultTypes())
      types.push_back(VectorType::get({lanes}, type));
    auto choice = scf::IfOp::create(builder, loc, types, buildIsLong(),
                                    /*withElseRegion=*/true);
    for (bool isLong : {true, false}) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(isLong ? choice.thenBlock()
                                              : choice.elseBlock());
      scf::YieldOp::create(
          builder, loc, emitSums(isLong ? chunk : VectorBody::apart, isLong));
    }
    for (auto [result, sum] :
         llvm::zip_equal(loop.getResults(), choice.getResults()))
      vectors[result] = sum;
  }
}
