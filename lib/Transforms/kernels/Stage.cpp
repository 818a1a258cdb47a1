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

#include "kernels/Stage.h"
#include "kernels/StageBuffers.h"
#include "kernels/StageKernels.h"

#include "tsgu/Dialect/Levels.h"
#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/ProgramSymbols.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
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
  bool countsNodes(const Partition &partition) const;
  std::vector<int32_t> getSlice(AffineMap map, const Partition &partition);
  bool leavesGaps(GenericOp op, const Stage &stage) const;
  void addFill(const Stage &stage, TypedAttr identity);
  void markBlocks(func::FuncOp kernel, GenericOp op, const Stage &stage);
  RankedTensorType kernelType(GenericOp op, OpOperand &operand,
                              const Partition &partition, bool overEntries);
  Argument describe(GenericOp op, OpOperand &operand, bool overEntries,
                    const Partition &partition);
  Partition describePartition(GenericOp op, bool overEntries);
  Partition::Within describeWithin(GenericOp kernel, Reduction reduction,
                                   const Stage &stage);
  Argument describeCoordinates(GenericOp op, const Stage &stage);
  Cost getCost(GenericOp op, const Stage &stage);

  func::FuncOp program;
  ProgramSymbols symbols;
  OpBuilder builder;
  Manifest manifest;
  StageBuffers buffers;
};

/// Without the extents that the program fixes for dimensions that are cut: a
/// call of the kernel has some iterations of their loops.
static RankedTensorType forgetCutExtents(RankedTensorType type,
                                         ArrayRef<int32_t> slice) {
  SmallVector<int64_t> shape(type.getShape());
  for (int32_t dim : slice)
    if (dim >= 0)
      shape[dim] = ShapedType::kDynamic;
  return type.clone(shape);
}

/// Whether the first partitioned loop runs through the nodes of a compressed
/// level.
bool Staging::countsNodes(const Partition &partition) const {
  return !partition.loops.empty() &&
         manifest.symbols[partition.loops[0]].nodesOf >= 0;
}

/// For each partitioned loop the dimension that it cuts out of a dense tensor,
/// or -1. The nodes of a compressed level cut none: what belongs to them is
/// anywhere.
std::vector<int32_t> Staging::getSlice(AffineMap map,
                                       const Partition &partition) {
  std::vector<int32_t> slice;
  for (size_t loop = 0; loop < partition.loops.size(); ++loop) {
    auto dim = map.getResultPosition(builder.getAffineDimExpr(loop));
    bool cuts = dim && !(loop == 0 && countsNodes(partition));
    slice.push_back(cuts ? static_cast<int32_t>(*dim) : -1);
  }
  return slice;
}

RankedTensorType Staging::kernelType(GenericOp op, OpOperand &operand,
                                     const Partition &partition,
                                     bool overEntries) {
  Value tensor = operand.get();
  auto type = cast<RankedTensorType>(tensor.getType());
  auto encoding = sparse_tensor::getSparseTensorEncoding(type);
  if (!encoding)
    return overEntries ? type
                       : forgetCutExtents(
                             type, getSlice(op.getMatchingIndexingMap(&operand),
                                            partition));
  if (overEntries)
    return RankedTensorType::get({ShapedType::kDynamic}, type.getElementType());
  const LayoutInfo &layout = manifest.layouts[buffers.layoutOf(op, tensor)];
  unsigned width = layout.indexType == ElementType::I32 ? 32 : 64;
  return RankedTensorType::get(
      type.getShape(), type.getElementType(),
      getEncoding(builder.getContext(), layout.levels, width));
}

Partition Staging::describePartition(GenericOp op, bool overEntries) {
  Partition partition;
  partition.proof = op->getAttrOfType<StringAttr>(proofAttr).str();
  int64_t loops = op->getAttrOfType<IntegerAttr>(partitionAttr).getInt();
  partition.parallel = loops > 0;
  if (overEntries) {
    Value output = op.getDpsInits()[0];
    partition.loops = {manifest.patterns[symbols.patternOf(output)].stored};
    return partition;
  }
  for (int64_t loop = 0; loop < loops; ++loop)
    partition.loops.push_back(symbols.ofLoop(op, loop));
  for (Value operand : op->getOperands())
    if (isSparse(operand))
      partition.weightLayout = buffers.layoutOf(op, operand);
  if (partition.weightLayout >= 0) {
    int32_t nodes = buffers.nodesOf(partition.weightLayout);
    if (partition.parallel)
      partition.loops[0] = nodes;
  }
  return partition;
}

