//===- Differentiate.cpp - Programs for gradients and tangents ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The derivative of a program with respect to one operand is a program over
//
//   the operands, the program's result if it is needed, a cotangent or tangent.
//
// It starts as a copy of the program, followed by the rules of its ops in
// reverse (or forward) order; what it does not need is then removed. An operand
// that holds the result of another program is a function of the operands before
// it: that program is copied in front, and differentiation goes through it.
//
//===----------------------------------------------------------------------===//

#include "programs/FactorRules.h"
#include "programs/LinalgRules.h"
#include "programs/ScalarOps.h"
#include "programs/Simplify.h"
#include "programs/SolveRules.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/ProgramSymbols.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"

namespace tsgu {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;

namespace {

/// The cotangent of an operand, as a program whose result others take.
struct Cotangent {
  func::FuncOp program;
  unsigned operand;
};

/// Writes the derivative of `source` by operand number `wrt`.
class ProgramDerivative {
public:
  ProgramDerivative(func::FuncOp source, unsigned wrt, bool forward,
                    ArrayRef<Cotangent> given = {})
      : source(source), wrt(wrt), forward(forward), given(given),
        builder(source.getContext()) {}

  /// Keeps the argument for the program's result even where it is not read.
  bool keepsResult = false;

  FailureOr<func::FuncOp> build();

private:
  /// A copied program: its ops, the value it returned, the argument that holds
  /// that value.
  struct Segment {
    SmallVector<Operation *> ops;
    Value returned;
    BlockArgument held;
  };

  void createFunction();
  void setShapes();
  LogicalResult copyPrograms();
  LogicalResult copyProgram(func::FuncOp program, BlockArgument held);
  llvm::SmallDenseSet<Value> findDependents();
  FailureOr<Value> reverseMode();
  FailureOr<Value> forwardMode();
  void dropUnusedResult();
  SmallVector<Value> withGiven(Value result);
  void useGiven();

  void accumulate(Value value, Value cotangent) {
    Value &sum = derivatives[value];
    sum = sum ? buildSum(builder, value.getLoc(), sum, cotangent) : cotangent;
  }
  BlockArgument heldCotangent(unsigned i) {
    return function.getArgument(source.getNumArguments() + 2 + i);
  }
  Value stored(Value value) { return heldBy.lookup_or(value, value); }

  func::FuncOp source;
  unsigned wrt;
  bool forward;
  ArrayRef<Cotangent> given;
  OpBuilder builder;
  func::FuncOp function;
  SmallVector<Segment> segments;
  llvm::SmallDenseMap<Value, Value> heldBy;      // computed value -> argument
  llvm::SmallDenseMap<Value, Value> derivatives; // cotangents or tangents
};

/// A name that no argument of the function has.
StringAttr uniqueName(func::FuncOp function, StringRef base) {
  auto taken = [&](StringRef name) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto other = function.getArgAttrOfType<StringAttr>(i, nameAttr))
        if (other.getValue() == name)
          return true;
    return false;
  };
  std::string name = base.str();
  for (unsigned i = 2; taken(name); ++i)
    name = (base + Twine(i)).str();
  return StringAttr::get(function.getContext(), name);
}

