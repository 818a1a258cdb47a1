//===- ScalarDerivative.cpp - Derivatives of scalar payloads --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Forward accumulation through the payload: d(value)/d(variable), written with
// the results of the payload where that is cheaper (exp, sqrt, tanh, division),
// so that a stored result can stand in for them.
//
//===----------------------------------------------------------------------===//

#include "programs/ScalarDerivative.h"
#include "programs/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numbers>

using namespace mlir;
using namespace tsgu;

namespace {

/// Differentiates one payload by one variable. Null is zero throughout.
class Derivative {
public:
  Derivative(OpBuilder &builder, Value variable, const IRMapping &primal)
      : b(builder), payload(variable.getParentRegion()), primal(primal) {
    known[variable].slope = constant(variable, 1.0);
  }

  /// Goes through the payload from the variable to the value.
  FailureOr<ScalarSlopes> of(Value value);

private:
  FailureOr<ScalarSlopes> ofOp(Operation *op);
  /// By the variable or its conjugate, given the operands' derivatives by that.
  FailureOr<Value> chain(Operation *op, ArrayRef<Value> inner);
  /// The slope of a function of one operand; null if there is no rule.
  Value slope(Operation *op, Value x, Value y);
  /// The slopes of a function of two operands.
  std::optional<std::pair<Value, Value>> slopes(Operation *op, Value x, Value y,
                                                Value result);

  Value constant(Value like, double value) {
    return createConstant(b, like.getLoc(), like.getType(), value);
  }
  static bool isConstant(Value v, double value) {
    if (auto number = v.getDefiningOp<complex::ConstantOp>()) {
      auto real = cast<FloatAttr>(number.getValue()[0]);
      auto imaginary = cast<FloatAttr>(number.getValue()[1]);
      return real.getValue().isExactlyValue(value) &&
             imaginary.getValue().isZero();
    }
    FloatAttr attr;
    return matchPattern(v, m_Constant(&attr)) &&
           attr.getValue().isExactlyValue(value);
  }

  Value add(Value x, Value y) {
    if (!x || !y)
      return x ? x : y;
    return createAdd(b, x.getLoc(), x, y);
  }
  Value sub(Value x, Value y) { return createSub(b, x.getLoc(), x, y); }
  Value neg(Value x) { return x ? createNeg(b, x.getLoc(), x) : x; }
  Value mul(Value x, Value y) {
    if (!x || !y)
      return nullptr;
    if (isConstant(x, 1.0))
      return y;
    if (isConstant(y, 1.0))
      return x;
    if (isConstant(x, -1.0))
      return neg(y);
    if (isConstant(y, -1.0))
      return neg(x);
    return createMul(b, x.getLoc(), x, y);
  }
  Value div(Value x, Value y) { return x ? createDiv(b, y.getLoc(), x, y) : x; }
  Value compare(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, x.getLoc(), predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, x.getLoc(), condition, x, y);
  }
  template <typename Op> Value unary(Value x) {
    return Op::create(b, x.getLoc(), x);
  }

  OpBuilder &b;
  Region *payload;
  const IRMapping &primal;
  DenseMap<Value, ScalarSlopes> known; ///< Of what depends on the variable.
};

/// The payload's ops that a value is computed with, in their order.
SmallVector<Operation *> getComputation(Value value, Region *payload) {
  llvm::SetVector<Operation *> ops;
  auto add = [&](Value operand) {
    Operation *def = operand.getDefiningOp();
    if (def && def->getParentRegion() == payload)
      ops.insert(def);
  };
  add(value);
  for (unsigned i = 0; i < ops.size(); ++i)
    for (Value operand : ops[i]->getOperands())
      add(operand);
  SmallVector<Operation *> inOrder;
  if (!ops.empty())
    for (Operation &op : *ops[0]->getBlock())
      if (ops.contains(&op))
        inOrder.push_back(&op);
  return inOrder;
}

