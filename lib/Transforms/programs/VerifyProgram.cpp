//===- VerifyProgram.cpp - The grammar of programs ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What passes here compiles: later passes, ours and upstream's, need not expect
// anything else. What does not pass gets a diagnostic at its op.
//
//===----------------------------------------------------------------------===//

#include "programs/ScalarOps.h"

#include "tsgu/Dialect/Levels.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/SolveOps.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace tsgu {
#define GEN_PASS_DEF_VERIFYPROGRAM
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
namespace st = mlir::sparse_tensor;

/// The most ops of a program, and of one payload. Nothing of ours recurses over
/// them, but upstream's passes take time that grows with their square.
constexpr unsigned maxOps = 4096;

static LogicalResult verifySize(Operation *op, Block &block, StringRef what) {
  unsigned count = std::distance(block.begin(), block.end());
  if (count <= maxOps)
    return success();
  return op->emitError("has ") << count << " ops in " << what << "; at most "
                               << maxOps << " are compiled as one";
}

/// A sparse type has a level for each dimension, in their order. That it is
/// sparse is all that its levels say: how it is stored is chosen later.
static LogicalResult verifyType(Operation *op, Type type, StringRef what) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return op->emitError() << what << " must be a ranked tensor, not " << type;
  auto numbers = dyn_cast<ComplexType>(tensor.getElementType());
  if (!isa<Float32Type, Float64Type>(numbers ? numbers.getElementType()
                                             : tensor.getElementType()))
    return op->emitError() << what
                           << " must have elements f32 or f64, or complex "
                              "numbers of these, not "
                           << tensor.getElementType();
  auto encoding = st::getSparseTensorEncoding(tensor);
  if (!encoding)
    return success();
  int64_t rank = tensor.getRank();
  Levels levels = getLevels(encoding);
  if ((rank != 2 && rank != 3) || levels.empty() || !inOrder(levels))
    return op->emitError()
           << what
           << " must be stored by rows (dense levels, then compressed ones, "
           << "in the order of its 2 or 3 dimensions), not as " << tensor;
  return success();
}

static LogicalResult verifyArgument(func::FuncOp program,
                                    BlockArgument argument) {
  std::string what = "argument " + std::to_string(argument.getArgNumber());
  if (isa<SolverType>(argument.getType()))
    return program.getArgAttr(argument.getArgNumber(), nameAttr)
               ? success()
               : program.emitError(what)
                     << " is a solver: name it with '" << nameAttr << "'";
  if (failed(verifyType(program, argument.getType(), what)))
    return failure();
  Type element = getElementTypeOrSelf(program.getResultTypes()[0]);
  if (getElementTypeOrSelf(argument) != element)
    return program.emitError(what)
           << " has elements " << getElementTypeOrSelf(argument)
           << ", but the result's are " << element;
  if (!isSparse(argument))
    return success();
  FlatSymbolRefAttr pattern = getPattern(argument);
  if (!pattern)
    return program.emitError(what)
           << " is sparse: name its pattern with '" << patternAttr << "'";
  BlockArgument first = getPatternArgument(program, pattern);
  if (first.getType() != argument.getType())
    return program.emitError(what)
           << " is on pattern " << pattern << ", but is no " << first.getType()
           << " like argument " << first.getArgNumber();
  return success();
}

static LogicalResult verifyResult(func::FuncOp program, unsigned number) {
  std::string what = program.getNumResults() == 1
                         ? "the result"
                         : "result " + std::to_string(number);
  if (failed(verifyType(program, program.getResultTypes()[number], what)))
    return failure();
  Value result = program.getBody().front().getTerminator()->getOperand(number);
  if (!isSparse(result))
    return success();
  FlatSymbolRefAttr pattern = getPattern(result);
  if (!pattern)
    return program.emitError(what)
           << " is on no argument's pattern: start it from tsgu.zeros_like";
  if (pattern != program.getResultAttr(number, patternAttr))
    return program.emitError(what) << " is on pattern " << pattern
                                   << "; say so with '" << patternAttr << "'";
  return success();
}