void ProgramDerivative::createFunction() {
  Type resultType = source.getResultTypes()[0];
  Type operandType = source.getArgumentTypes()[wrt];
  SmallVector<Type> inputs(source.getArgumentTypes());
  inputs.push_back(resultType);
  inputs.push_back(forward ? operandType : resultType);
  for (Cotangent cotangent : given)
    inputs.push_back(source.getArgumentTypes()[cotangent.operand]);
  Type output = forward ? resultType : operandType;
  std::string name =
      (source.getName() + (forward ? "_jvp" : "_vjp") + Twine(wrt)).str();
  for (Cotangent cotangent : given)
    name += ("given" + Twine(cotangent.operand)).str();
  builder.setInsertionPointAfter(source);
  function = func::FuncOp::create(builder, source.getLoc(), name,
                                  builder.getFunctionType(inputs, {output}));
  unsigned count = source.getNumArguments();
  for (unsigned i = 0; i < count; ++i)
    function.setArgAttrs(i, source.getArgAttrDict(i));

  Attribute resultPattern = source.getResultAttr(0, patternAttr);
  Attribute operandPattern = source.getArgAttr(wrt, patternAttr);
  auto setPattern = [&](unsigned argument, Attribute pattern) {
    if (pattern)
      function.setArgAttr(argument, patternAttr, pattern);
  };
  function.setArgAttr(count, resultOfAttr,
                      FlatSymbolRefAttr::get(source.getNameAttr()));
  function.setArgAttr(count, nameAttr, uniqueName(function, "Y"));
  setPattern(count, resultPattern);
  function.setArgAttr(count + 1, nameAttr,
                      uniqueName(function, forward ? "T" : "G"));
  setPattern(count + 1, forward ? operandPattern : resultPattern);
  if (Attribute pattern = forward ? resultPattern : operandPattern)
    function.setResultAttr(0, patternAttr, pattern);
  for (auto [i, cotangent] : llvm::enumerate(given)) {
    unsigned argument = count + 2 + i;
    function.setArgAttr(
        argument, resultOfAttr,
        FlatSymbolRefAttr::get(func::FuncOp(cotangent.program).getNameAttr()));
    function.setArgAttr(argument, nameAttr, uniqueName(function, "H"));
    setPattern(argument, source.getArgAttr(cotangent.operand, patternAttr));
  }
  setShapes();
  builder.setInsertionPointToStart(function.addEntryBlock());
}

/// Which extents are equal is known from the program, whichever of its ops the
/// derivative keeps.
void ProgramDerivative::setShapes() {
  ProgramSymbols symbols(source);
  auto setShape = [&](unsigned argument, Value like) {
    if (isa<RankedTensorType>(like.getType()))
      function.setArgAttr(argument, shapeAttr,
                          builder.getDenseI32ArrayAttr(symbols.of(like)));
  };
  unsigned count = source.getNumArguments();
  Value operand = source.getArgument(wrt);
  Value result = source.getBody().front().getTerminator()->getOperand(0);
  for (BlockArgument argument : source.getArguments())
    setShape(argument.getArgNumber(), argument);
  setShape(count, result);
  setShape(count + 1, forward ? operand : result);
  for (auto [i, cotangent] : llvm::enumerate(given))
    setShape(count + 2 + i, source.getArgument(cotangent.operand));
}

LogicalResult ProgramDerivative::copyProgram(func::FuncOp program,
                                             BlockArgument held) {
  Segment segment;
  IRMapping mapping;
  for (auto [from, to] :
       llvm::zip(program.getArguments(), function.getArguments()))
    mapping.map(from, to);
  for (Operation &op : program.getBody().front().without_terminator())
    segment.ops.push_back(builder.clone(op, mapping));
  segment.returned = mapping.lookupOrDefault(
      program.getBody().front().getTerminator()->getOperand(0));
  segment.held = held;
  if (!isa<BlockArgument>(segment.returned))
    heldBy[segment.returned] = held;
  segments.push_back(std::move(segment));
  return success();
}

LogicalResult ProgramDerivative::copyPrograms() {
  // A cotangent that is given is no part of what is differentiated.
  for (BlockArgument argument :
       function.getArguments().take_front(source.getNumArguments() + 1)) {
    FlatSymbolRefAttr name = getResultOf(argument);
    if (!name)
      continue;
    auto program =
        SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(source, name);
    if (!program || program.isExternal())
      return source.emitError("argument ")
             << argument.getArgNumber() << " holds the result of " << name
             << ", which is not in the module";
    ArrayRef<Type> before =
        source.getArgumentTypes().take_front(argument.getArgNumber());
    ArrayRef<Type> taken = program.getArgumentTypes();
    if (taken.size() > before.size() ||
        taken != before.take_front(taken.size()) ||
        program.getResultTypes() != ArrayRef<Type>(argument.getType()))
      return source.emitError("argument ")
             << argument.getArgNumber() << " holds the result of " << name
             << ", which has other arguments than stand before it, or another "
                "result";
    if (failed(verifyProgram(program)))
      return failure();
    if (failed(copyProgram(program, argument)))
      return failure();
  }
  return success();
}

