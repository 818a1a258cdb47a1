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

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/ProgramSymbols.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"
#include "tsgu/Transforms/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tsgu {
#define GEN_PASS_DEF_STAGE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;

/// Whether an op becomes a stage.
static bool isStage(Operation *op) {
  return isa_and_nonnull<GenericOp, SolveOpInterface, TriangleOp>(op);
}

/// Makes an op of every constant tensor that is read or returned, and of a
/// returned argument, so that all data comes from ops.
static void materializeConstants(func::FuncOp program) {
  auto isInit = [](OpOperand &use) {
    auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
    return op && op.isDpsInit(&use);
  };
  auto materialize = [&](OpOperand &use) {
    Value source = use.get();
    OpBuilder builder(use.getOwner());
    AffineMap map = builder.getMultiDimIdentityMap(
        cast<RankedTensorType>(source.getType()).getRank());
    SmallVector<IteratorType> loops(map.getNumDims(), IteratorType::parallel);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps{map};
    Value init = source, constant;
    if (auto fill = source.getDefiningOp<linalg::FillOp>()) {
      constant = fill.value();
      init = fill.output();
    } else if (source.getDefiningOp<ZerosLikeOp>()) {
      constant = createConstant(builder, source.getLoc(),
                                getElementTypeOrSelf(source), 0.0);
    } else {
      inputs.push_back(source);
      maps.push_back(map);
      if (isSparse(source)) {
        init = ZerosLikeOp::create(builder, source.getLoc(), source);
      } else {
        SmallVector<Value> extents;
        auto type = cast<RankedTensorType>(source.getType());
        for (int64_t d = 0; d < type.getRank(); ++d)
          if (type.isDynamicDim(d))
            extents.push_back(
                tensor::DimOp::create(builder, source.getLoc(), source, d));
        init = tensor::EmptyOp::create(builder, source.getLoc(), type, extents);
      }
    }
    auto op = GenericOp::create(
        builder, source.getLoc(), init.getType(), inputs, init, maps, loops,
        [&](OpBuilder &inner, Location loc, ValueRange elements) {
          linalg::YieldOp::create(inner, loc,
                                  constant ? constant : elements[0]);
        });
    op->setAttr(partitionAttr, builder.getI64IntegerAttr(map.getNumDims() > 0));
    op->setAttr(proofAttr, builder.getStringAttr(
                               "every iteration writes its own element"));
    if (isSparse(init)) {
      setSampled(op);
      op->setAttr(layoutAttr, builder.getDenseI64ArrayAttr(llvm::to_vector(
                                  llvm::seq<int64_t>(0, map.getNumDims()))));
    }
    use.set(op.getResult(0));
  };
  SmallVector<OpOperand *> uses;
  program.walk([&](Operation *op) {
    bool returns = isa<func::ReturnOp>(op);
    if (!returns && !isStage(op))
      return;
    for (OpOperand &use : op->getOpOperands())
      if (!isStage(use.get().getDefiningOp()) && !isInit(use) &&
          (returns || use.get().getDefiningOp<linalg::FillOp>() ||
           use.get().getDefiningOp<ZerosLikeOp>()))
        uses.push_back(&use);
  });
  for (OpOperand *use : uses)
    materialize(*use);
}

namespace {

/// Outlines the ops of one program and writes its manifest.
class Staging {
public:
  explicit Staging(func::FuncOp program)
      : program(program), symbols(program), builder(program.getContext()) {}

  FailureOr<Manifest> build();

private:
  void outline(GenericOp op);
  void addSolve(SolveOpInterface op);
  void addTriangle(TriangleOp op);
  bool runsOverStoredValues(GenericOp op);
  RankedTensorType kernelType(GenericOp op, Value tensor, bool storedValues);
  Argument describe(GenericOp op, OpOperand &operand, bool storedValues,
                    const Partition &partition);
  Partition describePartition(GenericOp op, bool storedValues);
  Cost getCost(GenericOp op, const Stage &stage, bool storedValues);
  GenericOp cloneInto(func::FuncOp kernel, GenericOp op, bool storedValues);

  int32_t layoutOf(GenericOp op, Value sparse);
  int32_t addLayout(ArrayRef<int64_t> levels, Value sparse);
  int32_t csrOf(Value sparse);
  Buffer bufferOf(Value tensor);
  Buffer takeScratch(ScratchInfo info);
  Buffer permuted(Value source, int32_t layout);
  void findLastReaders();
  void releaseBuffers(Operation *op);