static LogicalResult verifySignature(func::FuncOp program,
                                     bool severalResults) {
  if (program.isExternal() || !program.getBody().hasOneBlock())
    return program.emitError("a program is one block of ops");
  const unsigned results = program.getNumResults();
  if (results == 0)
    return program.emitError("a program has a result");
  if (results > 1 && !severalResults)
    return program.emitError("a program has one result here, not ")
           << results << ": --tsgu-select-result takes one of them";
  for (BlockArgument argument : program.getArguments())
    if (failed(verifyArgument(program, argument)))
      return failure();
  for (unsigned number = 0; number < results; ++number)
    if (failed(verifyResult(program, number)))
      return failure();
  return success();
}

static LogicalResult verifyMaps(GenericOp op) {
  for (AffineMap map : op.getIndexingMapsArray())
    if (!map.isProjectedPermutation() || map.getNumSymbols() != 0)
      return op.emitError("indexes an operand by ")
             << AffineMapAttr::get(map)
             << "; each dimension must be indexed by a loop of its own";
  return success();
}

/// All sparse tensors of an op have one pattern and are indexed alike.
static LogicalResult verifyPatterns(GenericOp op) {
  OpOperand *first = nullptr;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isSparse(operand.get()))
      continue;
    if (!getPattern(operand.get()))
      return op.emitError("has a sparse operand whose pattern is not known");
    if (!first) {
      first = &operand;
      continue;
    }
    if (getPattern(first->get()) != getPattern(operand.get()))
      return op.emitError("combines sparse tensors on patterns ")
             << getPattern(first->get()) << " and " << getPattern(operand.get())
             << "; go through a dense intermediate result";
    if (op.getMatchingIndexingMap(first) != op.getMatchingIndexingMap(&operand))
      return op.emitError("indexes tensors on pattern ")
             << getPattern(first->get()) << " in different ways";
  }
  if (!first)
    return isSampled(op) ? op.emitError("is marked '")
                               << sampledAttr << "', but has no sparse tensor"
                         : success();
  if (isSparse(op.getDpsInits()[0]) && !isSampled(op))
    return op.emitError("has a sparse result: mark it '")
           << sampledAttr << "', it is computed at stored entries only";
  return success();
}

/// What --tsgu-complexify and derivatives make of payloads.
static bool isComplexArithmetic(Operation &op) {
  return isa<complex::AddOp, complex::SubOp, complex::MulOp, complex::DivOp,
             complex::NegOp, complex::ConjOp, complex::ConstantOp>(op);
}

/// Ops of `math` that upstream lowers to nothing.
static bool hasNoCode(Operation &op) {
  return isa<math::ClampFOp, math::IPowIOp, math::IsInfOp, math::IsNormalOp>(
      op);
}

/// A payload reads its elements, its own values and constants.
static LogicalResult verifyPayloadOp(GenericOp op, Operation &inner) {
  for (Value operand : inner.getOperands())
    if (operand.getParentBlock() != op.getBlock() &&
        !isa_and_nonnull<arith::ConstantOp, complex::ConstantOp>(
            operand.getDefiningOp()))
      return inner.emitError(
          "reads a value from outside of its payload that is "
          "no constant");
  if (inner.hasTrait<OpTrait::IsTerminator>())
    return success();
  bool known = isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
                   inner.getDialect()) ||
               isa<LogAddExpOp>(inner) || isComplexArithmetic(inner);
  if (!known || inner.getNumRegions() != 0 || inner.getNumResults() != 1 ||
      !(inner.getResult(0).getType().isIntOrIndexOrFloat() ||
        isComplex(inner.getResult(0).getType())))
    return inner.emitError("has no place in a payload");
  if (hasNoCode(inner))
    return inner.emitError("has no code: write it with comparisons and "
                           "arithmetic");
  Value out = op.getBlock()->getArguments().back();
  if (isa<LogAddExpOp>(inner) && !llvm::is_contained(inner.getOperands(), out))
    return inner.emitError("may only reduce: combine it with the output");
  return success();
}

/// Leaving out absent entries changes nothing: they add zeros to a sum.
static bool ignoresAbsentEntries(GenericOp op, Payload payload) {
  bool sums = payload.reduction == Reduction::None ||
              payload.reduction == Reduction::Add;
  return sums && annihilates(op, payload.term);
}

