//===- ComplexVectors.cpp - Complex numbers at vector width ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/ComplexVectors.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tsgu;

MemRefType tsgu::getPartsType(MemRefType type) {
  auto number = cast<ComplexType>(type.getElementType());
  SmallVector<int64_t> shape(type.getShape());
  shape.push_back(2);
  if (type.getLayout().isIdentity())
    return MemRefType::get(shape, number.getElementType());
  auto [strides, offset] = type.getStridesAndOffset();
  for (int64_t &stride : strides)
    if (!ShapedType::isDynamic(stride))
      stride *= 2;
  strides.push_back(1);
  return MemRefType::get(
      shape, number.getElementType(),
      StridedLayoutAttr::get(type.getContext(), offset, strides));
}

VectorType tsgu::getLanesType(Type element, int64_t lanes) {
  if (auto complexType = dyn_cast<ComplexType>(element))
    return VectorType::get({2 * lanes}, complexType.getElementType());
  return VectorType::get({lanes}, element);
}

Value tsgu::buildMaskOfParts(OpBuilder &builder, Location loc, Value mask) {
  return vector::InterleaveOp::create(builder, loc, mask, mask);
}

Value tsgu::broadcastComplex(OpBuilder &builder, Location loc, Value number,
                             int64_t lanes) {
  Type part = cast<ComplexType>(number.getType()).getElementType();
  auto type = VectorType::get({lanes}, part);
  Value real = complex::ReOp::create(builder, loc, part, number);
  Value imaginary = complex::ImOp::create(builder, loc, part, number);
  return vector::InterleaveOp::create(
      builder, loc, vector::BroadcastOp::create(builder, loc, type, real),
      vector::BroadcastOp::create(builder, loc, type, imaginary));
}

bool tsgu::isComplexLanesOp(Operation &op) {
  return isa<complex::AddOp, complex::SubOp, complex::MulOp, complex::NegOp,
             complex::ConjOp, complex::ConstantOp>(op);
}

/// The lanes number pick(i) of a vector, in order.
static Value shuffle(OpBuilder &builder, Location loc, Value vector,
                     llvm::function_ref<int64_t(int64_t)> pick) {
  int64_t count = cast<VectorType>(vector.getType()).getNumElements();
  SmallVector<int64_t> places =
      llvm::map_to_vector(llvm::seq<int64_t>(0, count), pick);
  return vector::ShuffleOp::create(builder, loc, vector, vector, places);
}

/// The vector with the signs of the real or of the imaginary parts changed.
static Value negateParts(OpBuilder &builder, Location loc, Value vector,
                         bool imaginary) {
  auto type = cast<VectorType>(vector.getType());
  int64_t count = type.getNumElements();
  Value negated = arith::NegFOp::create(builder, loc, vector);
  SmallVector<int64_t> places;
  for (int64_t i = 0; i < count; ++i)
    places.push_back((i % 2 != 0) == imaginary ? count + i : i);
  return vector::ShuffleOp::create(builder, loc, vector, negated, places);
}

/// x y = re(x) y + im(x) (i y), lane by lane.
static Value multiply(OpBuilder &builder, Location loc, Value x, Value y) {
  constexpr auto flags = arith::FastMathFlags::contract;
  auto even = [](int64_t i) { return i & ~int64_t(1); };
  auto odd = [](int64_t i) { return i | 1; };
  auto other = [](int64_t i) { return i ^ 1; };
  Value real = shuffle(builder, loc, x, even);
  Value imaginary = negateParts(builder, loc, shuffle(builder, loc, x, odd),
                                /*imaginary=*/false);
  Value swapped = shuffle(builder, loc, y, other);
  Value turned = arith::MulFOp::create(builder, loc, imaginary, swapped, flags);
  Value scaled = arith::MulFOp::create(builder, loc, real, y, flags);
  return arith::AddFOp::create(builder, loc, scaled, turned, flags);
}

Value tsgu::buildComplexLanes(OpBuilder &builder, Operation &op,
                              ArrayRef<Value> operands) {
  constexpr auto flags = arith::FastMathFlags::contract;
  Location loc = op.getLoc();
  return llvm::TypeSwitch<Operation *, Value>(&op)
      .Case([&](complex::AddOp) {
        return arith::AddFOp::create(builder, loc, operands[0], operands[1],
                                     flags);
      })
      .Case([&](complex::SubOp) {
        return arith::SubFOp::create(builder, loc, operands[0], operands[1],
                                     flags);
      })
      .Case([&](complex::MulOp) {
        return multiply(builder, loc, operands[0], operands[1]);
      })
      .Case([&](complex::NegOp) {
        return arith::NegFOp::create(builder, loc, operands[0]);
      })
      .Case([&](complex::ConjOp) {
        return negateParts(builder, loc, operands[0], /*imaginary=*/true);
      })
      .Default([](Operation *) { return Value(); });
}

Value tsgu::sumComplex(OpBuilder &builder, Location loc, Value vector) {
  auto type = cast<VectorType>(vector.getType());
  constexpr auto flags =
      arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
  auto parts = vector::DeinterleaveOp::create(builder, loc, vector);
  auto sum = [&](Value part) -> Value {
    return vector::ReductionOp::create(builder, loc, vector::CombiningKind::ADD,
                                       part, flags);
  };
  return complex::CreateOp::create(builder, loc,
                                   ComplexType::get(type.getElementType()),
                                   sum(parts.getRes1()), sum(parts.getRes2()));
}
