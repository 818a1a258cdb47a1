//===- VectorBuilders.cpp - Loads, stores and reductions ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/VectorBuilders.h"
#include "kernels/ComplexVectors.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tsgu;
using vector::CombiningKind;

std::optional<CombiningKind> tsgu::getCombiningKind(Operation *op) {
  using Kind = std::optional<CombiningKind>;
  return llvm::TypeSwitch<Operation *, Kind>(op)
      .Case<arith::AddFOp, arith::AddIOp>(
          [](auto) { return CombiningKind::ADD; })
      .Case<arith::MulFOp, arith::MulIOp>(
          [](auto) { return CombiningKind::MUL; })
      .Case([](complex::AddOp) { return CombiningKind::ADD; })
      .Case([](arith::MaximumFOp) { return CombiningKind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return CombiningKind::MINIMUMF; })
      .Case([](arith::MaxNumFOp) { return CombiningKind::MAXNUMF; })
      .Case([](arith::MinNumFOp) { return CombiningKind::MINNUMF; })
      .Case([](arith::MaxSIOp) { return CombiningKind::MAXSI; })
      .Case([](arith::MinSIOp) { return CombiningKind::MINSI; })
      .Default([](Operation *) { return Kind(); });
}

Value tsgu::buildSplat(OpBuilder &builder, Location loc, TypedAttr value,
                       int64_t lanes) {
  VectorType type = getLanesType(value.getType(), lanes);
  if (auto number = dyn_cast<complex::NumberAttr>(value)) {
    SmallVector<APFloat> parts;
    for (int64_t i = 0; i < lanes; ++i)
      parts.append({number.getReal(), number.getImag()});
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(type, parts));
  }
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, value));
}

/// Sums start at +0 rather than -0, which is no constant of its own in
/// registers, and the extremes of numbers at infinity rather than NaN.
TypedAttr tsgu::getNeutral(Operation *combiner) {
  Builder builder(combiner->getContext());
  Type type = combiner->getResult(0).getType();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (isa<arith::AddFOp>(combiner))
    return builder.getZeroAttr(type);
  if (isa<complex::AddOp>(combiner))
    return complex::NumberAttr::get(cast<ComplexType>(type), 0.0, 0.0);
  if (isa<arith::MaxNumFOp>(combiner))
    return builder.getFloatAttr(type, -infinity);
  if (isa<arith::MinNumFOp>(combiner))
    return builder.getFloatAttr(type, infinity);
  return *arith::getNeutralElement(combiner);
}

bool tsgu::startsNeutral(Operation *combiner, Attribute start) {
  return combiner && getCombiningKind(combiner) &&
         start == getNeutral(combiner);
}

bool tsgu::startsNeutral(Operation *combiner, Value start) {
  Attribute constant;
  return matchPattern(start, m_Constant(&constant)) &&
         startsNeutral(combiner, constant);
}

/// Extremes of numbers are a comparison and a choice, which is one instruction:
/// accumulators are never NaN, and a term that is NaN compares false.
Value tsgu::buildCombine(OpBuilder &builder, Location loc, CombiningKind kind,
                         Value accumulated, Value term) {
  using P = arith::CmpFPredicate;
  bool largest = kind == CombiningKind::MAXNUMF;
  if (!largest && kind != CombiningKind::MINNUMF)
    return vector::makeArithReduction(builder, loc, kind, accumulated, term);
  Value better = arith::CmpFOp::create(builder, loc, largest ? P::OGT : P::OLT,
                                       term, accumulated);
  return arith::SelectOp::create(builder, loc, better, term, accumulated);
}

Value tsgu::buildReduction(OpBuilder &builder, Location loc, CombiningKind kind,
                           Value vector, bool complexLanes) {
  if (complexLanes)
    return sumComplex(builder, loc, vector);
  auto type = cast<VectorType>(vector.getType());
  if (kind != CombiningKind::MAXNUMF && kind != CombiningKind::MINNUMF) {
    auto flags = arith::FastMathFlags::none;
    if (isa<FloatType>(type.getElementType()))
      flags = arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
    return vector::ReductionOp::create(builder, loc, kind, vector, flags);
  }
  for (int64_t half = type.getNumElements() / 2; half > 0; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(i + half);
    }
    vector = buildCombine(
        builder, loc, kind,
        vector::ShuffleOp::create(builder, loc, vector, vector, low),
        vector::ShuffleOp::create(builder, loc, vector, vector, high));
  }
  return vector::ExtractOp::create(builder, loc, vector, 0);
}

Value tsgu::buildMask(OpBuilder &builder, Location loc, int64_t active,
                      int64_t lanes) {
  SmallVector<bool> bits(lanes, false);
  std::fill_n(bits.begin(), std::min(active, lanes), true);
  auto type = VectorType::get({lanes}, builder.getI1Type());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, bits));
}

namespace {
/// Where a vector of a memref's elements is: that of their parts if complex.
struct Place {
  Value memref;
  SmallVector<Value> indices;
  Value mask;
};
} // namespace

static Place getPlace(OpBuilder &builder, Location loc, Value memref,
                      ValueRange indices, const Chunk &chunk) {
  Place place{memref, SmallVector<Value>(indices), chunk.mask};
  auto type = cast<MemRefType>(memref.getType());
  if (!isComplex(type))
    return place;
  place.memref = PartsOp::create(builder, loc, getPartsType(type), memref);
  place.indices.push_back(arith::ConstantIndexOp::create(builder, loc, 0));
  if (chunk.mask)
    place.mask = buildMaskOfParts(builder, loc, chunk.mask);
  return place;
}

Value tsgu::buildLoad(OpBuilder &builder, Location loc, Value memref,
                      ValueRange indices, const Chunk &chunk) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  VectorType type = getLanesType(element, chunk.lanes);
  Place place = getPlace(builder, loc, memref, indices, chunk);
  if (!place.mask)
    return vector::LoadOp::create(builder, loc, type, place.memref,
                                  place.indices);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return vector::MaskedLoadOp::create(builder, loc, type, place.memref,
                                      place.indices, place.mask, zero);
}

void tsgu::buildStore(OpBuilder &builder, Location loc, Value vector,
                      Value memref, ValueRange indices, const Chunk &chunk) {
  Place place = getPlace(builder, loc, memref, indices, chunk);
  if (place.mask)
    vector::MaskedStoreOp::create(builder, loc, place.memref, place.indices,
                                  place.mask, vector);
  else
    vector::StoreOp::create(builder, loc, vector, place.memref, place.indices);
}
