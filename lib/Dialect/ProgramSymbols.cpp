//===- ProgramSymbols.cpp - The sizes of a program ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ProgramSymbols.h"

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/SolveOps.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <map>

using namespace mlir;
using linalg::GenericOp;

namespace tsgu {

ProgramSymbols::ProgramSymbols(func::FuncOp program) {
  collect(program);
  number(program);
}

static int64_t rankOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getRank();
}

void ProgramSymbols::collect(func::FuncOp program) {
  DenseMap<Attribute, Value> onPattern;
  auto add = [&](Value tensor) -> SmallVector<Extent> & {
    order.push_back(tensor);
    SmallVector<Extent> &extents = extentsOf[tensor];
    for (int64_t d = 0; d < rankOf(tensor); ++d)
      extents.push_back(addExtent());
    return extents;
  };
  auto uniteAll = [&](Value a, Value b) {
    for (auto [x, y] : llvm::zip_equal(extentsOf[a], extentsOf[b]))
      unite(x, y);
  };
  auto uniteSquare = [&](Value matrix) {
    ArrayRef<Extent> extents = extentsOf[matrix];
    unite(extents[extents.size() - 2], extents.back());
  };
  // Where no op tells which extents are equal, tsgu.shape does.
  std::map<int32_t, Extent> given;
  auto uniteGiven = [&](ArrayRef<Extent> extents, DenseI32ArrayAttr shape) {
    if (shape)
      for (auto [extent, symbol] : llvm::zip(extents, shape.asArrayRef()))
        unite(extent, given.try_emplace(symbol, extent).first->second);
  };
  for (BlockArgument argument : program.getArguments()) {
    if (!isa<RankedTensorType>(argument.getType()))
      continue;
    uniteGiven(add(argument), program.getArgAttrOfType<DenseI32ArrayAttr>(
                                  argument.getArgNumber(), shapeAttr));
    if (!isSparse(argument))
      continue;
    FlatSymbolRefAttr pattern = getPattern(argument);
    auto [entry, inserted] = onPattern.try_emplace(pattern, argument);
    if (inserted)
      patternNames.push_back(pattern);
    else
      uniteAll(entry->second, argument);
  }
  program.walk([&](Operation *op) {
    if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      SmallVector<Extent> extents = add(empty);
      uniteGiven(extents, op->getAttrOfType<DenseI32ArrayAttr>(shapeAttr));
      for (auto [d, extent] : llvm::enumerate(extents)) {
        if (!empty.getType().isDynamicDim(d))
          continue;
        auto dim = empty.getDynamicSize(d).getDefiningOp<tensor::DimOp>();
        if (dim && dim.getConstantIndex())
          unite(extent, extentsOf[dim.getSource()][*dim.getConstantIndex()]);
      }
    } else if (auto zeros = dyn_cast<ZerosLikeOp>(op)) {
      add(zeros);
      uniteAll(zeros, zeros.getSource());
    } else if (auto step = dyn_cast<StepOpInterface>(op);
               step && isSparse(op->getResult(0))) {
      add(op->getResult(0));
      for (Value operand : op->getOperands())
        if (isSparse(operand))
          uniteAll(op->getResult(0), operand);
      if (isa<FactorOpInterface, AdjointOp>(op))
        uniteSquare(step.getSparse());
    } else if (auto factor = dyn_cast<FactorOpInterface>(op)) {
      ArrayRef<Extent> numbers = add(op->getResult(0));
      for (auto [x, y] : llvm::zip(numbers, extentsOf[factor.getMatrix()]))
        unite(x, y);
      uniteSquare(factor.getMatrix());
    } else if (auto solve = dyn_cast<SolveOpInterface>(op)) {
      Value result = op->getResult(0);
      add(result);
      int64_t rank = rankOf(result);
      for (int64_t d = 0; d < rank; ++d) {
        auto [origin, dim] = getExtentOrigin(solve, d);
        unite(extentsOf[result][d], extentsOf[origin][dim]);
      }
      ArrayRef<Extent> matrix = extentsOf[solve.getMatrix()];
      ArrayRef<Extent> rhs = extentsOf[solve.getRhs()];
      for (int64_t d = 0; d + 2 < rank; ++d)
        unite(rhs[d], matrix[d]);
      unite(rhs[rank - 2], matrix[rank - 2 + solve.getRhsDim()]);
      if (solve.needsSquare())
        uniteSquare(solve.getMatrix());
    } else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
      Value result = op->getResult(0);
      add(result);
      uniteAll(result, linalgOp.getDpsInits()[0]);
      SmallVector<Extent> loops;
      for (unsigned i = 0; i < linalgOp.getNumLoops(); ++i)
        loops.push_back(addExtent());
      for (OpOperand &operand : op->getOpOperands()) {
        if (!isa<RankedTensorType>(operand.get().getType()))
          continue;
        AffineMap map = linalgOp.getMatchingIndexingMap(&operand);
        for (auto [extent, index] :
             llvm::zip_equal(extentsOf[operand.get()], map.getResults()))
          if (auto loop = dyn_cast<AffineDimExpr>(index))
            unite(extent, loops[loop.getPosition()]);
      }
    }
  });
}

