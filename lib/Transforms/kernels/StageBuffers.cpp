//===- StageBuffers.cpp - Where stages keep their data --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/StageBuffers.h"
#include "kernels/Stage.h"

#include "tsgu/Dialect/Levels.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"

using namespace mlir;
using namespace tsgu;

/// Where nobody else reads what a step may overwrite, it does.
static Value getStorage(Value tensor) {
  while (!isa<BlockArgument>(tensor) && tensor.hasOneUse()) {
    auto step = dyn_cast<StepOpInterface>(*tensor.user_begin());
    if (!step || step.getOverwritten() != tensor)
      break;
    tensor = step->getResult(0);
  }
  return tensor;
}

StageBuffers::StageBuffers(func::FuncOp program, const ProgramSymbols &symbols,
                           Manifest &manifest)
    : program(program), symbols(symbols), manifest(manifest) {
  for (Operation &op : program.getBody().front())
    if (isStage(&op) || isa<func::ReturnOp>(op))
      for (Value operand : op.getOperands())
        lastReader[getStorage(operand)] = &op;
}

int32_t StageBuffers::layoutOf(linalg::GenericOp op, Value sparse) {
  return addLayout(
      getLevels(op->getAttrOfType<sparse_tensor::SparseTensorEncodingAttr>(
          layoutAttr)),
      sparse);
}

int32_t StageBuffers::csrOf(Value sparse) {
  return addLayout(
      canonicalLevels(cast<RankedTensorType>(sparse.getType()).getRank()),
      sparse);
}

int32_t StageBuffers::addLayout(Levels levels, Value sparse) {
  auto encoding = sparse_tensor::getSparseTensorEncoding(sparse.getType());
  LayoutInfo layout;
  layout.pattern = symbols.patternOf(sparse);
  int64_t width =
      isCanonical(levels)
          ? encoding.getCrdWidth()
          : program->getAttrOfType<IntegerAttr>(derivedIndexAttr).getInt();
  layout.indexType = width == 32 ? ElementType::I32 : ElementType::I64;
  layout.levels = std::move(levels);
  for (auto [index, known] : llvm::enumerate(manifest.layouts))
    if (known.pattern == layout.pattern && known.levels == layout.levels)
      return index;
  manifest.layouts.push_back(layout);
  return manifest.layouts.size() - 1;
}

int32_t StageBuffers::nodesOf(int32_t layout) {
  const LayoutInfo &info = manifest.layouts[layout];
  if (info.levels[0].kind == Level::Dense)
    return manifest.patterns[info.pattern].shape[info.levels[0].dimension];
  for (auto [index, symbol] : llvm::enumerate(manifest.symbols))
    if (symbol.nodesOf == layout)
      return index;
  Symbol symbol;
  symbol.name = "nodes(" + std::to_string(layout) + ")";
  symbol.nodesOf = layout;
  manifest.symbols.push_back(symbol);
  return manifest.symbols.size() - 1;
}

Buffer StageBuffers::of(Value tensor) {
  tensor = getStorage(tensor);
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return {Buffer::Operand, static_cast<int32_t>(argument.getArgNumber())};
  auto known = buffers.find(tensor);
  if (known != buffers.end())
    return known->second;
  Buffer buffer{Buffer::Result, 0};
  if (program.getBody().front().getTerminator()->getOperand(0) != tensor) {
    ScratchInfo scratch;
    scratch.type = getElementType(tensor.getType());
    if (isSparse(tensor))
      scratch.shape = {manifest.patterns[symbols.patternOf(tensor)].stored};
    else
      scratch.shape.assign(symbols.of(tensor).begin(),
                           symbols.of(tensor).end());
    buffer = takeScratch(std::move(scratch));
  }
  return buffers[tensor] = buffer;
}

/// A buffer that is free again, or a new one.
Buffer StageBuffers::takeScratch(ScratchInfo info) {
  auto fits = [&](int32_t index) {
    const ScratchInfo &other = manifest.scratch[index];
    return other.type == info.type && other.shape == info.shape;
  };
  auto found = llvm::find_if(freeScratch, fits);
  auto index = static_cast<int32_t>(manifest.scratch.size());
  if (found != freeScratch.end()) {
    index = *found;
    freeScratch.erase(found);
  } else {
    manifest.scratch.push_back(std::move(info));
  }
  return {Buffer::Scratch, index};
}

Buffer StageBuffers::permuted(Value source, int32_t layout) {
  auto &known = permutations[getStorage(source)];
  for (auto &[order, buffer] : known)
    if (order == layout)
      return buffer;
  int32_t pattern = manifest.layouts[layout].pattern;
  StepInfo step;
  step.name = StepInfo::permuteValues;
  step.layout = layout;
  step.reads = {of(source)};
  step.writes = {takeScratch(
      {typeOf(manifest, step.reads[0]), {manifest.patterns[pattern].stored}})};
  known.emplace_back(layout, step.writes[0]);
  manifest.stages.emplace_back().step = step;
  return step.writes[0];
}

void StageBuffers::releaseAfter(Operation *op) {
  for (Value operand : op->getOperands()) {
    Value value = getStorage(operand);
    if (isa<BlockArgument>(value) || lastReader.lookup(value) != op)
      continue;
    lastReader.erase(value);
    Buffer buffer = buffers.lookup(value);
    if (buffers.contains(value) && buffer.kind == Buffer::Scratch)
      freeScratch.push_back(buffer.index);
    for (auto &[layout, copy] : permutations.lookup(value))
      freeScratch.push_back(copy.index);
    permutations.erase(value);
  }
}
