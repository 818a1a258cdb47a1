//===- ExpandMath.cpp - Elementary functions without a library ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// exp and log are computed by a reduction of the argument and a polynomial, the
// same one for scalars and vectors, with explicit fused multiply-adds: an entry
// has the same bits wherever a loop is cut into vectors. Errors stay within one
// unit in the last place, in f32 and in f64. Other functions are called one
// element at a time.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {
#define GEN_PASS_DEF_EXPANDMATH
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;

namespace {

/// What the expansions need to know of a floating-point format.
struct Format {
  unsigned bits, mantissa;
  int64_t bias;
  double roundToInteger;  // added, it leaves an integer in the lowest bits
  double ln2High, ln2Low; // high * any exponent is exact
  double expLow, expHigh; // beyond them exp is 0 and inf
  /// (exp(r) - 1 - r) / r^2 for |r| <= ln2 / 2.
  ArrayRef<double> expPolynomial;
  /// (log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2, for |s| <= 0.1717.
  ArrayRef<double> logPolynomial;
};

} // namespace

// Fitted in 40 digits for the least relative error of the result, then rounded.
static constexpr double exp64[] = {0.5,
                                   0.16666666666666685,
                                   0.041666666666602376,
                                   0.008333333333313875,
                                   0.0013888888927455403,
                                   0.00019841269905040838,
                                   2.4801507835775526e-05,
                                   2.755722594480669e-06,
                                   2.762552939569976e-07,
                                   2.5115144085740483e-08};
static constexpr double exp32[] = {0.5,
                                   0.1666666716337204,
                                   0.041666459292173386,
                                   0.008333275094628334,
                                   0.0013935487950220704,
                                   0.0001991332246689126};
static constexpr double log64[] = {0.666666666666667,   0.3999999999989827,
                                   0.2857142862653362,  0.22222211043776857,
                                   0.18182895750119193, 0.1533150161114533,
                                   0.1461916613488797};
static constexpr double log32[] = {0.6666666865348816, 0.4000012278556824,
                                   0.28550735116004944, 0.23332762718200684};

static const Format formats[] = {
    {32, 23, 127, 0x1.8p23, 0.693145751953125, 1.428606765330187e-06, -104.0,
     89.0, exp32, log32},
    {64, 52, 1023, 0x1.8p52, 0.6931471805592082, 7.371002565167799e-13, -746.0,
     710.0, exp64, log64}};

namespace {

/// Builds an expansion for one type, scalar or vector. No op carries fast-math
/// flags: the order of operations is what makes the result accurate.
class Expansion {
public:
  Expansion(OpBuilder &builder, Location loc, Type type)
      : builder(builder), loc(loc), type(type),
        format(formats[getElementTypeOrSelf(type).isF64()]) {
    Type integer = builder.getIntegerType(format.bits);
    auto vector = dyn_cast<VectorType>(type);
    integerType = vector ? vector.clone(integer) : integer;
  }

  Value exp(Value x);
  Value log(Value x);

private:
  template <typename OpT, typename... Args> Value op(Args... args) {
    return OpT::create(builder, loc, args...);
  }
  Value add(Value a, Value b) { return op<arith::AddFOp>(a, b); }
  Value sub(Value a, Value b) { return op<arith::SubFOp>(a, b); }
  Value mul(Value a, Value b) { return op<arith::MulFOp>(a, b); }
  Value fma(Value a, Value b, Value c) { return op<math::FmaOp>(a, b, c); }
  Value select(arith::CmpFPredicate predicate, Value a, Value b, Value yes,
               Value no) {
    return op<arith::SelectOp>(op<arith::CmpFOp>(predicate, a, b), yes, no);
  }

  Value splat(Type of, TypedAttr value) {
    if (auto vector = dyn_cast<VectorType>(of))
      value = DenseElementsAttr::get(vector, value);
    return arith::ConstantOp::create(builder, loc, value);
  }
  Value constant(double value) {
    return splat(type, builder.getFloatAttr(getElementTypeOrSelf(type), value));
  }
  Value integer(int64_t value) {
    return splat(integerType, builder.getIntegerAttr(
                                  getElementTypeOrSelf(integerType), value));
  }
  Value toBits(Value x) { return op<arith::BitcastOp>(integerType, x); }
  Value fromBits(Value x) { return op<arith::BitcastOp>(type, x); }
  int64_t bitsOf(double value) {
    return format.bits == 64 ? llvm::bit_cast<int64_t>(value)
                             : llvm::bit_cast<int32_t>(float(value));
  }

  /// c[0] + c[1] x + ..., halving the chain of dependent operations.
  Value polynomial(Value x, ArrayRef<double> coefficients);
  /// 2^k for k in the range of normal exponents.
  Value powerOfTwo(Value k) {
    Value biased = op<arith::AddIOp>(k, integer(format.bias));
    return fromBits(op<arith::ShLIOp>(biased, integer(format.mantissa)));
  }

  OpBuilder &builder;
  Location loc;
  Type type, integerType;
  const Format &format;
};

} // namespace

Value Expansion::polynomial(Value x, ArrayRef<double> coefficients) {
  // Even and odd coefficients are two polynomials in x^2.
  Value square = mul(x, x);
  Value parts[2];
  for (size_t i = coefficients.size(); i-- > 0;) {
    Value &part = parts[i % 2];
    part = part ? fma(part, square, constant(coefficients[i]))
                : constant(coefficients[i]);
  }
  return fma(parts[1], x, parts[0]);
}