void ProgramSymbols::number(func::FuncOp program) {
  DenseMap<Extent, int32_t> numberOf;
  for (Value tensor : order) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<int32_t> &symbols = symbolsOf[tensor];
    for (auto [d, extent] : llvm::enumerate(extentsOf[tensor])) {
      classes.insert(extent);
      Extent leader = classes.getLeaderValue(extent);
      auto [entry, inserted] = numberOf.try_emplace(leader, table.size());
      if (inserted)
        table.push_back({"s" + std::to_string(table.size()), -1, 0});
      symbols.push_back(entry->second);
      if (!type.isDynamicDim(d))
        table[entry->second].fixed = type.getDimSize(d);
    }
  }
  for (auto [index, name] : llvm::enumerate(patternNames)) {
    BlockArgument holder = getPatternArgument(program, name);
    ArrayRef<int32_t> shape = of(holder);
    std::string label = name ? name.getValue().str() : "pattern";
    patternTable.push_back({label,
                            {shape.begin(), shape.end()},
                            static_cast<int32_t>(table.size())});
    table.push_back({"stored(" + label + ")", static_cast<int32_t>(index), 0});
  }
}

int32_t ProgramSymbols::ofLoop(Operation *op, unsigned loop) const {
  auto linalgOp = cast<linalg::LinalgOp>(op);
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    AffineMap map = linalgOp.getMatchingIndexingMap(&operand);
    for (auto [d, index] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(index))
        if (dim.getPosition() == loop)
          return of(operand.get())[d];
  }
  llvm_unreachable("a loop that no operand is indexed by");
}

int32_t ProgramSymbols::patternOf(Value sparse) const {
  auto found = llvm::find(patternNames, getPattern(sparse));
  return found == patternNames.end() ? -1 : found - patternNames.begin();
}

ElementType getElementType(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto complexType = dyn_cast<ComplexType>(element))
    return complexType.getElementType().isF32() ? ElementType::C64
                                                : ElementType::C128;
  return element.isF32() ? ElementType::F32 : ElementType::F64;
}

/// How many derivations lie between the program whose result the argument holds
/// and this one, less one: 0 for the program it was derived from.
static int32_t getResultDepth(func::FuncOp program, BlockArgument argument) {
  FlatSymbolRefAttr held = getResultOf(argument);
  if (!held)
    return -1;
  StringRef name = held.getValue(), rest = program.getName();
  int32_t depth = -1;
  // A cotangent that was given is a derivative of an ancestor.
  while (rest != name && rest != name.rsplit('_').first && rest.contains('_')) {
    rest = rest.rsplit('_').first;
    ++depth;
  }
  return depth;
}

/// Whether this use takes more than the shape and the pattern of a tensor.
static bool readsElements(OpOperand &use) {
  if (auto op = dyn_cast<GenericOp>(use.getOwner()))
    return op.isDpsInit(&use) || !op.getMatchingBlockArgument(&use).use_empty();
  return !isa<tensor::DimOp, ZerosLikeOp>(use.getOwner());
}

FailureOr<Manifest> getSignature(func::FuncOp program, StringRef path) {
  ProgramSymbols symbols(program);
  Manifest signature;
  signature.program = path.str();
  signature.symbols = symbols.symbols();
  signature.patterns = symbols.patterns();
  auto storage = program->getAttrOfType<StringAttr>(storageAttr);
  auto describe = [&](Value tensor, StringRef name) {
    TensorInfo info;
    info.name = name.str();
    info.solver = isa<SolverType>(tensor.getType());
    if (info.solver) {
      info.type = ElementType::I64;
      return info;
    }
    info.type = storage ? typeNamed(storage.getValue(), ElementType::F32)
                        : getElementType(tensor.getType());
    info.pattern = isSparse(tensor) ? symbols.patternOf(tensor) : -1;
    info.shape.assign(symbols.of(tensor).begin(), symbols.of(tensor).end());
    return info;
  };
  for (BlockArgument argument : program.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto name = program.getArgAttrOfType<StringAttr>(number, nameAttr);
    std::string label =
        name ? name.getValue().str() : "x" + std::to_string(number);
    TensorInfo info = describe(argument, label);
    info.read = llvm::any_of(argument.getUses(), readsElements);
    info.resultOf = getResultDepth(program, argument);
    signature.operands.push_back(info);
  }
  signature.result =
      describe(program.getBody().front().getTerminator()->getOperand(0), "");
  return signature;
}

} // namespace tsgu