static LogicalResult verifyPayload(GenericOp op) {
  if (failed(verifySize(op, *op.getBlock(), "its payload")))
    return failure();
  FailureOr<Payload> payload = getPayload(op);
  if (failed(payload))
    return failure();
  for (Operation &inner : *op.getBlock())
    if (failed(verifyPayloadOp(op, inner)))
      return failure();
  if (!isSampled(op) &&
      llvm::any_of(op.getDpsInputs(), [](Value v) { return isSparse(v); }) &&
      !ignoresAbsentEntries(op, *payload))
    return op.emitError(
               "is not known to be zero where its sparse operand is absent; "
               "mark it '")
           << sampledAttr << "' to leave absent entries out";
  return success();
}

/// Whether a constant, of a float or the parts of a complex number, is
/// `number`.
static bool isSameNumber(Attribute constant, TypedAttr number) {
  if (auto real = dyn_cast<FloatAttr>(number))
    return cast<FloatAttr>(constant).getValue() == real.getValue();
  auto parts = cast<ArrayAttr>(constant);
  auto expected = cast<complex::NumberAttr>(number);
  return cast<FloatAttr>(parts[0]).getValue() == expected.getReal() &&
         cast<FloatAttr>(parts[1]).getValue() == expected.getImag();
}

/// The output starts from the identity of the reduction; a log-sum-exp may
/// start from any dense tensor.
static LogicalResult verifyInit(GenericOp op) {
  Value init = op.getDpsInits()[0];
  Reduction reduction = getPayload(op)->reduction;
  if (reduction == Reduction::LogAddExp && getStart(op))
    return success();
  if (init.getDefiningOp<tensor::EmptyOp>() && reduction == Reduction::None)
    return success();
  if (init.getDefiningOp<ZerosLikeOp>() &&
      (reduction == Reduction::None || reduction == Reduction::Add))
    return success();
  auto fill = init.getDefiningOp<linalg::FillOp>();
  Attribute value;
  if (!fill || !matchPattern(fill.value(), m_Constant(&value)))
    return op.emitError(
        "must start from a tensor.empty filled with a constant, "
        "or from tsgu.zeros_like");
  TypedAttr identity = getIdentity(reduction, fill.value().getType());
  if ((reduction != Reduction::None || isSampled(op)) &&
      !isSameNumber(value, identity))
    return op.emitError("starts from ")
           << value << ", but its reduction's neutral element is " << identity;
  return success();
}

/// An op reads tensors that have values.
static LogicalResult verifyReads(Operation *op, ValueRange inputs) {
  for (Value input : inputs) {
    if (!isa<RankedTensorType>(input.getType()))
      return op->emitError("reads a ")
             << input.getType() << "; write constants into the payload";
    if (input.getDefiningOp<tensor::EmptyOp>())
      return op->emitError("reads a tensor.empty, which has no values");
  }
  return success();
}

/// The extents of all tensors follow from those of the arguments.
static LogicalResult verifyExtents(tensor::EmptyOp empty) {
  for (Value extent : empty.getDynamicSizes())
    if (!extent.getDefiningOp<tensor::DimOp>())
      return empty.emitError("has an extent that is no tensor.dim; write a "
                             "constant one into the type");
  return success();
}

static LogicalResult verifyDim(tensor::DimOp dim) {
  auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
  std::optional<int64_t> index = dim.getConstantIndex();
  if (!type || !index || *index < 0 || *index >= type.getRank())
    return dim.emitError("needs a constant that is a dimension of its tensor");
  return success();
}

static LogicalResult verifyFill(linalg::FillOp fill) {
  auto empty = fill.output().getDefiningOp<tensor::EmptyOp>();
  if (!empty || isSparse(empty) ||
      !isa_and_nonnull<arith::ConstantOp, complex::ConstantOp>(
          fill.value().getDefiningOp()))
    return fill.emitError("must fill a dense tensor.empty with a constant");
  return success();
}

/// All tensors have elements of the first result's type, so that one
/// specialisation retypes them all.
static LogicalResult verifyElements(Operation *op, Type element) {
  for (Value result : op->getResults())
    if (isa<TensorType>(result.getType()) &&
        getElementTypeOrSelf(result) != element)
      return op->emitError("makes a ")
             << result.getType() << ", but the program's result has elements "
             << element;
  return success();
}

