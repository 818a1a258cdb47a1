//===- ScalarOps.h - Arithmetic of real and complex elements ---*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops of `arith` for floats, of `complex` for complex numbers.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PROGRAMS_SCALAROPS_H
#define TSGU_TRANSFORMS_PROGRAMS_SCALAROPS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"

namespace tsgu {

inline bool isComplex(mlir::Type type) {
  return mlir::isa<mlir::ComplexType>(mlir::getElementTypeOrSelf(type));
}

template <typename FloatOp, typename ComplexOp, typename... Operands>
mlir::Value createByType(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value x, Operands... rest) {
  if (isComplex(x.getType()))
    return ComplexOp::create(builder, loc, x, rest...).getResult();
  return FloatOp::create(builder, loc, x, rest...).getResult();
}

inline mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::Type type, double value) {
  auto complexType = mlir::dyn_cast<mlir::ComplexType>(type);
  if (!complexType)
    return mlir::arith::ConstantOp::create(builder, loc,
                                           builder.getFloatAttr(type, value));
  mlir::Type part = complexType.getElementType();
  return mlir::complex::ConstantOp::create(
      builder, loc, type,
      builder.getArrayAttr({builder.getFloatAttr(part, value),
                            builder.getFloatAttr(part, 0.0)}));
}

/// A constant of a number attribute; a complex one is #complex.number.
inline mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::TypedAttr value) {
  auto number = mlir::dyn_cast<mlir::complex::NumberAttr>(value);
  if (!number)
    return mlir::arith::ConstantOp::create(builder, loc, value);
  auto type = mlir::cast<mlir::ComplexType>(number.getType());
  mlir::Type part = type.getElementType();
  return mlir::complex::ConstantOp::create(
      builder, loc, type,
      builder.getArrayAttr({mlir::FloatAttr::get(part, number.getReal()),
                            mlir::FloatAttr::get(part, number.getImag())}));
}

inline mlir::Value createAdd(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value x, mlir::Value y) {
  return createByType<mlir::arith::AddFOp, mlir::complex::AddOp>(builder, loc,
                                                                 x, y);
}

inline mlir::Value createSub(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value x, mlir::Value y) {
  return createByType<mlir::arith::SubFOp, mlir::complex::SubOp>(builder, loc,
                                                                 x, y);
}

inline mlir::Value createMul(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value x, mlir::Value y) {
  return createByType<mlir::arith::MulFOp, mlir::complex::MulOp>(builder, loc,
                                                                 x, y);
}

inline mlir::Value createNeg(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value x) {
  return createByType<mlir::arith::NegFOp, mlir::complex::NegOp>(builder, loc,
                                                                 x);
}

inline mlir::Value createDiv(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value x, mlir::Value y) {
  return createByType<mlir::arith::DivFOp, mlir::complex::DivOp>(builder, loc,
                                                                 x, y);
}

/// The value itself where it is real, or a constant that is.
inline mlir::Value createConj(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value x) {
  if (!isComplex(x.getType()))
    return x;
  if (auto constant = x.getDefiningOp<mlir::complex::ConstantOp>())
    if (mlir::cast<mlir::FloatAttr>(constant.getValue()[1]).getValue().isZero())
      return x;
  return mlir::complex::ConjOp::create(builder, loc, x).getResult();
}

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PROGRAMS_SCALAROPS_H