/// exp(x) = 2^n exp(r), r = x - n ln2.
Value Expansion::exp(Value x) {
  using P = arith::CmpFPredicate;
  Value low = constant(format.expLow), high = constant(format.expHigh);
  x = select(P::OLT, x, low, low, x); // NaN stays
  x = select(P::OGT, x, high, high, x);
  Value shift = constant(format.roundToInteger);
  Value shifted = fma(x, constant(1.4426950408889634), shift);
  Value n = sub(shifted, shift);
  Value r = fma(n, constant(-format.ln2High), x);
  r = fma(n, constant(-format.ln2Low), r);
  Value tail = mul(r, r);
  tail = fma(tail, polynomial(r, format.expPolynomial), r);
  Value mantissa = add(tail, constant(1.0));
  // 2^n in two factors: n may lie beyond the normal exponents on both sides.
  Value exponent = op<arith::SubIOp>(toBits(shifted),
                                     integer(bitsOf(format.roundToInteger)));
  Value half = op<arith::ShRSIOp>(exponent, integer(1));
  Value rest = op<arith::SubIOp>(exponent, half);
  return mul(mul(mantissa, powerOfTwo(half)), powerOfTwo(rest));
}

/// log(x) = k ln2 + log(1 + f), 1 + f between sqrt(1/2) and sqrt(2);
/// log(1 + f) = 2 s + s^3 P(s^2) for s = f / (2 + f).
Value Expansion::log(Value x) {
  using P = arith::CmpFPredicate;
  Value zero = constant(0.0);
  double tiny = std::ldexp(1.0, 1 - format.bias);
  int subnormalShift = format.mantissa + 2;
  Value scaled = mul(x, constant(std::ldexp(1.0, subnormalShift)));
  Value isSubnormal = op<arith::CmpFOp>(P::OLT, x, constant(tiny));
  Value normal = op<arith::SelectOp>(isSubnormal, scaled, x);
  Value bits = toBits(normal);
  Value offset = op<arith::SubIOp>(bits, integer(bitsOf(std::sqrt(0.5))));
  Value k = op<arith::ShRSIOp>(offset, integer(format.mantissa));
  Value power = op<arith::ShLIOp>(k, integer(format.mantissa));
  Value f = sub(fromBits(op<arith::SubIOp>(bits, power)), constant(1.0));
  Value exponent = op<arith::SIToFPOp>(type, k);
  exponent = op<arith::SelectOp>(
      isSubnormal, sub(exponent, constant(subnormalShift)), exponent);

  Value s = op<arith::DivFOp>(f, add(f, constant(2.0)));
  Value z = mul(s, s);
  Value r = mul(z, polynomial(z, format.logPolynomial));
  // log(1 + f) = f - (f^2/2 - s (f^2/2 + r)): the large term is exact.
  Value square = mul(mul(f, constant(0.5)), f);
  Value low = fma(exponent, constant(format.ln2Low), mul(s, add(square, r)));
  Value small = sub(f, sub(square, low));
  Value result = fma(exponent, constant(format.ln2High), small);

  Value infinity = constant(std::numeric_limits<double>::infinity());
  Value nan = constant(std::numeric_limits<double>::quiet_NaN());
  result = select(P::OEQ, x, infinity, infinity, result);
  result = select(P::OEQ, x, zero,
                  constant(-std::numeric_limits<double>::infinity()), result);
  result = select(P::OLT, x, zero, nan, result);
  return select(P::UNO, x, x, x, result);
}

/// Functions that every backend has vector instructions for.
static bool isNative(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::FloorOp, math::FmaOp, math::RoundEvenOp, math::RsqrtOp,
             math::SqrtOp, math::TruncOp>(op);
}

static void expand(Operation *op) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Type type = op->getResult(0).getType();
  Type element = getElementTypeOrSelf(type);
  Value x = op->getOperand(0);
  bool narrow = element.isF16() || element.isBF16();
  if (narrow) {
    auto vector = dyn_cast<VectorType>(type);
    Type wide = builder.getF32Type();
    x = arith::ExtFOp::create(builder, loc, vector ? vector.clone(wide) : wide,
                              x);
  }
  Expansion expansion(builder, loc, x.getType());
  Value result = isa<math::ExpOp>(op) ? expansion.exp(x) : expansion.log(x);
  if (narrow)
    result = arith::TruncFOp::create(builder, loc, type, result);
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

/// Applies an op of vectors to each lane.
static void scalarize(Operation *op, VectorType type) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  SmallVector<Value> lanes;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(
          isa<VectorType>(operand.getType())
              ? vector::ExtractOp::create(builder, loc, operand, i)
              : operand);
    lanes.push_back(
        clone(builder, op, TypeRange{type.getElementType()}, operands)
            ->getResult(0));
  }
  op->getResult(0).replaceAllUsesWith(
      vector::FromElementsOp::create(builder, loc, type, lanes));
  op->erase();
}

namespace {

struct ExpandMath : tsgu::impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
          op->getNumResults() == 1 && !isNative(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      Type type = op->getResult(0).getType();
      Type element = getElementTypeOrSelf(type);
      auto vector = dyn_cast<VectorType>(type);
      bool known = element.isF16() || element.isBF16() || element.isF32() ||
                   element.isF64();
      if (isa<math::ExpOp, math::LogOp>(op) && known)
        expand(op);
      else if (vector && vector.getRank() == 1 && !vector.isScalable())
        scalarize(op, vector);
    }
  }
};

} // namespace
