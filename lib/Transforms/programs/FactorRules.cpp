//===- FactorRules.cpp - Derivatives of determinants ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "programs/FactorRules.h"
#include "programs/LinalgRules.h"
#include "programs/ScalarOps.h"
#include "programs/SelfAdjointRule.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tsgu;

namespace {

constexpr unsigned matrixOperand = 1, directionOperand = 2;

/// Loops over the entries of a matrix, or of each item; and over the items.
AffineMap entries(OpBuilder &builder, Value matrix) {
  return builder.getMultiDimIdentityMap(
      cast<RankedTensorType>(matrix.getType()).getRank());
}
AffineMap items(OpBuilder &builder, Value matrix) {
  AffineMap map = entries(builder, matrix);
  return AffineMap::get(map.getNumDims(), 0, map.getResults().drop_back(2),
                        builder.getContext());
}

/// d log det A = tr(A^-1 dA), the sum of conj(S) dA over the entries of A, with
/// S = A^-H on them.
struct LogDetRule
    : DifferentiableOpInterface::ExternalModel<LogDetRule, LogDetOp> {
  static Value inverse(OpBuilder &builder, LogDetOp op, Value A) {
    return SelectedInverseOp::create(builder, op.getLoc(), op.getSolver(), A);
  }

  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &, Value g,
                                  StoredValue stored) const {
    auto logdet = cast<LogDetOp>(op);
    Value A = stored(logdet.getMatrix());
    ProductTerm term{{{inverse(builder, logdet, A), entries(builder, A)},
                      {g, items(builder, A)}}};
    return buildSumOfProducts(builder, op->getLoc(), term,
                              buildZero(builder, op->getLoc(), A),
                              entries(builder, A));
  }

  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    auto logdet = cast<LogDetOp>(op);
    Location loc = op->getLoc();
    Value A = stored(logdet.getMatrix());
    auto type = cast<RankedTensorType>(logdet.getType());
    SmallVector<Value> extents;
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        extents.push_back(tensor::DimOp::create(builder, loc, A, d));
    Value empty = tensor::EmptyOp::create(builder, loc, type, extents);
    Value zero = createConstant(builder, loc, type.getElementType(), 0.0);
    ProductTerm term{
        {{tangents[matrixOperand], entries(builder, A)},
         {inverse(builder, logdet, A), entries(builder, A), isComplex(type)}}};
    return buildSumOfProducts(
        builder, loc, term,
        linalg::FillOp::create(builder, loc, zero, empty).getResult(0),
        items(builder, A));
  }
};

/// It is constant wherever there is one.
struct SignDetRule
    : DifferentiableOpInterface::ExternalModel<SignDetRule, SignDetOp> {
  FailureOr<Value> buildCotangent(Operation *, OpBuilder &, OpOperand &, Value,
                                  StoredValue) const {
    return Value();
  }
  FailureOr<Value> buildTangent(Operation *, OpBuilder &, ArrayRef<Value>,
                                StoredValue) const {
    return Value();
  }
};

/// dS = -A^-H dA^H A^-H, self-adjoint: <G, A^-H D^H A^-H> is the real part of
/// tr(G^H A^-H D^H A^-H), in which G and D may change places.
struct SelectedInverseRule
    : DifferentiableOpInterface::ExternalModel<SelectedInverseRule,
                                               SelectedInverseOp> {
  static Value derivative(OpBuilder &builder, SelectedInverseOp op, Value A,
                          Value D) {
    Location loc = op.getLoc();
    Value product =
        SelectedProductOp::create(builder, loc, op.getSolver(), A, D);
    ProductTerm term{{{product, entries(builder, A)}}, /*negated=*/true};
    return buildSumOfProducts(builder, loc, term, buildZero(builder, loc, A),
                              entries(builder, A));
  }

  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &, Value G,
                                  StoredValue stored) const {
    auto inverse = cast<SelectedInverseOp>(op);
    return derivative(builder, inverse, stored(inverse.getMatrix()), G);
  }
  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    auto inverse = cast<SelectedInverseOp>(op);
    return derivative(builder, inverse, stored(inverse.getMatrix()),
                      tangents[matrixOperand]);
  }
};

struct SelectedProductRule
    : DifferentiableOpInterface::ExternalModel<SelectedProductRule,
                                               SelectedProductOp> {
  static LogicalResult refuse(Operation *op) {
    return op->emitOpError("has no derivative by its matrix, which would need "
                           "entries of the inverse beside the pattern: a "
                           "log-determinant has two derivatives, a selected "
                           "inverse has one");
  }
  static Value apply(OpBuilder &builder, SelectedProductOp op, Value D,
                     StoredValue stored) {
    return SelectedProductOp::create(builder, op.getLoc(), op.getSolver(),
                                     stored(op.getMatrix()), D);
  }

  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &input, Value G,
                                  StoredValue stored) const {
    if (input.getOperandNumber() != directionOperand)
      return refuse(op);
    return apply(builder, cast<SelectedProductOp>(op), G, stored);
  }
  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    if (tangents[matrixOperand])
      return refuse(op);
    return apply(builder, cast<SelectedProductOp>(op),
                 tangents[directionOperand], stored);
  }
};

} // namespace

void tsgu::registerFactorRules(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TsguDialect *) {
    LogDetOp::attachInterface<LogDetRule>(*context);
    SignDetOp::attachInterface<SignDetRule>(*context);
    SelectedInverseOp::attachInterface<SelectedInverseRule>(*context);
    SelectedProductOp::attachInterface<SelectedProductRule>(*context);
    AdjointOp::attachInterface<SelfAdjointRule<AdjointOp>>(*context);
  });
}
