//===- FactorOps.cpp - What a factorisation says --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"

using namespace mlir;
using namespace tsgu;

LogicalResult tsgu::detail::verifyFactor(Operation *op) {
  return detail::verifyMatrix(op, cast<FactorOpInterface>(op).getMatrix(),
                              /*square=*/true);
}

/// A number for each item.
static LogicalResult verifyNumbers(FactorOpInterface op) {
  auto matrix = cast<RankedTensorType>(op.getMatrix().getType());
  auto expected = RankedTensorType::get(matrix.getShape().drop_back(2),
                                        matrix.getElementType());
  Type result = op->getResult(0).getType();
  if (result != expected)
    return op->emitOpError("gives ") << expected << ", not " << result;
  return success();
}

LogicalResult LogDetOp::verify() { return verifyNumbers(*this); }

LogicalResult SignDetOp::verify() {
  if (isa<ComplexType>(getElementTypeOrSelf(getMatrix())))
    return emitOpError("is for real matrices: the phase of a complex "
                       "determinant is exp(i Im log det A)");
  return verifyNumbers(*this);
}

OpFoldResult SelectedProductOp::fold(FoldAdaptor) {
  if (getDirection().getDefiningOp<ZerosLikeOp>())
    return getDirection();
  return {};
}

LogicalResult AdjointOp::verify() {
  return detail::verifyMatrix(getOperation(), getSource(), /*square=*/true);
}

OpFoldResult AdjointOp::fold(FoldAdaptor) {
  if (getSource().getDefiningOp<ZerosLikeOp>())
    return getSource();
  if (auto inner = getSource().getDefiningOp<AdjointOp>())
    return inner.getSource();
  return {};
}
