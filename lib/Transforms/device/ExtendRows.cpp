//===- ExtendRows.cpp - Rows of two loops ---------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/ExtendRows.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tsgu;

/// The most loops that a manifest's partition has.
static constexpr size_t maxRowLoops = 2;

/// The dimension that the loop takes every access to the output through, so
/// that its iterations touch different elements; -1: there is none.
static int32_t getOutputDimension(Kernel kernel, scf::ForOp loop) {
  SmallVector<SmallVector<Value>, 2> accesses;
  kernel.func.walk([&](Operation *op) {
    if (auto store = dyn_cast<memref::StoreOp>(op))
      accesses.emplace_back(store.getIndices());
    if (auto load = dyn_cast<memref::LoadOp>(op))
      if (kernel.isOutput(load.getMemRef()))
        accesses.emplace_back(load.getIndices());
  });
  if (accesses.empty() || !llvm::all_equal(accesses))
    return -1;
  auto at = llvm::find(accesses[0], loop.getInductionVar());
  return at == accesses[0].end() ? -1 : at - accesses[0].begin();
}

/// The dimension that `index` runs through wherever the buffer is accessed; -1:
/// none.
static int32_t getDimension(Value buffer, Value index) {
  for (Operation *user : buffer.getUsers()) {
    auto load = dyn_cast<memref::LoadOp>(user);
    auto store = dyn_cast<memref::StoreOp>(user);
    if (!load && !store)
      continue;
    auto indices = load ? load.getIndices() : store.getIndices();
    auto at = llvm::find(indices, index);
    return at == indices.end() ? -1 : at - indices.begin();
  }
  return -1;
}

void tsgu::extendRows(Kernel kernel, Stage &stage, RowNest &nest) {
  auto extended = nest.rows.size() < maxRowLoops
                      ? RowNest::find(kernel.func, nest.rows.size() + 1)
                      : std::nullopt;
  if (!extended)
    return;
  scf::ForOp loop = extended->rows.back();
  const Argument &output = stage.arguments[kernel.output.getArgNumber()];
  int32_t dim = getOutputDimension(kernel, loop);
  bool isShort =
      getStaticTripCount(loop) && loop.getBody()->getOps<scf::ForOp>().empty();
  if (dim < 0 || output.role != Argument::Dense || isShort)
    return;
  nest = *extended;
  stage.partition.loops.push_back(output.shape[dim]);
  stage.partition.weightLayout = -1; // Of rows that are none any more.
  stage.partition.proof += "; so do those of the loop within";
  for (auto [number, argument] : llvm::enumerate(stage.arguments))
    if (!argument.slice.empty())
      argument.slice.push_back(getDimension(kernel.func.getArgument(number),
                                            loop.getInductionVar()));
}
