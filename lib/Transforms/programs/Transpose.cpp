//===- Transpose.cpp - Programs of transposed matrices --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every sparse tensor is given by its transpose: what was element (i, j) of it
// is element (j, i). Ops compute what they did, by other indices, so that their
// layouts and loop orders are chosen anew.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tsgu {
#define GEN_PASS_DEF_TRANSPOSE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;

namespace {

/// With the last two exchanged: those before them count the items of a batch.
template <typename T> SmallVector<T> exchangeLast(ArrayRef<T> range) {
  SmallVector<T> exchanged(range);
  std::swap(exchanged[range.size() - 1], exchanged[range.size() - 2]);
  return exchanged;
}

void transposeType(Value sparse) {
  auto type = cast<RankedTensorType>(sparse.getType());
  sparse.setType(type.clone(exchangeLast(type.getShape())));
}

void transposeDim(tensor::DimOp op) {
  int64_t rank = cast<RankedTensorType>(op.getSource().getType()).getRank();
  int64_t dim = *op.getConstantIndex();
  if (dim < rank - 2)
    return;
  OpBuilder builder(op);
  op.getIndexMutable().assign(
      arith::ConstantIndexOp::create(builder, op.getLoc(), 2 * rank - 3 - dim));
}

void transposeMaps(GenericOp op) {
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (isSparse(operand.get()))
      map = AffineMap::get(map.getNumDims(), 0, exchangeLast(map.getResults()),
                           op.getContext());
    maps.push_back(map);
  }
  op.setIndexingMapsAttr(Builder(op.getContext()).getAffineMapArrayAttr(maps));
}

LogicalResult transpose(func::FuncOp function) {
  if (failed(verifyProgram(function)))
    return failure();
  Builder builder(function.getContext());
  for (BlockArgument argument : function.getArguments()) {
    if (!isSparse(argument))
      continue;
    transposeType(argument);
    unsigned number = argument.getArgNumber();
    if (auto shape =
            function.getArgAttrOfType<DenseI32ArrayAttr>(number, shapeAttr))
      function.setArgAttr(
          number, shapeAttr,
          builder.getDenseI32ArrayAttr(exchangeLast(shape.asArrayRef())));
  }
  for (Operation &op : function.getBody().front()) {
    if (isa<StepOpInterface>(op) && !isa<AdjointOp>(op))
      return op.emitError("solves with a matrix, whose transpose is a mode of "
                          "the op");
    if (auto dim = dyn_cast<tensor::DimOp>(op);
        dim && isSparse(dim.getSource()))
      transposeDim(dim);
    if (auto generic = dyn_cast<GenericOp>(op))
      transposeMaps(generic);
    for (Value result : op.getResults())
      if (isSparse(result))
        transposeType(result);
  }
  function.setType(builder.getFunctionType(
      function.getBody().getArgumentTypes(),
      function.getBody().front().getTerminator()->getOperandTypes()));
  return success();
}

struct Transpose : tsgu::impl::TransposeBase<Transpose> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> program = getProgram(getOperation());
    if (failed(program))
      return signalPassFailure();
    // Those whose results it takes are programs of the same matrices.
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(transpose(function)))
        return signalPassFailure();
    program->setName((program->getName() + "_transpose").str());
  }
};

} // namespace
