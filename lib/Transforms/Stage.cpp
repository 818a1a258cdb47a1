//===- Stage.cpp - A program as kernels and runtime steps -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each op becomes a function of its own, to be compiled as a kernel; the order
// in which they run, their buffers and the values to be permuted for another
// layout go into the manifest. Intermediate results live in scratch buffers.
//
//===----------------------------------------------------------------------===//

#include "Stage.h"
#include "StageBuffers.h"

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/ProgramSymbols.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tsgu {
#define GEN_PASS_DEF_STAGE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;

bool tsgu::isStage(Operation *op) {
  return isa_and_nonnull<GenericOp, StepOpInterface>(op);
}

namespace {

/// Outlines the ops of one program and writes its manifest.
class Staging {
public:
  explicit Staging(func::FuncOp program)
      : program(program), symbols(program), builder(program.getContext()),
        buffers(program, symbols, manifest) {}

  FailureOr<Manifest> build();

private:
  void outline(GenericOp op);
  void addStep(StepOpInterface op);
  bool runsOverStoredValues(GenericOp op);
  RankedTensorType kernelType(GenericOp op, OpOperand &operand,
                              const Partition &partition, bool storedValues);
  Argument describe(GenericOp op, OpOperand &operand, bool storedValues,
                    const Partition &partition);
  Partition describePartition(GenericOp op, bool storedValues);
  Partition::Within describeWithin(GenericOp kernel, Reduction reduction,
                                   const Stage &stage);
  Cost getCost(GenericOp op, const Stage &stage, bool storedValues);
  GenericOp cloneInto(func::FuncOp kernel, GenericOp op, bool storedValues);

  func::FuncOp program;
  ProgramSymbols symbols;
  OpBuilder builder;
  Manifest manifest;
  StageBuffers buffers;
};

/// Whether an op combines values on one pattern entry by entry: it needs no
/// positions then, one loop over the values will do.
bool Staging::runsOverStoredValues(GenericOp op) {
  return llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
    return isSparse(operand.get()) &&
           op.getMatchingIndexingMap(&operand).isPermutation() &&
           op.getMatchingIndexingMap(&operand) ==
               op.getIndexingMapsArray().back();
  });
}

/// Without the extents that the program fixes for dimensions that are cut: a
/// call of the kernel has some iterations of their loops.
static RankedTensorType forgetCutExtents(RankedTensorType type, AffineMap map,
                                         unsigned loops) {
  SmallVector<int64_t> shape(type.getShape());
  for (auto [dim, index] : llvm::enumerate(map.getResults()))
    for (unsigned loop = 0; loop < loops; ++loop)
      if (index.isFunctionOfDim(loop))
        shape[dim] = ShapedType::kDynamic;
  return type.clone(shape);
}

RankedTensorType Staging::kernelType(GenericOp op, OpOperand &operand,
                                     const Partition &partition,
                                     bool storedValues) {
  Value tensor = operand.get();
  auto type = cast<RankedTensorType>(tensor.getType());
  auto encoding = sparse_tensor::getSparseTensorEncoding(type);
  if (!encoding)
    return forgetCutExtents(type, op.getMatchingIndexingMap(&operand),
                            partition.loops.size());
  if (storedValues)
    return RankedTensorType::get({ShapedType::kDynamic}, type.getElementType());
  const LayoutInfo &layout = manifest.layouts[buffers.layoutOf(op, tensor)];
  SmallVector<AffineExpr> levels;
  for (int32_t dim : layout.order)
    levels.push_back(builder.getAffineDimExpr(dim));
  AffineMap map =
      AffineMap::get(type.getRank(), 0, levels, builder.getContext());
  unsigned width = layout.indexType == ElementType::I32 ? 32 : 64;
  return RankedTensorType::get(type.getShape(), type.getElementType(),
                               sparse_tensor::SparseTensorEncodingAttr::get(
                                   builder.getContext(), encoding.getLvlTypes(),
                                   map, AffineMap(), width, width));
}

Partition Staging::describePartition(GenericOp op, bool storedValues) {
  Partition partition;
  partition.proof = op->getAttrOfType<StringAttr>(proofAttr).str();
  int64_t loops = op->getAttrOfType<IntegerAttr>(partitionAttr).getInt();
  partition.parallel = loops > 0;
  if (storedValues) {
    Value output = op.getDpsInits()[0];
    partition.loops = {manifest.patterns[symbols.patternOf(output)].stored};
    return partition;
  }
  for (int64_t loop = 0; loop < loops; ++loop)
    partition.loops.push_back(symbols.ofLoop(op, loop));
  for (Value operand : op->getOperands())
    if (isSparse(operand))
      partition.weightLayout = buffers.layoutOf(op, operand);
  return partition;
}

