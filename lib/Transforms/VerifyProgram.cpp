//===- VerifyProgram.cpp - The grammar of programs ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What passes here compiles: later passes, ours and upstream's, need not expect
// anything else. What does not pass gets a diagnostic at its op.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace tsgu {
#define GEN_PASS_DEF_VERIFYPROGRAM
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
namespace st = mlir::sparse_tensor;

/// A sparse type is CSR, or a batch of CSR: dense levels in the order of the
/// dimensions, then a compressed one.
static LogicalResult verifyType(Operation *op, Type type, StringRef what) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return op->emitError() << what << " must be a ranked tensor, not " << type;
  if (!isa<Float32Type, Float64Type>(tensor.getElementType()))
    return op->emitError() << what << " must have elements f32 or f64, not "
                           << tensor.getElementType();
  auto encoding = st::getSparseTensorEncoding(tensor);
  if (!encoding)
    return success();
  int64_t rank = tensor.getRank();
  bool rows = (rank == 2 || rank == 3) && encoding.isIdentity() &&
              static_cast<int64_t>(encoding.getLvlRank()) == rank;
  for (int64_t level = 0; rows && level < rank; ++level)
    rows =
        level + 1 < rank
            ? st::isDenseLT(encoding.getLvlType(level))
            : encoding.getLvlType(level) ==
                  *st::buildLevelType(st::LevelFormat::Compressed, true, true);
  if (!rows)
    return op->emitError()
           << what
           << " must be stored by rows (dense levels, then a compressed "
           << "one, in the order of its 2 or 3 dimensions), not as " << tensor;
  return success();
}

static LogicalResult verifySignature(func::FuncOp program) {
  if (program.isExternal() || !program.getBody().hasOneBlock())
    return program.emitError("a program is one block of ops");
  if (program.getNumResults() != 1)
    return program.emitError("a program has one result, not ")
           << program.getNumResults();
  for (BlockArgument argument : program.getArguments()) {
    std::string what = "argument " + std::to_string(argument.getArgNumber());
    if (failed(verifyType(program, argument.getType(), what)))
      return failure();
    if (isSparse(argument) && !getPattern(argument))
      return program.emitError(what)
             << " is sparse: name its pattern with '" << patternAttr << "'";
  }
  if (failed(verifyType(program, program.getResultTypes()[0], "the result")))
    return failure();
  Value result = program.getBody().front().getTerminator()->getOperand(0);
  if (isSparse(result) &&
      getPattern(result) != program.getResultAttr(0, patternAttr))
    return program.emitError("the result is on pattern ")
           << getPattern(result) << "; say so with '" << patternAttr << "'";
  return success();
}

static LogicalResult verifyMaps(GenericOp op) {
  for (AffineMap map : op.getIndexingMapsArray())
    if (!map.isProjectedPermutation() || map.getNumSymbols() != 0)
      return op.emitError("indexes an operand by ")
             << AffineMapAttr::get(map)
             << "; each dimension must be indexed by a loop of its own";
  return success();
}

/// All sparse tensors of an op have one pattern and are indexed alike.
static LogicalResult verifyPatterns(GenericOp op) {
  OpOperand *first = nullptr;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isSparse(operand.get()))
      continue;
    if (!getPattern(operand.get()))
      return op.emitError("has a sparse operand whose pattern is not known");
    if (!first) {
      first = &operand;
      continue;
    }
    if (getPattern(first->get()) != getPattern(operand.get()))
      return op.emitError("combines sparse tensors on patterns ")
             << getPattern(first->get()) << " and " << getPattern(operand.get())
             << "; go through a dense intermediate result";
    if (op.getMatchingIndexingMap(first) != op.getMatchingIndexingMap(&operand))
      return op.emitError("indexes tensors on pattern ")
             << getPattern(first->get()) << " in different ways";
  }
  if (!first)
    return isSampled(op) ? op.emitError("is marked '")
                               << sampledAttr << "', but has no sparse tensor"
                         : success();
  if (isSparse(op.getDpsInits()[0]) && !isSampled(op))
    return op.emitError("has a sparse result: mark it '")
           << sampledAttr << "', it is computed at stored entries only";
  return success();
}

static LogicalResult verifyPayload(GenericOp op) {
  FailureOr<Payload> payload = getPayload(op);
  if (failed(payload))
    return failure();
  for (Operation &inner : op.getBlock()->without_terminator()) {
    bool known =
        isa<arith::ArithDialect, math::MathDialect>(inner.getDialect()) ||
        isa<LogAddExpOp>(inner);
    if (!known || inner.getNumRegions() != 0 || inner.getNumResults() != 1)
      return inner.emitError("has no place in a payload");
  }
  if (payload->term.getDefiningOp<LogAddExpOp>())
    return op.emitError("uses tsgu.logaddexp for other than a reduction");
  if (!isSampled(op) &&
      llvm::any_of(op.getDpsInputs(), [](Value v) { return isSparse(v); }) &&
      !annihilates(op, payload->term))
    return op.emitError(
               "is not known to be zero where its sparse operand is absent; "
               "mark it '")
           << sampledAttr << "' to leave absent entries out";
  return success();
}

/// The output starts from the identity of the reduction.
static LogicalResult verifyInit(GenericOp op) {
  Value init = op.getDpsInits()[0];
  Reduction reduction = getPayload(op)->reduction;
  if (init.getDefiningOp<tensor::EmptyOp>() && reduction == Reduction::None)
    return success();
  if (init.getDefiningOp<ZerosLikeOp>() &&
      (reduction == Reduction::None || reduction == Reduction::Add))
    return success();
  auto fill = init.getDefiningOp<linalg::FillOp>();
  FloatAttr value;
  if (!fill || !matchPattern(fill.value(), m_Constant(&value)))
    return op.emitError(
        "must start from a tensor.empty filled with a constant, "
        "or from tsgu.zeros_like");
  auto type = cast<FloatType>(value.getType());
  if (reduction != Reduction::None &&
      value.getValue() != getIdentity(reduction, type).getValue())
    return op.emitError("starts from ")
           << value << ", but its reduction's neutral element is "
           << getIdentity(reduction, type);
  return success();
}

static LogicalResult verifyOp(Operation *op) {
  if (isa<arith::ConstantOp, tensor::EmptyOp, ZerosLikeOp, linalg::FillOp,
          func::ReturnOp>(op))
    return success();
  if (auto dim = dyn_cast<tensor::DimOp>(op))
    return dim.getConstantIndex() ? success()
                                  : dim.emitError("needs a constant dimension");
  auto generic = dyn_cast<GenericOp>(op);
  if (!generic)
    return op->emitError("has no place in a program: it is made of linalg ops, "
                         "tensor.empty, tensor.dim, constants and tsgu ops");
  if (failed(verifyMaps(generic)) || failed(verifyPatterns(generic)) ||
      failed(verifyPayload(generic)))
    return failure();
  return verifyInit(generic);
}

LogicalResult tsgu::verifyProgram(func::FuncOp program) {
  if (failed(verifySignature(program)) || failed(generalizeNamedOps(program)))
    return failure();
  for (Operation &op : program.getBody().front())
    if (failed(verifyOp(&op)))
      return failure();
  return success();
}

namespace {
struct VerifyProgram : tsgu::impl::VerifyProgramBase<VerifyProgram> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> program = getProgram(getOperation());
    if (failed(program) || failed(verifyProgram(*program)))
      signalPassFailure();
  }
};
} // namespace
