//===- Batch.cpp - A leading index for every operand ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A batched tensor has one more dimension in front, a sparse one a dense level
// with as many stored entries per item as there are. Every op with a batched
// operand gets one more loop in front, which indexes its output.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tsgu {
#define GEN_PASS_DEF_BATCH
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;
namespace st = mlir::sparse_tensor;

static RankedTensorType batchType(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin(), ShapedType::kDynamic);
  Attribute encoding = type.getEncoding();
  if (auto sparse = st::getSparseTensorEncoding(type)) {
    SmallVector<st::LevelType> levels(sparse.getLvlTypes());
    levels.insert(levels.begin(),
                  *st::buildLevelType(st::LevelFormat::Dense, true, true));
    encoding = st::SparseTensorEncodingAttr::get(
        type.getContext(), levels,
        AffineMap::getMultiDimIdentityMap(shape.size(), type.getContext()),
        AffineMap(), sparse.getPosWidth(), sparse.getCrdWidth());
  }
  return RankedTensorType::get(shape, type.getElementType(), encoding);
}

namespace {

/// Rewrites one program in place.
class Batching {
public:
  explicit Batching(func::FuncOp program)
      : program(program), builder(program.getContext()) {}

  LogicalResult run(ArrayRef<unsigned> operands);

private:
  bool isBatched(Value value) { return batched.contains(value); }
  Value items(Location loc) {
    return tensor::DimOp::create(builder, loc, leader, 0).getResult();
  }
  void batchShape(unsigned operand);
  LogicalResult batchOp(Operation *op);
  Value batchEmpty(tensor::EmptyOp op);
  Value batchFill(linalg::FillOp op);
  Value batchGeneric(GenericOp op);
  Value batchStep(StepOpInterface op);
  Value repeat(Value tensor);
  /// The op with this result belongs to the batched part of the program.
  bool needsBatch(Operation *op);

  func::FuncOp program;
  OpBuilder builder;
  BlockArgument leader;    ///< A batched argument: tells the number of items.
  int32_t itemsSymbol = 0; ///< Of the number of items, in tsgu.shape.
  llvm::DenseSet<Value> batched;
};

/// The number of items is an extent that no unbatched tensor has.
void Batching::batchShape(unsigned operand) {
  auto shape = program.getArgAttrOfType<DenseI32ArrayAttr>(operand, shapeAttr);
  if (!shape)
    return;
  SmallVector<int32_t> extents(shape.asArrayRef());
  extents.insert(extents.begin(), itemsSymbol);
  program.setArgAttr(operand, shapeAttr, builder.getDenseI32ArrayAttr(extents));
}

/// Inits become batched when an op that writes over them is.
bool Batching::needsBatch(Operation *op) {
  if (llvm::any_of(op->getOperands(), [&](Value v) { return isBatched(v); }))
    return true;
  return isa<tensor::EmptyOp, linalg::FillOp, ZerosLikeOp>(op) &&
         llvm::any_of(op->getUsers(),
                      [&](Operation *user) { return needsBatch(user); });
}

Value Batching::batchEmpty(tensor::EmptyOp op) {
  SmallVector<Value> extents(op.getDynamicSizes());
  extents.insert(extents.begin(), items(op.getLoc()));
  return tensor::EmptyOp::create(builder, op.getLoc(), batchType(op.getType()),
                                 extents);
}

Value Batching::batchFill(linalg::FillOp op) {
  return linalg::FillOp::create(builder, op.getLoc(), op.value(), op.output())
      .getResult(0);
}

Value Batching::batchGeneric(GenericOp op) {
  Value start = getStart(op);
  Value init = start && !isBatched(start) ? repeat(start) : op.getDpsInits()[0];
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand).shiftDims(1);
    if (isBatched(operand.get()) || op.isDpsInit(&operand))
      map = map.insertResult(builder.getAffineDimExpr(0), 0);
    maps.push_back(map);
  }
  SmallVector<IteratorType> iterators = op.getIteratorTypesArray();
  iterators.insert(iterators.begin(), IteratorType::parallel);
  auto result = GenericOp::create(builder, op.getLoc(), init.getType(),
                                  op.getDpsInputs(), init, maps, iterators);
  result.getRegion().takeBody(op.getRegion());
  if (isSampled(op))
    setSampled(result);
  return result.getResult(0);
}

/// The tensor, once for each item.
Value Batching::repeat(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Location loc = tensor.getLoc();
  SmallVector<Value> extents{items(loc)};
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(d))
      extents.push_back(tensor::DimOp::create(builder, loc, tensor, d));
  Value init = tensor::EmptyOp::create(builder, loc, batchType(type), extents);
  AffineMap map = builder.getMultiDimIdentityMap(type.getRank() + 1);
  SmallVector<IteratorType> loops(map.getNumDims(), IteratorType::parallel);
  return GenericOp::create(
             builder, loc, init.getType(), tensor, init,
             ArrayRef<AffineMap>{map.dropResult(0), map}, loops,
             [](OpBuilder &inner, Location loc, ValueRange elements) {
               linalg::YieldOp::create(inner, loc, elements[0]);
             })
      .getResult(0);
}