/// What depends on the operand, or on those whose cotangents are given.
llvm::SmallDenseSet<Value> ProgramDerivative::findDependents() {
  llvm::SmallDenseSet<Value> dependents{function.getArgument(wrt)};
  for (Cotangent cotangent : given)
    dependents.insert(function.getArgument(cotangent.operand));
  for (Segment &segment : segments) {
    for (Operation *op : segment.ops)
      if (llvm::any_of(op->getOperands(),
                       [&](Value v) { return dependents.contains(v); }))
        dependents.insert_range(op->getResults());
    if (dependents.contains(segment.returned))
      dependents.insert(segment.held);
  }
  return dependents;
}

FailureOr<Value> ProgramDerivative::reverseMode() {
  llvm::SmallDenseSet<Value> dependents = findDependents();
  derivatives[segments.back().returned] =
      function.getArgument(source.getNumArguments() + 1);
  auto storedValue = [&](Value v) { return stored(v); };
  for (Segment &segment : llvm::reverse(segments)) {
    if (Value cotangent = derivatives.lookup(segment.held))
      accumulate(segment.returned, cotangent);
    for (Operation *op : llvm::reverse(segment.ops)) {
      auto rule = dyn_cast<DifferentiableOpInterface>(op);
      Value cotangent = rule ? derivatives.lookup(op->getResult(0)) : Value();
      if (!cotangent)
        continue;
      for (OpOperand &input : op->getOpOperands()) {
        if (!isa<RankedTensorType>(input.get().getType()) ||
            !dependents.contains(input.get()))
          continue;
        FailureOr<Value> contribution =
            rule.buildCotangent(builder, input, cotangent, storedValue);
        if (failed(contribution))
          return failure();
        if (*contribution)
          accumulate(input.get(), *contribution);
      }
    }
  }
  BlockArgument operand = function.getArgument(wrt);
  Value result = derivatives.lookup(operand);
  return result ? result : buildZero(builder, operand.getLoc(), operand);
}

FailureOr<Value> ProgramDerivative::forwardMode() {
  derivatives[function.getArgument(wrt)] = function.getArguments().back();
  auto storedValue = [&](Value v) { return stored(v); };
  for (Segment &segment : segments) {
    for (Operation *op : segment.ops) {
      auto rule = dyn_cast<DifferentiableOpInterface>(op);
      if (!rule)
        continue;
      SmallVector<Value> tangents;
      for (Value operand : op->getOperands())
        tangents.push_back(derivatives.lookup(operand));
      if (llvm::none_of(tangents, [](Value t) { return bool(t); }))
        continue;
      FailureOr<Value> tangent =
          rule.buildTangent(builder, tangents, storedValue);
      if (failed(tangent))
        return failure();
      if (*tangent)
        derivatives[op->getResult(0)] = *tangent;
    }
    if (Value tangent = derivatives.lookup(segment.returned))
      derivatives[segment.held] = tangent;
  }
  Value returned = segments.back().returned;
  Value result = derivatives.lookup(returned);
  return result ? result : buildZero(builder, returned.getLoc(), returned);
}

/// The result, then the given cotangents as they were computed on the way, if
/// they were: what is returned survives the merging of equal ops.
SmallVector<Value> ProgramDerivative::withGiven(Value result) {
  SmallVector<Value> values{result};
  for (auto [i, cotangent] : llvm::enumerate(given)) {
    Value computed =
        derivatives.lookup(function.getArgument(cotangent.operand));
    values.push_back(computed ? computed : heldCotangent(i));
  }
  return values;
}

/// Reads the given cotangents instead of computing them.
void ProgramDerivative::useGiven() {
  simplifyProgram(function);
  Operation *end = function.getBody().front().getTerminator();
  for (unsigned i = 0; i < given.size(); ++i) {
    Value held = heldCotangent(i), computed = end->getOperand(1 + i);
    if (computed != held)
      computed.replaceUsesWithIf(held, [&](OpOperand &use) {
        return use.getOwner() != end || use.getOperandNumber() == 0;
      });
  }
  end->eraseOperands(1, given.size());
}