  func::FuncOp program;
  ProgramSymbols symbols;
  OpBuilder builder;
  Manifest manifest;
  DenseMap<Value, Buffer> buffers;
  /// Values in the order of another layout, and the buffers that hold them.
  DenseMap<Value, SmallVector<std::pair<int32_t, Buffer>>> permutations;
  DenseMap<Value, Operation *> lastReader;
  SmallVector<int32_t> freeScratch; ///< Whose values nobody reads any more.
};

int32_t Staging::layoutOf(GenericOp op, Value sparse) {
  return addLayout(op->getAttrOfType<DenseI64ArrayAttr>(layoutAttr), sparse);
}

int32_t Staging::csrOf(Value sparse) {
  int64_t rank = cast<RankedTensorType>(sparse.getType()).getRank();
  return addLayout(llvm::to_vector(llvm::seq<int64_t>(0, rank)), sparse);
}

/// The layout's number in the manifest, adding it if it is new.
int32_t Staging::addLayout(ArrayRef<int64_t> levels, Value sparse) {
  auto encoding = sparse_tensor::getSparseTensorEncoding(sparse.getType());
  LayoutInfo layout;
  layout.pattern = symbols.patternOf(sparse);
  layout.order.assign(levels.begin(), levels.end());
  int64_t width =
      llvm::is_sorted(levels)
          ? encoding.getCrdWidth()
          : program->getAttrOfType<IntegerAttr>(derivedIndexAttr).getInt();
  layout.indexType = width == 32 ? ElementType::I32 : ElementType::I64;
  for (auto [index, known] : llvm::enumerate(manifest.layouts))
    if (known.pattern == layout.pattern && known.order == layout.order)
      return index;
  manifest.layouts.push_back(layout);
  return manifest.layouts.size() - 1;
}

/// Where nobody else reads what a triangle is taken of, that is done in place.
static Value getStorage(Value tensor) {
  while (!isa<BlockArgument>(tensor) && tensor.hasOneUse()) {
    auto triangle = dyn_cast<TriangleOp>(*tensor.user_begin());
    if (!triangle)
      break;
    tensor = triangle.getResult();
  }
  return tensor;
}

Buffer Staging::bufferOf(Value tensor) {
  tensor = getStorage(tensor);
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return {Buffer::Operand, static_cast<int32_t>(argument.getArgNumber())};
  auto known = buffers.find(tensor);
  if (known != buffers.end())
    return known->second;
  Buffer buffer{Buffer::Result, 0};
  if (program.getBody().front().getTerminator()->getOperand(0) != tensor) {
    ScratchInfo scratch;
    scratch.type = getElementType(tensor.getType());
    if (isSparse(tensor))
      scratch.shape = {manifest.patterns[symbols.patternOf(tensor)].stored};
    else
      scratch.shape.assign(symbols.of(tensor).begin(),
                           symbols.of(tensor).end());
    buffer = takeScratch(std::move(scratch));
  }
  return buffers[tensor] = buffer;
}

/// A buffer that is free again, or a new one.
Buffer Staging::takeScratch(ScratchInfo info) {
  auto fits = [&](int32_t index) {
    const ScratchInfo &other = manifest.scratch[index];
    return other.type == info.type && other.shape == info.shape;
  };
  auto found = llvm::find_if(freeScratch, fits);
  auto index = static_cast<int32_t>(manifest.scratch.size());
  if (found != freeScratch.end()) {
    index = *found;
    freeScratch.erase(found);
  } else {
    manifest.scratch.push_back(std::move(info));
  }
  return {Buffer::Scratch, index};
}

/// The buffer with the values in the order of another layout, and the step that
/// fills it, added once.
Buffer Staging::permuted(Value source, int32_t layout) {
  auto &known = permutations[getStorage(source)];
  for (auto &[order, buffer] : known)
    if (order == layout)
      return buffer;
  int32_t pattern = manifest.layouts[layout].pattern;
  Stage stage;
  stage.kind = Stage::PermuteValues;
  stage.source = bufferOf(source);
  stage.destination = takeScratch(
      {getElementType(source.getType()), {manifest.patterns[pattern].stored}});
  stage.layout = layout;
  known.emplace_back(layout, stage.destination);
  manifest.stages.push_back(stage);
  return stage.destination;
}

void Staging::findLastReaders() {
  for (Operation &op : program.getBody().front())
    if (isStage(&op) || isa<func::ReturnOp>(op))
      for (Value operand : op.getOperands())
        lastReader[getStorage(operand)] = &op;
}

/// After the last stage that reads them, buffers may hold other values.
void Staging::releaseBuffers(Operation *op) {
  for (Value operand : op->getOperands()) {
    Value value = getStorage(operand);
    if (isa<BlockArgument>(value) || lastReader.lookup(value) != op)
      continue;
    lastReader.erase(value);
    Buffer buffer = buffers.lookup(value);
    if (buffers.contains(value) && buffer.kind == Buffer::Scratch)
      freeScratch.push_back(buffer.index);
    for (auto &[layout, copy] : permutations.lookup(value))
      freeScratch.push_back(copy.index);
    permutations.erase(value);
  }
}

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

RankedTensorType Staging::kernelType(GenericOp op, Value tensor,
                                     bool storedValues) {
  auto type = cast<RankedTensorType>(tensor.getType());
  auto encoding = sparse_tensor::getSparseTensorEncoding(type);
  if (!encoding)
    return type;
  if (storedValues)
    return RankedTensorType::get({ShapedType::kDynamic}, type.getElementType());
  const LayoutInfo &layout = manifest.layouts[layoutOf(op, tensor)];
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
      partition.weightLayout = layoutOf(op, operand);
  return partition;
}

/// Says what a tensor argument of the kernel is. A sparse one stands for three,
/// its positions, coordinates and values, until the ABI is exported.
Argument Staging::describe(GenericOp op, OpOperand &operand, bool storedValues,
                           const Partition &partition) {
  Value tensor = operand.get();
  bool isOutput = op.isDpsInit(&operand);
  Argument argument;
  argument.buffer = bufferOf(isOutput ? op.getResult(0) : tensor);
  argument.written = isOutput;
  if (storedValues) {
    argument.shape = partition.loops;
    argument.slice = {0};
    return argument;
  }
  if (isSparse(tensor)) {
    argument.role = Argument::Values;
    argument.layout = layoutOf(op, tensor);
    bool read = !isOutput && !op.getMatchingBlockArgument(&operand).use_empty();
    if (read && !llvm::is_sorted(manifest.layouts[argument.layout].order))
      argument.buffer = permuted(tensor, argument.layout);
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
  for (auto [argument, operand] :
       llvm::zip(stage.arguments, op->getOpOperands())) {
    double size = elementSize(getElementType(operand.get().getType()));
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

void Staging::outline(GenericOp op) {
  bool storedValues = runsOverStoredValues(op);
  Stage stage;
  stage.partition = describePartition(op, storedValues);
  SmallVector<Type> inputs;
  for (OpOperand &operand : op->getOpOperands()) {
    inputs.push_back(kernelType(op, operand.get(), storedValues));
    stage.arguments.push_back(
        describe(op, operand, storedValues, stage.partition));
  }
  stage.cost = getCost(op, stage, storedValues);
  unsigned number = llvm::count_if(
      manifest.stages, [](const Stage &s) { return s.kind == Stage::Kernel; });
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
  manifest.stages.push_back(std::move(stage));
}

static SolveInfo::Kind getKind(SolveOpInterface op) {
  return llvm::TypeSwitch<Operation *, SolveInfo::Kind>(op)
      .Case([](TriangularSolveOp) { return SolveInfo::Triangular; })
      .Case([](LeastSquaresOp) { return SolveInfo::LeastSquares; })
      .Case([](NormalSolveOp) { return SolveInfo::NormalEquations; })
      .Default([](Operation *) { return SolveInfo::General; });
}

void Staging::addSolve(SolveOpInterface op) {
  Stage stage;
  stage.kind = Stage::Solve;
  stage.layout = csrOf(op.getMatrix());
  stage.solve.kind = getKind(op);
  stage.solve.mode = static_cast<SolveInfo::Mode>(op.getMode());
  stage.solve.solver = bufferOf(op.getSolver()).index;
  stage.solve.values = bufferOf(op.getMatrix());
  stage.solve.columns = symbols.of(op.getRhs()).back();
  stage.source = bufferOf(op.getRhs());
  stage.destination = bufferOf(op->getResult(0));
  manifest.stages.push_back(std::move(stage));
}

void Staging::addTriangle(TriangleOp op) {
  Stage stage;
  stage.kind = Stage::KeepTriangle;
  stage.layout = csrOf(op.getSource());
  stage.solve.solver = bufferOf(op.getSolver()).index;
  stage.source = bufferOf(op.getSource());
  stage.destination = bufferOf(op.getResult());
  manifest.stages.push_back(std::move(stage));
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
  findLastReaders();
  for (Operation &op : program.getBody().front()) {
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](GenericOp generic) { outline(generic); })
        .Case([&](SolveOpInterface solve) { addSolve(solve); })
        .Case([&](TriangleOp triangle) { addTriangle(triangle); });
    if (isStage(&op))
      releaseBuffers(&op);
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