Value Batching::batchStep(StepOpInterface op) {
  IRMapping mapping;
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()) && !isBatched(operand))
      mapping.map(operand, repeat(operand));
  Value result = builder.clone(*op, mapping)->getResult(0);
  result.setType(batchType(cast<RankedTensorType>(result.getType())));
  return result;
}

LogicalResult Batching::batchOp(Operation *op) {
  builder.setInsertionPoint(op);
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    if (!isBatched(dim.getSource()))
      return success();
    Value moved = tensor::DimOp::create(builder, op->getLoc(), dim.getSource(),
                                        *dim.getConstantIndex() + 1);
    dim.replaceAllUsesWith(moved);
    dim.erase();
    return success();
  }
  if (op->getNumResults() != 1 ||
      !isa<TensorType>(op->getResult(0).getType()) || !needsBatch(op))
    return success();
  if (auto step = dyn_cast<StepOpInterface>(op))
    if (Value matrix = step.getSparse(); matrix && !isBatched(matrix))
      return op->emitError("solves with one matrix for a batch of right-hand "
                           "sides: batch the matrix as well, or call the "
                           "program itself with a leading batch");
  Value result =
      llvm::TypeSwitch<Operation *, Value>(op)
          .Case([&](tensor::EmptyOp empty) { return batchEmpty(empty); })
          .Case([&](linalg::FillOp fill) { return batchFill(fill); })
          .Case([&](ZerosLikeOp zeros) -> Value {
            return ZerosLikeOp::create(builder, op->getLoc(),
                                       zeros.getSource());
          })
          .Case([&](StepOpInterface step) { return batchStep(step); })
          .Case([&](GenericOp generic) { return batchGeneric(generic); });
  batched.insert(result);
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
  return success();
}

LogicalResult Batching::run(ArrayRef<unsigned> operands) {
  if (failed(verifyProgram(program)))
    return failure();
  for (unsigned i = 0; i < program.getNumArguments(); ++i)
    if (auto shape = program.getArgAttrOfType<DenseI32ArrayAttr>(i, shapeAttr))
      for (int32_t symbol : shape.asArrayRef())
        itemsSymbol = std::max(itemsSymbol, symbol + 1);
  for (unsigned operand : operands) {
    if (operand >= program.getNumArguments())
      return program.emitError("has no operand ") << operand << " to batch";
    BlockArgument argument = program.getArgument(operand);
    if (isBatched(argument))
      return program.emitError("operand ") << operand << " is given twice";
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      return program.emitError("operand ")
             << operand << " is a solver: it serves all items";
    if (isSparse(type) && type.getRank() != 2)
      return program.emitError("operand ")
             << operand << " is sparse and batched already";
    argument.setType(batchType(type));
    batchShape(operand);
    batched.insert(argument);
    if (!leader)
      leader = argument;
  }
  for (BlockArgument argument : program.getArguments()) {
    if (getResultOf(argument))
      return program.emitError("holds the result of another program: batch it "
                               "before differentiating");
    // One pattern is batched for all its tensors or for none.
    for (BlockArgument other : program.getArguments())
      if (isSparse(argument) && isSparse(other) &&
          getPattern(argument) == getPattern(other) &&
          isBatched(argument) != isBatched(other))
        return program.emitError("operands ")
               << argument.getArgNumber() << " and " << other.getArgNumber()
               << " share a pattern: batch both";
  }
  SmallVector<Operation *> ops;
  for (Operation &op : program.getBody().front())
    ops.push_back(&op);
  for (Operation *op : ops)
    if (failed(batchOp(op)))
      return failure();
  program.setName((program.getName() + "_batch").str());
  program.setType(builder.getFunctionType(
      program.getBody().getArgumentTypes(),
      program.getBody().front().getTerminator()->getOperandTypes()));
  return success();
}

struct Batch : tsgu::impl::BatchBase<Batch> {
  using BatchBase::BatchBase;

  void runOnOperation() override {
    FailureOr<func::FuncOp> program = getProgram(getOperation());
    if (failed(program))
      return signalPassFailure();
    SmallVector<unsigned> chosen(operands.begin(), operands.end());
    if (chosen.empty())
      for (BlockArgument argument : program->getArguments())
        if (isa<RankedTensorType>(argument.getType()))
          chosen.push_back(argument.getArgNumber());
    if (failed(Batching(*program).run(chosen)))
      signalPassFailure();
  }
};

} // namespace
