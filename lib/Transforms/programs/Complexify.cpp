//===- Complexify.cpp - A program over complex numbers --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before differentiation, so that derivatives conjugate where they have to.
//
//===----------------------------------------------------------------------===//

#include "programs/ScalarOps.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tsgu {
#define GEN_PASS_DEF_COMPLEXIFY
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

/// Whether an op computes with floats that are no tensor's.
bool isScalarFloatOp(Operation &op) {
  auto isFloat = [](Type type) { return isa<FloatType>(type); };
  bool scalar =
      isa_and_nonnull<arith::ArithDialect, math::MathDialect, TsguDialect>(
          op.getDialect());
  return scalar && (llvm::any_of(op.getOperandTypes(), isFloat) ||
                    llvm::any_of(op.getResultTypes(), isFloat));
}

/// The same op on complex numbers, of operands that are complex by now; null if
/// there is none.
Value buildComplex(OpBuilder &builder, Operation &op) {
  Location loc = op.getLoc();
  auto operand = [&](unsigned i) { return op.getOperand(i); };
  return llvm::TypeSwitch<Operation *, Value>(&op)
      .Case([&](arith::ConstantOp constant) {
        auto value = cast<FloatAttr>(constant.getValue());
        return createConstant(builder, loc, ComplexType::get(value.getType()),
                              value.getValueAsDouble());
      })
      .Case([&](arith::AddFOp) {
        return complex::AddOp::create(builder, loc, operand(0), operand(1));
      })
      .Case([&](arith::SubFOp) {
        return complex::SubOp::create(builder, loc, operand(0), operand(1));
      })
      .Case([&](arith::MulFOp) {
        return complex::MulOp::create(builder, loc, operand(0), operand(1));
      })
      .Case([&](arith::DivFOp) {
        return complex::DivOp::create(builder, loc, operand(0), operand(1));
      })
      .Case([&](arith::NegFOp) {
        return complex::NegOp::create(builder, loc, operand(0));
      })
      .Default([](Operation *) { return Value(); });
}

LogicalResult refuseOthers(func::FuncOp program) {
  auto result =
      program.walk(
          [](Operation *op) {
            bool known = isa<arith::ConstantOp, arith::AddFOp, arith::SubFOp,
                             arith::MulFOp, arith::DivFOp, arith::NegFOp>(op);
            if (known || !isScalarFloatOp(*op))
              return WalkResult::advance();
            op->emitError("'")
                << op->getName()
                << "' has no meaning for complex numbers here: programs "
                   "over them add, subtract, multiply, divide and negate";
            return WalkResult::interrupt();
          });
  return failure(result.wasInterrupted());
}

/// Makes f64 complex in types; attributes that hold numbers stay.
void retype(func::FuncOp program) {
  AttrTypeReplacer replacer;
  replacer.addReplacement([](Float64Type type) -> std::pair<Type, WalkResult> {
    return {ComplexType::get(type), WalkResult::skip()};
  });
  replacer.addReplacement([](ComplexType type) -> std::pair<Type, WalkResult> {
    return {type, WalkResult::skip()};
  });
  replacer.addReplacement(
      [](FloatAttr attr) -> std::pair<Attribute, WalkResult> {
        return {attr, WalkResult::skip()};
      });
  replacer.recursivelyReplaceElementsIn(program, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

LogicalResult complexify(func::FuncOp program) {
  if (failed(verifyProgram(program)))
    return failure();
  Type element = getElementTypeOrSelf(program.getResultTypes()[0]);
  if (!element.isF64())
    return program.emitError("is written for ")
           << element << "; programs are written for f64";
  if (failed(refuseOthers(program)))
    return failure();
  SmallVector<Operation *> scalars;
  program.walk([&](Operation *op) {
    if (isScalarFloatOp(*op))
      scalars.push_back(op);
  });
  retype(program);
  for (Operation *op : scalars) {
    OpBuilder builder(op);
    op->getResult(0).replaceAllUsesWith(buildComplex(builder, *op));
    op->erase();
  }
  return success();
}

struct Complexify : tsgu::impl::ComplexifyBase<Complexify> {
  void runOnOperation() override {
    for (auto program : getOperation().getOps<func::FuncOp>())
      if (failed(complexify(program)))
        return signalPassFailure();
  }
};

} // namespace
