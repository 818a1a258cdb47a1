//===- TsguDialect.cpp - The tsgu dialect and its ops ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tsgu;

#include "tsgu/Dialect/TsguDialect.cpp.inc"
#include "tsgu/Dialect/TsguEnums.cpp.inc"
#include "tsgu/Dialect/TsguInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "tsgu/Dialect/TsguAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "tsgu/Dialect/TsguTypes.cpp.inc"
#define GET_OP_CLASSES
#include "tsgu/Dialect/TsguOps.cpp.inc"

void TsguDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "tsgu/Dialect/TsguOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tsgu/Dialect/TsguAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "tsgu/Dialect/TsguTypes.cpp.inc"
      >();
}

LogicalResult TsguDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attr) {
  if (attr.getName() == sampledAttr && !isa<linalg::GenericOp>(op))
    return op->emitError() << "'" << sampledAttr
                           << "' belongs on a linalg.generic";
  return success();
}

/// Whether an attribute numbers the extents of a tensor.
static bool isShape(Attribute attr, Type type) {
  auto shape = dyn_cast<DenseI32ArrayAttr>(attr);
  auto tensor = dyn_cast<RankedTensorType>(type);
  return shape && (!tensor || tensor.getRank() == shape.size()) &&
         llvm::all_of(shape.asArrayRef(),
                      [](int32_t n) { return n >= 0 && n < 1 << 30; });
}

/// Checks an attribute of a function's argument or result of the given type.
static LogicalResult verifyTensorAttribute(Operation *op, Type type,
                                           NamedAttribute attr) {
  StringRef name = attr.getName();
  if (name == patternAttr) {
    if (!isa<FlatSymbolRefAttr>(attr.getValue()))
      return op->emitError() << "'" << name << "' must name a pattern: @P";
    if (!sparse_tensor::getSparseTensorEncoding(type))
      return op->emitError()
             << "'" << name << "' belongs on a sparse tensor, not on " << type;
  }
  if (name == nameAttr && !isa<StringAttr>(attr.getValue()))
    return op->emitError() << "'" << name << "' must be a string";
  if (name == resultOfAttr && !isa<FlatSymbolRefAttr>(attr.getValue()))
    return op->emitError() << "'" << name << "' must name a function: @f";
  if (name == shapeAttr && !isShape(attr.getValue(), type))
    return op->emitError() << "'" << name
                           << "' must have a number for each dimension of "
                           << type;
  return success();
}

LogicalResult TsguDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                    unsigned argIndex,
                                                    NamedAttribute attr) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  return verifyTensorAttribute(op, function.getArgumentTypes()[argIndex], attr);
}

LogicalResult TsguDialect::verifyRegionResultAttribute(Operation *op, unsigned,
                                                       unsigned resultIndex,
                                                       NamedAttribute attr) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  return verifyTensorAttribute(op, function.getResultTypes()[resultIndex],
                               attr);
}

LogicalResult ZerosLikeOp::verify() {
  if (!sparse_tensor::getSparseTensorEncoding(getSource().getType()))
    return emitOpError("needs a sparse operand, got ") << getSource().getType();
  return success();
}
