//===- MaterializeConstants.cpp - Constant data as ops --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/Stage.h"
#include "programs/ScalarOps.h"

#include "tsgu/Dialect/Levels.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;

static bool isInit(OpOperand &use) {
  auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
  return op && op.isDpsInit(&use);
}

/// Reads the operand through an op: one that fills with the constant, or
/// copies.
static void materialize(OpOperand &use) {
  Value source = use.get();
  OpBuilder builder(use.getOwner());
  AffineMap map = builder.getMultiDimIdentityMap(
      cast<RankedTensorType>(source.getType()).getRank());
  SmallVector<IteratorType> loops(map.getNumDims(), IteratorType::parallel);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps{map};
  Value init = source, constant;
  if (auto fill = source.getDefiningOp<linalg::FillOp>()) {
    constant = fill.value();
    init = fill.output();
  } else if (source.getDefiningOp<ZerosLikeOp>()) {
    constant = createConstant(builder, source.getLoc(),
                              getElementTypeOrSelf(source), 0.0);
  } else {
    inputs.push_back(source);
    maps.push_back(map);
    if (isSparse(source)) {
      init = ZerosLikeOp::create(builder, source.getLoc(), source);
    } else {
      SmallVector<Value> extents;
      auto type = cast<RankedTensorType>(source.getType());
      for (int64_t d = 0; d < type.getRank(); ++d)
        if (type.isDynamicDim(d))
          extents.push_back(
              tensor::DimOp::create(builder, source.getLoc(), source, d));
      init = tensor::EmptyOp::create(builder, source.getLoc(), type, extents);
    }
  }
  auto op = GenericOp::create(
      builder, source.getLoc(), init.getType(), inputs, init, maps, loops,
      [&](OpBuilder &inner, Location loc, ValueRange elements) {
        linalg::YieldOp::create(inner, loc, constant ? constant : elements[0]);
      });
  op->setAttr(partitionAttr, builder.getI64IntegerAttr(map.getNumDims() > 0));
  op->setAttr(proofAttr,
              builder.getStringAttr("every iteration writes its own element"));
  if (isSparse(init)) {
    setSampled(op);
    op->setAttr(layoutAttr, getEncoding(op.getContext(),
                                        canonicalLevels(map.getNumDims())));
  }
  use.set(op.getResult(0));
}

void tsgu::materializeConstants(func::FuncOp program) {
  SmallVector<OpOperand *> uses;
  program.walk([&](Operation *op) {
    bool returns = isa<func::ReturnOp>(op);
    if (!returns && !isStage(op))
      return;
    for (OpOperand &use : op->getOpOperands())
      if (!isStage(use.get().getDefiningOp()) && !isInit(use) &&
          (returns || use.get().getDefiningOp<linalg::FillOp>() ||
           use.get().getDefiningOp<ZerosLikeOp>()))
        uses.push_back(&use);
  });
  for (OpOperand *use : uses)
    materialize(*use);
}
