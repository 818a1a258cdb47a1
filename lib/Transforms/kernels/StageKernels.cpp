//===- StageKernels.cpp - What the kernel of a stage computes -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/StageKernels.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;

bool tsgu::runsOverEntries(GenericOp op) {
  AffineMap out = op.getIndexingMapsArray().back();
  if (!isSparse(op.getDpsInits()[0]) || !out.isIdentity())
    return false;
  unsigned last = out.getNumDims() - 1;
  return llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (isSparse(operand.get()))
      return map == out;
    return map.getNumResults() == 0 ||
           (map.getNumResults() == 1 && map.isFunctionOfDim(last));
  });
}

bool tsgu::readsCoordinates(GenericOp op) {
  return llvm::any_of(op.getDpsInputs(), [](Value input) {
    return !isSparse(input) &&
           cast<RankedTensorType>(input.getType()).getRank() > 0;
  });
}

/// Copies the constants of the program that the payload reads.
static void cloneConstants(OpBuilder &builder, GenericOp op,
                           IRMapping &mapping) {
  op.getRegion().walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (Operation *def = operand.getDefiningOp())
        if (!op->isAncestor(def) && !mapping.contains(operand))
          builder.clone(*def, mapping);
  });
}

GenericOp tsgu::cloneInto(func::FuncOp kernel, GenericOp op) {
  OpBuilder inner = OpBuilder::atBlockBegin(kernel.addEntryBlock());
  ValueRange arguments = kernel.getArguments();
  IRMapping mapping;
  cloneConstants(inner, op, mapping);
  auto copy = GenericOp::create(
      inner, op.getLoc(), arguments.back().getType(), arguments.drop_back(),
      arguments.back(), op.getIndexingMapsArray(), op.getIteratorTypesArray());
  op.getRegion().cloneInto(&copy.getRegion(), mapping);
  if (isSampled(op))
    setSampled(copy);
  func::ReturnOp::create(inner, op.getLoc(), copy.getResult(0));
  return copy;
}

/// The element of a dense tensor that the payload reads at an entry.
static Value extractElement(OpBuilder &builder, Location loc, Value tensor,
                            Value coordinate) {
  SmallVector<Value> indices;
  if (cast<RankedTensorType>(tensor.getType()).getRank() > 0) {
    if (coordinate.getType().isInteger(32)) // Not negative.
      coordinate = arith::ExtUIOp::create(builder, loc, builder.getI64Type(),
                                          coordinate);
    indices.push_back(arith::IndexCastOp::create(
        builder, loc, builder.getIndexType(), coordinate));
  }
  return tensor::ExtractOp::create(builder, loc, tensor, indices);
}

GenericOp tsgu::cloneOverEntries(func::FuncOp kernel, GenericOp op) {
  OpBuilder inner = OpBuilder::atBlockBegin(kernel.addEntryBlock());
  ValueRange arguments = kernel.getArguments();
  unsigned output = op->getNumOperands() - 1;
  SmallVector<Value> inputs;
  for (auto [input, argument] : llvm::zip(op.getDpsInputs(), arguments))
    if (isSparse(input))
      inputs.push_back(argument);
  bool byCoordinates = arguments.size() > op->getNumOperands();
  if (byCoordinates)
    inputs.push_back(arguments.back());
  IRMapping mapping;
  cloneConstants(inner, op, mapping);
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              inner.getMultiDimIdentityMap(1));
  auto body = [&](OpBuilder &b, Location loc, ValueRange elements) {
    Value coordinate = byCoordinates ? elements[inputs.size() - 1] : Value();
    mapping.map(op.getBlock()->getArguments().back(), elements.back());
    unsigned next = 0;
    for (auto [input, element, argument] :
         llvm::zip(op.getDpsInputs(), op.getBlock()->getArguments(), arguments))
      mapping.map(element, isSparse(input)
                               ? elements[next++]
                               : extractElement(b, loc, argument, coordinate));
    for (Operation &payload : *op.getBlock())
      b.clone(payload, mapping);
  };
  auto copy = GenericOp::create(inner, op.getLoc(), arguments[output].getType(),
                                inputs, arguments[output], maps,
                                {IteratorType::parallel}, body);
  func::ReturnOp::create(inner, op.getLoc(), copy.getResult(0));
  return copy;
}