Value Derivative::slope(Operation *op, Value x, Value y) {
  auto one = [&] { return constant(x, 1.0); };
  using std::numbers::ln10;
  using std::numbers::ln2;
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<arith::NegFOp, complex::NegOp>(
          [&](auto) { return constant(x, -1.0); })
      .Case([&](math::AbsFOp) {
        Value zero = constant(x, 0.0);
        Value sign = math::CopySignOp::create(b, x.getLoc(), one(), x);
        return select(compare(arith::CmpFPredicate::OEQ, x, zero), zero, sign);
      })
      .Case([&](math::ExpOp) { return y; })
      .Case([&](math::Exp2Op) { return mul(y, constant(x, ln2)); })
      .Case([&](math::ExpM1Op) { return add(y, one()); })
      .Case([&](math::LogOp) { return div(one(), x); })
      .Case([&](math::Log2Op) { return div(constant(x, 1.0 / ln2), x); })
      .Case([&](math::Log10Op) { return div(constant(x, 1.0 / ln10), x); })
      .Case([&](math::Log1pOp) { return div(one(), add(x, one())); })
      .Case([&](math::SqrtOp) { return div(constant(x, 0.5), y); })
      .Case([&](math::RsqrtOp) {
        return mul(constant(x, -0.5), mul(y, mul(y, y)));
      })
      .Case([&](math::CbrtOp) {
        return div(one(), mul(constant(x, 3.0), mul(y, y)));
      })
      .Case([&](math::SinOp) { return unary<math::CosOp>(x); })
      .Case([&](math::CosOp) { return neg(unary<math::SinOp>(x)); })
      .Case([&](math::TanOp) { return add(one(), mul(y, y)); })
      .Case([&](math::SinhOp) { return unary<math::CoshOp>(x); })
      .Case([&](math::CoshOp) { return unary<math::SinhOp>(x); })
      .Case([&](math::TanhOp) { return sub(one(), mul(y, y)); })
      .Case([&](math::AsinOp) {
        return div(one(), unary<math::SqrtOp>(sub(one(), mul(x, x))));
      })
      .Case([&](math::AcosOp) {
        return div(constant(x, -1.0),
                   unary<math::SqrtOp>(sub(one(), mul(x, x))));
      })
      .Case([&](math::AtanOp) { return div(one(), add(one(), mul(x, x))); })
      .Case([&](math::AsinhOp) {
        return div(one(), unary<math::SqrtOp>(add(mul(x, x), one())));
      })
      .Case([&](math::AcoshOp) {
        return div(one(), unary<math::SqrtOp>(sub(mul(x, x), one())));
      })
      .Case([&](math::AtanhOp) { return div(one(), sub(one(), mul(x, x))); })
      .Case([&](math::ErfOp) {
        Value gauss = unary<math::ExpOp>(neg(mul(x, x)));
        return mul(constant(x, 2.0 * std::numbers::inv_sqrtpi), gauss);
      })
      .Default([](Operation *) { return Value(); });
}

std::optional<std::pair<Value, Value>>
Derivative::slopes(Operation *op, Value x, Value y, Value result) {
  using Slopes = std::optional<std::pair<Value, Value>>;
  // Ties share: the slope is 1 for the operand taken, 1/2 when both are equal.
  // Both have slope 1 where the result is NaN.
  auto extremum = [&](arith::CmpFPredicate taken) -> Slopes {
    Value one = constant(x, 1.0), half = constant(x, 0.5),
          zero = constant(x, 0.0);
    Value tie = compare(arith::CmpFPredicate::OEQ, x, y);
    Value first = select(compare(taken, x, y), one, zero);
    Value second = select(compare(taken, y, x), one, zero);
    return std::pair(select(tie, half, first), select(tie, half, second));
  };
  // Beside NaN the number is taken, and NaN has slope 0.
  auto extremumOfNumbers = [&](arith::CmpFPredicate taken) -> Slopes {
    Value one = constant(x, 1.0), half = constant(x, 0.5),
          zero = constant(x, 0.0);
    Value tie = compare(arith::CmpFPredicate::OEQ, x, y);
    auto slopeOf = [&](Value self, Value other) {
      Value isTaken =
          arith::AndIOp::create(b, x.getLoc(), compare(taken, self, other),
                                compare(arith::CmpFPredicate::ORD, self, self));
      return select(tie, half, select(isTaken, one, zero));
    };
    Value first = slopeOf(x, y);
    return std::pair(first, slopeOf(y, x));
  };
  return llvm::TypeSwitch<Operation *, Slopes>(op)
      .Case<arith::AddFOp, complex::AddOp>(
          [&](auto) { return std::pair(constant(x, 1.0), constant(x, 1.0)); })
      .Case<arith::SubFOp, complex::SubOp>(
          [&](auto) { return std::pair(constant(x, 1.0), constant(x, -1.0)); })
      .Case<arith::MulFOp, complex::MulOp>(
          [&](auto) { return std::pair(y, x); })
      .Case<arith::DivFOp, complex::DivOp>([&](auto) {
        return std::pair(div(constant(x, 1.0), y), neg(div(result, y)));
      })
      .Case([&](arith::MaximumFOp) {
        return extremum(arith::CmpFPredicate::UGT);
      })
      .Case([&](arith::MinimumFOp) {
        return extremum(arith::CmpFPredicate::ULT);
      })
      .Case([&](arith::MaxNumFOp) {
        return extremumOfNumbers(arith::CmpFPredicate::UGT);
      })
      .Case([&](arith::MinNumFOp) {
        return extremumOfNumbers(arith::CmpFPredicate::ULT);
      })
      .Case([&](math::Atan2Op) {
        Value square = add(mul(x, x), mul(y, y));
        return std::pair(div(y, square), neg(div(x, square)));
      })
      .Case([&](math::PowFOp) {
        // x^y: y x^(y-1), and 0 for y = 0; x^y log x, and 0 for x = 0 <= y.
        Value zero = constant(x, 0.0);
        Value lower =
            math::PowFOp::create(b, x.getLoc(), x, sub(y, constant(y, 1.0)));
        Value none = compare(arith::CmpFPredicate::OEQ, y, zero);
        Value base = select(none, zero, mul(y, lower));
        Value flat = arith::AndIOp::create(
            b, x.getLoc(), compare(arith::CmpFPredicate::OEQ, x, zero),
            compare(arith::CmpFPredicate::OGE, y, zero));
        Value exponent = select(flat, zero, mul(result, unary<math::LogOp>(x)));
        return std::pair(base, exponent);
      })
      .Default([&](Operation *) { return std::nullopt; });
}