/// Removes the argument for the program's result where the derivative does not
/// read it.
void ProgramDerivative::dropUnusedResult() {
  unsigned argument = source.getNumArguments();
  if (function.getArgument(argument).use_empty())
    (void)function.eraseArgument(argument);
}

FailureOr<func::FuncOp> ProgramDerivative::build() {
  createFunction();
  if (failed(copyPrograms())) {
    function.erase();
    return failure();
  }
  FailureOr<Value> result = forward ? forwardMode() : reverseMode();
  if (failed(result)) {
    function.erase();
    return failure();
  }
  func::ReturnOp::create(builder, source.getLoc(), withGiven(*result));
  for (Segment &segment : segments)
    if (auto definition = segment.returned.getDefiningOp<GenericOp>())
      reuseResult(function, definition, segment.held);
  if (!given.empty())
    useGiven();
  simplifyProgram(function);
  if (given.empty() && !keepsResult)
    dropUnusedResult();
  return function;
}

struct Differentiate : tsgu::impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    DifferentiateBase::getDependentDialects(registry);
    registerLinalgRules(registry);
    registerSolveRules(registry);
    registerFactorRules(registry);
  }

  void runOnOperation() override {
    SmallVector<func::FuncOp> programs;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        programs.push_back(function);
    for (func::FuncOp program : programs)
      if (failed(differentiate(program)))
        return signalPassFailure();
    // What is left of the originals serves tsgu.result_of.
    for (func::FuncOp program : programs) {
      program.setPrivate();
      if (SymbolTable::symbolKnownUseEmpty(program, getOperation()))
        program.erase();
    }
  }

  LogicalResult differentiate(func::FuncOp program) {
    if (failed(verifyProgram(program)) || failed(checkOptions(program)))
      return failure();
    SmallVector<Cotangent> cotangents;
    for (unsigned operand : given) {
      ProgramDerivative derivative(program, operand, /*forward=*/false);
      derivative.keepsResult = true;
      FailureOr<func::FuncOp> built = derivative.build();
      if (failed(built))
        return failure();
      built->setPrivate();
      cotangents.push_back({*built, operand});
    }
    SmallVector<unsigned> operands(wrt.begin(), wrt.end());
    if (operands.empty())
      for (BlockArgument argument : program.getArguments())
        if (!getResultOf(argument) && isa<RankedTensorType>(argument.getType()))
          operands.push_back(argument.getArgNumber());
    for (unsigned operand : llvm::reverse(operands)) {
      bool forward = mode == "forward";
      if (failed(
              ProgramDerivative(program, operand, forward, cotangents).build()))
        return failure();
    }
    return success();
  }

  LogicalResult checkOptions(func::FuncOp program) {
    if (mode != "reverse" && mode != "forward")
      return program.emitError("mode must be reverse or forward, not ")
             << mode.getValue();
    if (!given.empty() && (mode != "reverse" || wrt.empty()))
      return program.emitError("cotangents can be given in reverse mode, for "
                               "the operands named in wrt");
    llvm::SmallDenseSet<unsigned> taken;
    for (unsigned operand : wrt) {
      if (failed(checkOperand(program, operand)))
        return failure();
      if (!taken.insert(operand).second)
        return program.emitError("operand ") << operand << " is named twice";
    }
    for (unsigned operand : given) {
      if (failed(checkOperand(program, operand)))
        return failure();
      if (!taken.insert(operand).second)
        return program.emitError("the cotangent of operand ")
               << operand << " is given already or asked for";
    }
    return success();
  }

  LogicalResult checkOperand(func::FuncOp program, unsigned operand) {
    if (operand >= program.getNumArguments())
      return program.emitError("has no operand ")
             << operand << " to differentiate by";
    if (!isa<RankedTensorType>(program.getArgument(operand).getType()))
      return program.emitError("operand ")
             << operand
             << " is a solver; differentiate by the tensors it works on";
    if (FlatSymbolRefAttr held = getResultOf(program.getArgument(operand)))
      return program.emitError("operand ")
             << operand << " holds the result of " << held
             << "; differentiate by the operands that it depends on";
    return success();
  }
};

} // namespace