/// What a sparse operand's entries are must be known, and the same for all.
static LogicalResult verifyOnePattern(Operation *op) {
  FlatSymbolRefAttr first;
  for (Value operand : op->getOperands()) {
    if (!isSparse(operand))
      continue;
    FlatSymbolRefAttr pattern = getPattern(operand);
    if (!pattern)
      return op->emitError("has a sparse operand whose pattern is not known");
    if (first && pattern != first)
      return op->emitError("combines sparse tensors on patterns ")
             << first << " and " << pattern;
    first = pattern;
  }
  return success();
}

static LogicalResult verifyStep(StepOpInterface op) {
  for (Value operand : op->getOperands())
    if (!isa<SolverType>(operand.getType()) && failed(verifyReads(op, operand)))
      return failure();
  return verifyOnePattern(op);
}

/// A solve takes its matrix transposed, which no other op does.
static LogicalResult foldTransposes(SolveOpInterface op) {
  while (foldTransposedMatrix(op))
    ;
  if (!op.getMatrix().getDefiningOp<linalg::TransposeOp>())
    return success();
  if (isa<TriangularSolveOp>(op))
    return op.emitError("takes a transposed matrix: transpose its mode, and "
                        "give it the solver of the other triangle");
  return op.emitError("takes a matrix whose items are permuted");
}

static void eraseUnusedTransposes(func::FuncOp program) {
  SmallVector<linalg::TransposeOp> transposes;
  program.walk([&](linalg::TransposeOp op) { transposes.push_back(op); });
  for (linalg::TransposeOp op : llvm::reverse(transposes)) {
    Operation *init = op.getInit().getDefiningOp();
    if (!isSparse(op.getInput()) || !op->use_empty())
      continue;
    op.erase();
    if (isa_and_nonnull<tensor::EmptyOp>(init) && init->use_empty())
      init->erase();
  }
}

static LogicalResult foldTransposes(func::FuncOp program) {
  WalkResult folded = program.walk([](SolveOpInterface op) {
    return failed(foldTransposes(op)) ? WalkResult::interrupt()
                                      : WalkResult::advance();
  });
  if (folded.wasInterrupted())
    return failure();
  eraseUnusedTransposes(program);
  return success();
}

static LogicalResult verifyOp(Operation *op) {
  if (isa<ZerosLikeOp, complex::ConstantOp>(op))
    return success();
  if (auto step = dyn_cast<StepOpInterface>(op))
    return verifyStep(step);
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return isa<ShapedType>(constant.getType())
               ? constant.emitError("must be a scalar: make other tensors "
                                    "operands of the program")
               : success();
  if (auto result = dyn_cast<func::ReturnOp>(op))
    return verifyReads(op, result.getOperands());
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return verifyExtents(empty);
  if (auto dim = dyn_cast<tensor::DimOp>(op))
    return verifyDim(dim);
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return verifyFill(fill);
  auto generic = dyn_cast<GenericOp>(op);
  if (!generic)
    return op->emitError("has no place in a program: it is made of linalg ops, "
                         "tensor.empty, tensor.dim, constants and tsgu ops");
  if (failed(verifyReads(op, generic.getDpsInputs())) ||
      failed(verifyMaps(generic)) || failed(verifyPatterns(generic)) ||
      failed(verifyPayload(generic)))
    return failure();
  return verifyInit(generic);
}

LogicalResult tsgu::verifyProgram(func::FuncOp program, bool severalResults) {
  if (failed(verifySignature(program, severalResults)) ||
      failed(verifySize(program, program.getBody().front(), "its body")) ||
      failed(foldTransposes(program)) || failed(generalizeNamedOps(program)))
    return failure();
  Type element = getElementTypeOrSelf(program.getResultTypes()[0]);
  for (Operation &op : program.getBody().front())
    if (failed(verifyElements(&op, element)) || failed(verifyOp(&op)))
      return failure();
  return success();
}

namespace {
struct VerifyProgram : tsgu::impl::VerifyProgramBase<VerifyProgram> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> program = getProgram(getOperation());
    if (failed(program) ||
        failed(verifyProgram(*program, /*severalResults=*/true)))
      signalPassFailure();
  }
};
} // namespace