/// Says what a tensor argument of the kernel is. A sparse one stands for three,
/// its positions, coordinates and values, until the ABI is exported.
Argument Staging::describe(GenericOp op, OpOperand &operand, bool overEntries,
                           const Partition &partition) {
  Value tensor = operand.get();
  bool isOutput = op.isDpsInit(&operand);
  Argument argument;
  argument.buffer = buffers.of(isOutput ? op.getResult(0) : tensor);
  argument.written = isOutput;
  if (overEntries && isSparse(tensor)) {
    argument.shape = partition.loops;
    argument.slice = {0};
    return argument;
  }
  if (isSparse(tensor)) {
    argument.role = Argument::Values;
    argument.layout = buffers.layoutOf(op, tensor);
    bool read = !isOutput && !op.getMatchingBlockArgument(&operand).use_empty();
    if (read && !inOrder(manifest.layouts[argument.layout].levels))
      argument.buffer = buffers.permuted(tensor, argument.layout);
    return argument;
  }
  argument.shape.assign(symbols.of(tensor).begin(), symbols.of(tensor).end());
  if (overEntries) {
    argument.slice = {-1};
    return argument;
  }
  argument.slice = getSlice(op.getMatchingIndexingMap(&operand), partition);
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
Cost Staging::getCost(GenericOp op, const Stage &stage) {
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
  for (auto [argument, operand] :
       llvm::zip(stage.arguments, op->getOpOperands())) {
    double size = elementSize(typeOf(manifest, argument.buffer));
    if (argument.role == Argument::Dense) {
      std::vector<int32_t> shape = argument.shape;
      AffineMap map = op.getMatchingIndexingMap(&operand);
      if (countsNodes(stage.partition))
        if (auto dim = map.getResultPosition(builder.getAffineDimExpr(0)))
          shape[*dim] = stage.partition.loops[0];
      cost.bytes.push_back({size, shape});
      continue;
    }
    const LayoutInfo &layout = manifest.layouts[argument.layout];
    const PatternInfo &info = manifest.patterns[layout.pattern];
    cost.bytes.push_back({size, {info.stored}});
    if (std::exchange(counted, true))
      continue;
    double index = elementSize(layout.indexType);
    cost.bytes.push_back({index, {info.stored}});
    if (layout.levels.back().kind == Level::Singleton)
      cost.bytes.push_back({index, {info.stored}});
    // How many nodes there are below a compressed level is not known.
    if (layout.levels[0].kind == Level::Compressed) {
      cost.bytes.push_back({2 * index, {buffers.nodesOf(argument.layout)}});
      continue;
    }
    std::vector<int32_t> rows;
    for (const Level &level : layout.levels)
      if (level.kind == Level::Dense)
        rows.push_back(info.shape[level.dimension]);
    cost.bytes.push_back({index, rows});
  }
  return cost;
}

/// The last coordinates of the stored entries, cut along with their values.
Argument Staging::describeCoordinates(GenericOp op, const Stage &stage) {
  Argument argument;
  argument.role = Argument::Coordinates;
  argument.layout = buffers.layoutOf(op, op.getDpsInits()[0]);
  argument.level =
      static_cast<int32_t>(manifest.layouts[argument.layout].levels.size()) - 1;
  argument.shape = stage.partition.loops;
  argument.slice = {0};
  return argument;
}

/// What a row of the kernel is made up of. Only the rows of one matrix are cut,
/// and those of which results are numbers or dense rows of them.
Partition::Within Staging::describeWithin(GenericOp kernel, Reduction reduction,
                                          const Stage &stage) {
  const Argument &output = stage.arguments.back();
  if (!stage.partition.parallel || stage.partition.loops.size() != 1 ||
      stage.partition.weightLayout < 0 ||
      manifest.layouts[stage.partition.weightLayout].levels.size() != 2)
    return Partition::Whole;
  if (isSparse(kernel.getDpsInits()[0]))
    return Partition::Entries;
  AffineMap map = kernel.getIndexingMapsArray().back();
  if (output.shape.size() > 2 || output.shape.empty() ||
      !map.getResult(0).isFunctionOfDim(0) ||
      isNarrow(typeOf(manifest, output.buffer)))
    return Partition::Whole;
  switch (reduction) {
  case Reduction::Add:
    return Partition::Add;
  case Reduction::Max:
    return Partition::Max;
  case Reduction::Min:
    return Partition::Min;
  case Reduction::MaxNumber:
    return Partition::MaxNumber;
  case Reduction::MinNumber:
    return Partition::MinNumber;
  default:
    return Partition::Whole;
  }
}

/// Whether elements of a dense output belong to no node of a compressed level,
/// and so to no iteration.
bool Staging::leavesGaps(GenericOp op, const Stage &stage) const {
  if (stage.partition.weightLayout < 0)
    return false;
  const Levels &levels = manifest.layouts[stage.partition.weightLayout].levels;
  AffineMap out = op.getIndexingMapsArray().back();
  for (size_t level = 0; level + 1 < levels.size(); ++level)
    if (levels[level].kind == Level::Compressed && out.isFunctionOfDim(level))
      return true;
  return false;
}

/// The step that puts the identity everywhere in a kernel's output.
void Staging::addFill(const Stage &stage, TypedAttr identity) {
  StepInfo fill;
  fill.name = StepInfo::fill;
  fill.writes = {stage.arguments.back().buffer};
  auto number = dyn_cast<FloatAttr>(identity);
  bool isZero = !number || number.getValue().isZero();
  fill.numbers = {isZero ? 0 : number.getValue().isNegative() ? -1 : 1};
  manifest.stages.emplace_back().step = std::move(fill);
}

/// Says of a kernel that goes through the rows of a matrix, or of each item's,
/// of which blocks of rows and columns that is made up.
void Staging::markBlocks(func::FuncOp kernel, GenericOp op,
                         const Stage &stage) {
  const Partition &partition = stage.partition;
  if (!partition.parallel || partition.weightLayout < 0)
    return;
  const LayoutInfo &layout = manifest.layouts[partition.weightLayout];
  const Level *last = &layout.levels.back();
  auto rank = static_cast<int32_t>(layout.levels.size());
  const int32_t rows = last[-1].dimension, columns = last->dimension;
  if (partition.loops.size() + 1 != layout.levels.size() ||
      last[-1].kind != Level::Dense || std::min(rows, columns) + 2 < rank)
    return;
  for (Value operand : op->getOperands()) {
    if (!isSparse(operand))
      continue;
    BlockArgument holder = getPatternArgument(program, getPattern(operand));
    auto blocks = program.getArgAttrOfType<IntegerAttr>(holder.getArgNumber(),
                                                        blocksAttr);
    if (!blocks)
      return;
    int64_t shape[] = {blocks.getInt() & 255, blocks.getInt() >> 8};
    if (rows > columns && shape[1] > 0) // A diagonal is one either way.
      std::swap(shape[0], shape[1]);
    if (shape[0] > 1)
      kernel->setAttr(blocksAttr, builder.getDenseI64ArrayAttr(shape));
    return;
  }
}

void Staging::outline(GenericOp op) {
  bool overEntries = runsOverEntries(op);
  Stage stage;
  stage.partition = describePartition(op, overEntries);
  SmallVector<Type> inputs;
  for (OpOperand &operand : op->getOpOperands()) {
    inputs.push_back(kernelType(op, operand, stage.partition, overEntries));
    stage.arguments.push_back(
        describe(op, operand, overEntries, stage.partition));
  }
  Type output = inputs.back();
  stage.cost = getCost(op, stage);
  if (overEntries && readsCoordinates(op)) {
    stage.arguments.push_back(describeCoordinates(op, stage));
    int64_t bytes =
        elementSize(manifest.layouts[stage.arguments.back().layout].indexType);
    inputs.push_back(RankedTensorType::get({ShapedType::kDynamic},
                                           builder.getIntegerType(8 * bytes)));
    stage.cost.bytes.push_back(
        {static_cast<double>(bytes), stage.partition.loops});
  }
  unsigned number = llvm::count_if(manifest.stages,
                                   [](const Stage &s) { return s.isKernel(); });
  stage.name = (program.getName() + "_k" + Twine(number)).str();

  builder.setInsertionPoint(program);
  auto kernel = func::FuncOp::create(builder, op.getLoc(), stage.name,
                                     builder.getFunctionType(inputs, {output}));
  kernel->setAttr(kernelAttr, builder.getUnitAttr());
  markBlocks(kernel, op, stage);
  GenericOp copy =
      overEntries ? cloneOverEntries(kernel, op) : cloneInto(kernel, op);
  Payload payload = *getPayload(copy);
  // Sums of a sparse output run innermost and start from the identity anyway; a
  // dense output of sparse operands is zero where they are absent.
  bool accumulates =
      payload.reduction != Reduction::None ||
      llvm::any_of(copy.getDpsInputs(), [](Value v) { return isSparse(v); });
  if (accumulates && !isSparse(copy.getDpsInits()[0])) {
    TypedAttr identity = getIdentity(payload.reduction, payload.term.getType());
    kernel->setAttr(identityAttr, identity);
    if (leavesGaps(op, stage)) {
      kernel->setAttr(filledAttr, builder.getUnitAttr());
      addFill(stage, identity);
    }
  }
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
/// the levels of its sparse tensors are those of a layout.
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
    auto layout =
        op->getAttrOfType<sparse_tensor::SparseTensorEncodingAttr>(layoutAttr);
    int64_t rank = cast<RankedTensorType>(operand.get().getType()).getRank();
    if (!layout || static_cast<int64_t>(getLevels(layout).size()) != rank)
      return op.emitError("needs a '")
             << layoutAttr << "' with levels for the " << rank
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
