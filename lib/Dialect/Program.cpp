//===- Program.cpp - Reading programs -------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Program.h"

#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace tsgu {

FailureOr<func::FuncOp> getProgram(ModuleOp module) {
  func::FuncOp program;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic())
      continue;
    if (program)
      return function.emitError("a program has one public function, but @")
             << program.getName() << " is public as well";
    program = function;
  }
  if (!program)
    return module.emitError("no program: the module has no public function");
  return program;
}

bool isSparse(Type type) {
  return static_cast<bool>(sparse_tensor::getSparseTensorEncoding(type));
}

FlatSymbolRefAttr getPattern(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto zeros = dyn_cast<ZerosLikeOp>(op))
      value = zeros.getSource();
    else if (auto step = dyn_cast<StepOpInterface>(op); step && isSparse(value))
      value = step.getSparse();
    else if (auto generic = dyn_cast<linalg::GenericOp>(op))
      value = generic.getDpsInits()[cast<OpResult>(value).getResultNumber()];
    else
      return nullptr;
  }
  auto argument = cast<BlockArgument>(value);
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function)
    return nullptr;
  return function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(),
                                                      patternAttr);
}

BlockArgument getPatternArgument(func::FuncOp function,
                                 FlatSymbolRefAttr pattern) {
  for (BlockArgument argument : function.getArguments())
    if (isSparse(argument) && getPattern(argument) == pattern)
      return argument;
  return nullptr;
}

FlatSymbolRefAttr getResultOf(BlockArgument argument) {
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  return function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(),
                                                      resultOfAttr);
}

TypedAttr getIdentity(Reduction reduction, Type type) {
  if (auto complexType = dyn_cast<ComplexType>(type)) // Which are only summed.
    return complex::NumberAttr::get(complexType, 0.0, 0.0);
  const llvm::fltSemantics &semantics =
      cast<FloatType>(type).getFloatSemantics();
  switch (reduction) {
  case Reduction::None:
  case Reduction::Add:
    return FloatAttr::get(type, APFloat::getZero(semantics));
  case Reduction::Max:
  case Reduction::MaxNumber:
  case Reduction::LogAddExp:
    return FloatAttr::get(type, APFloat::getInf(semantics, /*Negative=*/true));
  case Reduction::Min:
  case Reduction::MinNumber:
    return FloatAttr::get(type, APFloat::getInf(semantics));
  }
  llvm_unreachable("covered switch");
}

static std::optional<Reduction> getReduction(Operation *combiner) {
  if (isa<arith::AddFOp, complex::AddOp>(combiner))
    return Reduction::Add;
  if (isa<arith::MaximumFOp>(combiner))
    return Reduction::Max;
  if (isa<arith::MinimumFOp>(combiner))
    return Reduction::Min;
  if (isa<arith::MaxNumFOp>(combiner))
    return Reduction::MaxNumber;
  if (isa<arith::MinNumFOp>(combiner))
    return Reduction::MinNumber;
  if (isa<LogAddExpOp>(combiner))
    return Reduction::LogAddExp;
  return std::nullopt;
}

FailureOr<Payload> getPayload(linalg::GenericOp op) {
  if (op.getNumResults() != 1)
    return op.emitError("a program's op has one result");
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  BlockArgument out = op.getBlock()->getArguments().back();
  if (out.use_empty()) {
    if (op.getNumReductionLoops() == 0)
      return Payload{Reduction::None, yielded};
    return op.emitError("a reduction must combine its terms with the output");
  }
  Operation *combiner = yielded.getDefiningOp();
  if (!combiner || !out.hasOneUse() || *out.user_begin() != combiner ||
      !getReduction(combiner))
    return op.emitError(
        "the output may only be combined with one term, by arith.addf, "
        "arith.maximumf, arith.minimumf, arith.maxnumf, arith.minnumf, "
        "tsgu.logaddexp or complex.add");
  unsigned other = combiner->getOperand(0) == out ? 1 : 0;
  return Payload{*getReduction(combiner), combiner->getOperand(other)};
}

Value getStart(linalg::GenericOp op) {
  Value init = op.getDpsInits()[0];
  bool neutral = isa_and_nonnull<tensor::EmptyOp, linalg::FillOp, ZerosLikeOp>(
      init.getDefiningOp());
  return neutral ? Value() : init;
}

bool isSampled(linalg::GenericOp op) { return op->hasAttr(sampledAttr); }

void setSampled(linalg::GenericOp op) {
  op->setAttr(sampledAttr, UnitAttr::get(op.getContext()));
}

static bool isZero(Value value) {
  if (auto constant = value.getDefiningOp<complex::ConstantOp>())
    return llvm::all_of(constant.getValue(), [](Attribute part) {
      return cast<FloatAttr>(part).getValue().isZero();
    });
  return matchPattern(value, m_AnyZeroFloat());
}

/// Whether an op gives zero, given which of its operands are zero.
static bool givesZero(Operation *op, function_ref<bool(Value)> isZero) {
  auto zero = [&](unsigned i) { return isZero(op->getOperand(i)); };
  if (isa<arith::MulFOp, complex::MulOp>(op))
    return zero(0) || zero(1);
  if (isa<arith::AddFOp, arith::SubFOp, arith::MaximumFOp, arith::MinimumFOp,
          complex::AddOp, complex::SubOp>(op))
    return zero(0) && zero(1);
  if (isa<arith::SelectOp>(op))
    return zero(1) && zero(2);
  return isa<arith::DivFOp, arith::NegFOp, arith::ExtFOp, arith::TruncFOp,
             math::AbsFOp, math::SqrtOp, math::SinOp, math::TanOp, math::SinhOp,
             math::TanhOp, math::AsinOp, math::AtanOp, math::AsinhOp,
             math::AtanhOp, math::ErfOp, math::ExpM1Op, math::Log1pOp,
             complex::DivOp, complex::NegOp, complex::ConjOp>(op) &&
         zero(0);
}

bool annihilates(Value term, function_ref<bool(BlockArgument)> isSparse) {
  DenseSet<Value> zeros;
  auto knownZero = [&](Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return isSparse(argument);
    return zeros.contains(value) || isZero(value);
  };
  Operation *def = term.getDefiningOp();
  if (!def || isZero(term))
    return knownZero(term);
  for (Operation &op : *def->getBlock()) {
    if (givesZero(&op, knownZero))
      zeros.insert(op.getResult(0));
    if (&op == def)
      break;
  }
  return zeros.contains(term);
}

bool annihilates(linalg::GenericOp op, Value term) {
  return annihilates(term, [&](BlockArgument argument) {
    return argument.getOwner() == op.getBlock() &&
           isSparse(op->getOperand(argument.getArgNumber()));
  });
}

LogicalResult generalizeNamedOps(func::FuncOp function) {
  SmallVector<linalg::LinalgOp> named;
  function.walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::GenericOp, linalg::FillOp>(op))
      named.push_back(op);
  });
  IRRewriter rewriter(function.getContext());
  for (linalg::LinalgOp op : named) {
    rewriter.setInsertionPoint(op);
    DictionaryAttr attributes = op->getDiscardableAttrDictionary();
    FailureOr<linalg::GenericOp> generic =
        linalg::generalizeNamedOp(rewriter, op);
    if (failed(generic))
      return op.emitError("cannot be written as a linalg.generic");
    for (NamedAttribute attr : attributes)
      (*generic)->setAttr(attr.getName(), attr.getValue());
  }
  return success();
}

} // namespace tsgu