/// Says what a tensor argument of the kernel is. A sparse one stands for three,
/// its positions, coordinates and values, until the ABI is exported.
Argument Staging::describe(GenericOp op, OpOperand &operand, bool storedValues,
                           const Partition &partition) {
  Value tensor = operand.get();
  bool isOutput = op.isDpsInit(&operand);
  Argument argument;
  argument.buffer = buffers.of(isOutput ? op.getResult(0) : tensor);
  argument.written = isOutput;
  if (storedValues) {
    argument.shape = partition.loops;
    argument.slice = {0};
    return argument;
  }
  if (isSparse(tensor)) {
    argument.role = Argument::Values;
    argument.layout = buffers.layoutOf(op, tensor);
    bool read = !isOutput && !op.getMatchingBlockArgument(&operand).use_empty();
    if (read && !llvm::is_sorted(manifest.layouts[argument.layout].order))
      argument.buffer = buffers.permuted(tensor, argument.layout);
    return argument;
  }
  argument.shape.assign(symbols.of(tensor).begin(), symbols.of(tensor).end());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  for (size_t loop = 0; loop < partition.loops.size(); ++loop) {
    auto dim = map.getResultPosition(builder.getAffineDimExpr(loop));
    argument.slice.push_back(dim ? static_cast<int32_t>(*dim) : -1);
  }
  return argument;
}

/// Of real numbers; Smith's division counts as the textbook's.
static double countFlops(Operation &op) {
  if (isa<complex::MulOp>(op))
    return 6;
  if (isa<complex::DivOp>(op))
    return 11;
  if (isa<complex::AddOp, complex::SubOp>(op))
    return 2;
  return !isa<arith::ConstantOp, complex::ConstantOp, complex::NegOp,
              complex::ConjOp>(op);
}

/// Counts the payload's operations per iteration, and every byte once.
Cost Staging::getCost(GenericOp op, const Stage &stage, bool storedValues) {
  Cost cost;
  double operations = 0;
  for (Operation &inner : op.getBlock()->without_terminator())
    operations += countFlops(inner);
  std::vector<int32_t> iterations;
  int32_t pattern = -1;
  AffineMap sparseMap;
  for (OpOperand &operand : op->getOpOperands())
    if (isSparse(operand.get())) {
      pattern = symbols.patternOf(operand.get());
      sparseMap = op.getMatchingIndexingMap(&operand);
    }
  if (pattern >= 0)
    iterations.push_back(manifest.patterns[pattern].stored);
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (!sparseMap ||
        !sparseMap.getResultPosition(builder.getAffineDimExpr(loop)))
      iterations.push_back(symbols.ofLoop(op, loop));
  cost.flops.push_back({operations, iterations});

  bool counted = false;
  for (const Argument &argument : stage.arguments) {
    double size = elementSize(typeOf(manifest, argument.buffer));
    if (argument.role == Argument::Dense) {
      cost.bytes.push_back({size, argument.shape});
      continue;
    }
    const LayoutInfo &layout = manifest.layouts[argument.layout];
    const PatternInfo &info = manifest.patterns[layout.pattern];
    cost.bytes.push_back({size, {info.stored}});
    if (std::exchange(counted, true))
      continue;
    double index = elementSize(layout.indexType);
    cost.bytes.push_back({index, {info.stored}});
    std::vector<int32_t> rows;
    for (size_t level = 0; level + 1 < layout.order.size(); ++level)
      rows.push_back(info.shape[layout.order[level]]);
    cost.bytes.push_back({index, rows});
  }
  return cost;
}

/// Writes the op into the kernel, with its arguments as operands and constants
/// of the program copied along.
GenericOp Staging::cloneInto(func::FuncOp kernel, GenericOp op,
                             bool storedValues) {
  OpBuilder inner = OpBuilder::atBlockBegin(kernel.addEntryBlock());
  ValueRange arguments = kernel.getArguments();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<IteratorType> iterators = op.getIteratorTypesArray();
  if (storedValues) {
    maps.assign(arguments.size(), inner.getMultiDimIdentityMap(1));
    iterators = {IteratorType::parallel};
  }
  IRMapping mapping;
  op.getRegion().walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (Operation *def = operand.getDefiningOp())
        if (!op->isAncestor(def) && !mapping.contains(operand))
          inner.clone(*def, mapping);
  });
  auto copy = GenericOp::create(inner, op.getLoc(), arguments.back().getType(),
                                arguments.drop_back(), arguments.back(), maps,
                                iterators);
  op.getRegion().cloneInto(&copy.getRegion(), mapping);
  if (isSampled(op) && !storedValues)
    setSampled(copy);
  func::ReturnOp::create(inner, op.getLoc(), copy.getResult(0));
  return copy;
}

