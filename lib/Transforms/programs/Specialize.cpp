//===- Specialize.cpp - Types and widths of a program ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/ProgramSymbols.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace tsgu {
#define GEN_PASS_DEF_SPECIALIZE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

/// Replaces f64 by `type` in types and constants, in complex ones too, and the
/// index widths of encodings. Casts that this makes void are removed.
static void retype(Operation *program, FloatType type, unsigned indexWidth) {
  auto convert = [&](APFloat value) {
    bool losesInfo;
    value.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    return value;
  };
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](Float64Type) -> Type { return type; });
  replacer.addReplacement(
      [&](FloatAttr attr) -> std::optional<std::pair<Attribute, WalkResult>> {
        if (!attr.getType().isF64())
          return std::nullopt;
        return std::pair(FloatAttr::get(type, convert(attr.getValue())),
                         WalkResult::skip());
      });
  replacer.addReplacement(
      [&](DenseFPElementsAttr attr)
          -> std::optional<std::pair<Attribute, WalkResult>> {
        if (!attr.getElementType().isF64())
          return std::nullopt;
        return std::pair(
            attr.mapValues(type,
                           [&](const APFloat &value) {
                             return convert(value).bitcastToAPInt();
                           }),
            WalkResult::skip());
      });
  replacer.addReplacement(
      [&](sparse_tensor::SparseTensorEncodingAttr encoding)
          -> std::optional<std::pair<Attribute, WalkResult>> {
        return std::pair(encoding.withBitWidths(indexWidth, indexWidth),
                         WalkResult::skip());
      });
  replacer.recursivelyReplaceElementsIn(program, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
  SmallVector<Operation *> casts;
  program->walk([&](Operation *op) {
    if (isa<arith::ExtFOp, arith::TruncFOp>(op) &&
        op->getOperand(0).getType() == op->getResult(0).getType())
      casts.push_back(op);
  });
  for (Operation *op : casts) {
    op->getResult(0).replaceAllUsesWith(op->getOperand(0));
    op->erase();
  }
}

/// The type with the extents that are given; 0 leaves an extent as it is.
static RankedTensorType withExtents(RankedTensorType type,
                                    ArrayRef<int32_t> symbols,
                                    ArrayRef<int64_t> widths) {
  SmallVector<int64_t> shape(type.getShape());
  for (auto [d, symbol] : llvm::enumerate(symbols))
    if (static_cast<size_t>(symbol) < widths.size() && widths[symbol] > 0)
      shape[d] = widths[symbol];
  return RankedTensorType::get(shape, type.getElementType(),
                               type.getEncoding());
}

/// Gives an empty tensor its new type; an extent in the type is no operand.
static void updateEmpty(tensor::EmptyOp empty, RankedTensorType type) {
  SmallVector<Value> dynamic;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(d))
      dynamic.push_back(empty.getDynamicSize(d));
  empty->setOperands(dynamic);
  empty.getResult().setType(type);
}

static void setExtents(func::FuncOp program, ArrayRef<int64_t> widths) {
  ProgramSymbols symbols(program);
  auto newType = [&](Value value) {
    return withExtents(cast<RankedTensorType>(value.getType()),
                       symbols.of(value), widths);
  };
  auto shapeOf = [&](Value value) {
    return DenseI32ArrayAttr::get(program.getContext(), symbols.of(value));
  };
  for (BlockArgument argument : program.getArguments()) {
    if (!isa<RankedTensorType>(argument.getType()))
      continue;
    argument.setType(newType(argument));
    // An extent in the type no longer tells which others equal it.
    program.setArgAttr(argument.getArgNumber(), shapeAttr, shapeOf(argument));
  }
  program.walk([&](Operation *op) {
    if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      op->setAttr(shapeAttr, shapeOf(empty));
      return updateEmpty(empty, newType(empty));
    }
    for (Value result : op->getResults())
      if (isa<RankedTensorType>(result.getType()))
        result.setType(newType(result));
  });
  Operation *terminator = program.getBody().front().getTerminator();
  program.setType(FunctionType::get(program.getContext(),
                                    program.getBody().getArgumentTypes(),
                                    terminator->getOperandTypes()));
}

/// What is known of each pattern, on every argument of it.
static void setKnown(func::FuncOp program, StringRef name,
                     ArrayRef<int64_t> known) {
  ProgramSymbols symbols(program);
  Builder builder(program.getContext());
  for (BlockArgument argument : program.getArguments()) {
    size_t pattern = isSparse(argument) ? symbols.patternOf(argument) : -1;
    if (pattern < known.size() && known[pattern] != 0)
      program.setArgAttr(argument.getArgNumber(), name,
                         builder.getI64IntegerAttr(known[pattern]));
  }
}

namespace {
struct Specialize : tsgu::impl::SpecializeBase<Specialize> {
  using SpecializeBase::SpecializeBase;

  void runOnOperation() override {
    FailureOr<func::FuncOp> program = getProgram(getOperation());
    if (failed(program))
      return signalPassFailure();
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (function != *program)
        function.erase(); // Served differentiation only.
    const ElementType element = typeNamed(value, ElementType::I32);
    if (!isFloat(element) || (index != 32 && index != 64) ||
        (derivedIndex != 32 && derivedIndex != 64)) {
      program->emitError("cannot be specialised to value=")
          << value.getValue() << " index=" << index.getValue()
          << " derived-index=" << derivedIndex.getValue() << "; values are "
          << valueTypes << ", indices 32 or 64 bits";
      return signalPassFailure();
    }
    if (failed(verifyProgram(*program)) ||
        failed(checkNumbers(*program, element)))
      return signalPassFailure();
    setExtents(*program, SmallVector<int64_t>(widths.begin(), widths.end()));
    setKnown(*program, hollowAttr,
             SmallVector<int64_t>(hollow.begin(), hollow.end()));
    setKnown(*program, blocksAttr,
             SmallVector<int64_t>(blocks.begin(), blocks.end()));
    const ElementType computed = infoOf(element).computed;
    const bool single =
        computed == ElementType::F32 || computed == ElementType::C64;
    Builder builder(&getContext());
    retype(*program, single ? builder.getF32Type() : builder.getF64Type(),
           index);
    if (isNarrow(element))
      (*program)->setAttr(storageAttr, builder.getStringAttr(value));
    (*program)->setAttr(derivedIndexAttr,
                        builder.getI64IntegerAttr(derivedIndex));
  }

  /// A real program is not made complex here: its derivatives would be wrong.
  LogicalResult checkNumbers(func::FuncOp program, ElementType wanted) {
    Type element = getElementTypeOrSelf(program.getResultTypes()[0]);
    const bool complexValue = isComplexType(wanted);
    if (complexValue == isa<ComplexType>(element))
      return success();
    program.emitError("has elements ")
        << element << " and cannot be specialised to value=" << value.getValue()
        << (complexValue ? "; run --tsgu-complexify before it is differentiated"
                         : "");
    return failure();
  }
};
} // namespace