FailureOr<ScalarSlopes> Derivative::of(Value value) {
  for (Operation *op : getComputation(value, payload)) {
    bool depends = llvm::any_of(op->getOperands(),
                                [&](Value v) { return known.contains(v); });
    if (!depends || op->getNumResults() != 1 ||
        !isa<FloatType, ComplexType>(op->getResult(0).getType()))
      continue; // Also a comparison: piecewise constant.
    FailureOr<ScalarSlopes> slopes = ofOp(op);
    if (failed(slopes))
      return failure();
    if (slopes->slope || slopes->conjugateSlope)
      known[op->getResult(0)] = *slopes;
  }
  return known.lookup(value);
}

FailureOr<ScalarSlopes> Derivative::ofOp(Operation *op) {
  if (auto conjugate = dyn_cast<complex::ConjOp>(op)) {
    // The derivative of conj(f) by x is the conjugate of that of f by conj(x).
    ScalarSlopes inner = known.lookup(conjugate.getComplex());
    auto conj = [&](Value v) {
      return !v || isConstant(v, 1.0) ? v : createConj(b, op->getLoc(), v);
    };
    return ScalarSlopes{conj(inner.conjugateSlope), conj(inner.slope)};
  }
  ScalarSlopes slopes;
  for (Value ScalarSlopes::*part :
       {&ScalarSlopes::slope, &ScalarSlopes::conjugateSlope}) {
    SmallVector<Value> inner;
    for (Value operand : op->getOperands())
      inner.push_back(known.lookup(operand).*part);
    if (llvm::none_of(inner, [](Value v) { return bool(v); }))
      continue;
    FailureOr<Value> derivative = chain(op, inner);
    if (failed(derivative))
      return failure();
    slopes.*part = *derivative;
  }
  return slopes;
}

FailureOr<Value> Derivative::chain(Operation *op, ArrayRef<Value> inner) {
  if (isa<math::FloorOp, math::CeilOp, math::RoundOp, math::RoundEvenOp,
          math::TruncOp>(op))
    return Value();

  auto at = [&](Value v) { return primal.lookupOrDefault(v); };
  Value result = at(op->getResult(0));
  if (isa<arith::SelectOp>(op)) {
    Value zero = constant(result, 0.0);
    return select(at(op->getOperand(0)), inner[1] ? inner[1] : zero,
                  inner[2] ? inner[2] : zero);
  }
  if (isa<math::FmaOp>(op))
    return add(add(mul(inner[0], at(op->getOperand(1))),
                   mul(inner[1], at(op->getOperand(0)))),
               inner[2]);
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    OperationState state(op->getLoc(), op->getName());
    state.addOperands(inner[0]);
    state.addTypes(op->getResultTypes());
    return b.create(state)->getResult(0);
  }
  // The sign that an operand gives has slope 0 everywhere but at its zero; the
  // slope by the magnitude is taken as 0 at the kink.
  if (isa<math::CopySignOp>(op)) {
    Value one = constant(result, 1.0), x = at(op->getOperand(0));
    Value from = math::CopySignOp::create(b, op->getLoc(), one, x);
    Value to =
        math::CopySignOp::create(b, op->getLoc(), one, at(op->getOperand(1)));
    Value zero = constant(result, 0.0);
    Value kink = compare(arith::CmpFPredicate::OEQ, x, zero);
    return mul(inner[0], select(kink, zero, mul(from, to)));
  }
  // Written so that a quotient's derivative by its numerator stays a quotient.
  if (isa<arith::DivFOp, complex::DivOp>(op) && !inner[1])
    return div(inner[0], at(op->getOperand(1)));
  if (op->getNumOperands() == 1) {
    if (Value s = slope(op, at(op->getOperand(0)), result))
      return mul(inner[0], s);
  } else if (op->getNumOperands() == 2) {
    if (auto s =
            slopes(op, at(op->getOperand(0)), at(op->getOperand(1)), result))
      return add(mul(inner[0], s->first), mul(inner[1], s->second));
  }
  return op->emitError("has no derivative rule");
}

} // namespace

FailureOr<ScalarSlopes> tsgu::differentiateScalar(OpBuilder &builder,
                                                  Value value, Value variable,
                                                  const IRMapping &primal) {
  return Derivative(builder, variable, primal).of(value);
}