/// What a row of the kernel is made up of. Only the rows of one matrix are cut,
/// and those of which results are numbers or dense rows of them.
Partition::Within Staging::describeWithin(GenericOp kernel, Reduction reduction,
                                          const Stage &stage) {
  const Argument &output = stage.arguments.back();
  if (!stage.partition.parallel || stage.partition.loops.size() != 1 ||
      stage.partition.weightLayout < 0)
    return Partition::Whole;
  if (isSparse(kernel.getDpsInits()[0]))
    return Partition::Entries;
  if (output.shape.size() > 2 || output.slice != std::vector<int32_t>{0} ||
      isNarrow(typeOf(manifest, output.buffer)))
    return Partition::Whole;
  switch (reduction) {
  case Reduction::Add:
    return Partition::Add;
  case Reduction::Max:
    return Partition::Max;
  case Reduction::Min:
    return Partition::Min;
  default:
    return Partition::Whole;
  }
}

void Staging::outline(GenericOp op) {
  bool storedValues = runsOverStoredValues(op);
  Stage stage;
  stage.partition = describePartition(op, storedValues);
  SmallVector<Type> inputs;
  for (OpOperand &operand : op->getOpOperands()) {
    inputs.push_back(kernelType(op, operand, stage.partition, storedValues));
    stage.arguments.push_back(
        describe(op, operand, storedValues, stage.partition));
  }
  stage.cost = getCost(op, stage, storedValues);
  unsigned number = llvm::count_if(manifest.stages,
                                   [](const Stage &s) { return s.isKernel(); });
  stage.name = (program.getName() + "_k" + Twine(number)).str();

  builder.setInsertionPoint(program);
  auto kernel =
      func::FuncOp::create(builder, op.getLoc(), stage.name,
                           builder.getFunctionType(inputs, {inputs.back()}));
  kernel->setAttr(kernelAttr, builder.getUnitAttr());
  GenericOp copy = cloneInto(kernel, op, storedValues);
  Payload payload = *getPayload(copy);
  // Sums of a sparse output run innermost and start from the identity anyway; a
  // dense output of sparse operands is zero where they are absent.
  bool accumulates =
      payload.reduction != Reduction::None ||
      llvm::any_of(copy.getDpsInputs(), [](Value v) { return isSparse(v); });
  if (accumulates && !isSparse(copy.getDpsInits()[0]))
    kernel->setAttr(identityAttr,
                    getIdentity(payload.reduction, payload.term.getType()));
  stage.partition.within = describeWithin(copy, payload.reduction, stage);
  manifest.stages.push_back(std::move(stage));
}

void Staging::addStep(StepOpInterface op) {
  StepInfo step;
  step.name = op->getName().stripDialect().str();
  if (Value sparse = op.getSparse())
    step.layout = buffers.csrOf(sparse);
  for (Value operand : op->getOperands())
    step.reads.push_back(buffers.of(operand));
  for (Value result : op->getResults())
    step.writes.push_back(buffers.of(result));
  llvm::append_range(step.numbers, op.getNumbers());
  manifest.stages.emplace_back().step = std::move(step);
}

/// What --tsgu-select-layout says of an op: at most all its loops are cut, and
/// the levels of its sparse tensors are a permutation of their dimensions.
static LogicalResult verifySchedule(GenericOp op) {
  auto partition = op->getAttrOfType<IntegerAttr>(partitionAttr);
  if (!partition || !op->getAttrOfType<StringAttr>(proofAttr))
    return op.emitError("has no layout; run --tsgu-select-layout first");
  if (partition.getValue().ugt(op.getNumLoops()))
    return op.emitError("cuts ")
           << partition.getInt() << " loops, but has " << op.getNumLoops();
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isSparse(operand.get()))
      continue;
    auto layout = op->getAttrOfType<DenseI64ArrayAttr>(layoutAttr);
    int64_t rank = cast<RankedTensorType>(operand.get().getType()).getRank();
    if (!layout || layout.size() != rank ||
        !isPermutationVector(layout.asArrayRef()))
      return op.emitError("needs a '")
             << layoutAttr << "' that orders the " << rank
             << " dimensions of its sparse tensors";
  }
  return success();
}

FailureOr<Manifest> Staging::build() {
  FailureOr<Manifest> signature = getSignature(program, program.getName());
  if (failed(signature))
    return failure();
  manifest = std::move(*signature);
  for (auto op : program.getOps<GenericOp>())
    if (failed(verifySchedule(op)))
      return failure();
  for (Operation &op : program.getBody().front()) {
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](GenericOp generic) { outline(generic); })
        .Case([&](StepOpInterface step) { addStep(step); });
    if (isStage(&op))
      buffers.releaseAfter(&op);
  }
  return std::move(manifest);
}

struct StagePass : tsgu::impl::StageBase<StagePass> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> program = getProgram(getOperation());
    if (failed(program))
      return signalPassFailure();
    if (failed(verifyProgram(*program)))
      return signalPassFailure();
    if (!(*program)->getAttrOfType<IntegerAttr>(derivedIndexAttr)) {
      program->emitError("is not specialised; run --tsgu-specialize first");
      return signalPassFailure();
    }
    materializeConstants(*program);
    FailureOr<Manifest> manifest = Staging(*program).build();
    if (failed(manifest))
      return signalPassFailure();
    setManifest(getOperation(), *manifest);
    program->erase();
  }
};

} // namespace
