//===- ExportABI.cpp - Kernels over raw buffers ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// After sparsification a sparse argument is three buffers and a struct of
// sizes. This pass replaces the struct by plain sizes, results by writes in
// place, and dense arguments by buffers with any leading strides. What a kernel
// does not use is dropped, and the manifest lists what is left: no allocation,
// no copy.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace tsgu {
#define GEN_PASS_DEF_EXPORTABI
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
namespace st = mlir::sparse_tensor;

namespace {

/// Rewrites one kernel and completes its stage in the manifest.
class KernelExport {
public:
  KernelExport(func::FuncOp kernel, Stage &stage, const Manifest &manifest)
      : kernel(kernel), stage(stage), manifest(manifest),
        builder(kernel.getContext()) {}

  LogicalResult run();

private:
  SmallVector<Argument> describeBuffers(const Argument &tensor);
  LogicalResult nameArguments();
  LogicalResult replaceFirstPositions();
  LogicalResult replaceSpecifier(BlockArgument specifier, int32_t layout);
  LogicalResult replaceSizes();
  Value extentOf(const Argument &argument, int32_t dim);
  void inlineTerms();
  void inlineSingletons();
  LogicalResult replaceStored();
  void addOutputExtents();
  void makeStrided();
  void dropResults();
  void dropUnusedArguments();
  void relaxFloatingPoint();
  LogicalResult checkNothingHidden();
  void appendStrides();

  Value sizeOf(SizeRef::Kind kind, int32_t index);
  Value levelSize(int32_t layout, unsigned level);

  func::FuncOp kernel;
  Stage &stage;
  const Manifest &manifest;
  OpBuilder builder;
  SmallVector<Argument> arguments; ///< One per buffer argument, in order.
  SmallVector<std::pair<BlockArgument, int32_t>> specifiers; ///< And layouts.
  unsigned bufferCount = 0;
};

/// The size argument for this value, added at the end at its first use.
Value KernelExport::sizeOf(SizeRef::Kind kind, int32_t index) {
  for (auto [number, size] : llvm::enumerate(stage.sizes))
    if (size.kind == kind && size.index == index)
      return kernel.getBody().getArgument(bufferCount + number);
  stage.sizes.push_back({kind, index, 0});
  return kernel.getBody().addArgument(builder.getIndexType(), kernel.getLoc());
}

Value KernelExport::levelSize(int32_t layout, unsigned level) {
  const LayoutInfo &info = manifest.layouts[layout];
  if (info.levels[level].kind == Level::Dense &&
      level < stage.partition.loops.size())
    return sizeOf(SizeRef::Range, level);
  return sizeOf(
      SizeRef::Extent,
      manifest.patterns[info.pattern].shape[info.levels[level].dimension]);
}

/// A sparse tensor is positions and coordinates of each compressed level,
/// coordinates of a singleton, then its values.
SmallVector<Argument> KernelExport::describeBuffers(const Argument &tensor) {
  SmallVector<Argument> buffers;
  for (auto [number, level] :
       llvm::enumerate(manifest.layouts[tensor.layout].levels)) {
    if (level.kind == Level::Dense)
      continue;
    for (Argument::Role role : {Argument::Positions, Argument::Coordinates}) {
      if (role == Argument::Positions && level.kind == Level::Singleton)
        continue;
      Argument &indices = buffers.emplace_back(tensor);
      indices.role = role;
      indices.level = static_cast<int32_t>(number);
      indices.written = false;
    }
  }
  buffers.push_back(tensor);
  return buffers;
}

/// Lists what each argument is, now that sparse ones are three and a specifier.
LogicalResult KernelExport::nameArguments() {
  unsigned next = 0;
  for (const Argument &tensor : stage.arguments) {
    SmallVector<Argument> buffers{tensor};
    if (tensor.role == Argument::Values)
      buffers = describeBuffers(tensor);
    unsigned end = next + buffers.size() + (tensor.role == Argument::Values);
    if (end > kernel.getNumArguments())
      return kernel.emitError("has fewer arguments than its manifest lists");
    if (tensor.role == Argument::Values) {
      BlockArgument specifier = kernel.getArgument(end - 1);
      if (!isa<st::StorageSpecifierType>(specifier.getType()))
        return kernel.emitError("argument ")
               << end - 1
               << " is no storage specifier; run "
                  "--sparsification-and-bufferization first";
      specifiers.push_back({specifier, tensor.layout});
    }
    arguments.append(buffers);
    next = end;
  }
  return success();
}

LogicalResult KernelExport::replaceSpecifier(BlockArgument specifier,
                                             int32_t layout) {
  for (Operation *user : llvm::make_early_inc_range(specifier.getUsers())) {
    auto get = dyn_cast<st::GetStorageSpecifierOp>(user);
    if (!get)
      return user->emitError(
          "uses a storage specifier for more than its sizes");
    if (get.getSpecifierKind() == st::StorageSpecifierKind::LvlSize) {
      get.getResult().replaceAllUsesWith(levelSize(layout, *get.getLevel()));
    } else {
      // The length of a buffer: only ever used to cut the buffer to it.
      for (Operation *cut :
           llvm::make_early_inc_range(get.getResult().getUsers())) {
        auto view = dyn_cast<memref::SubViewOp>(cut);
        if (!view)
          return cut->emitError("uses the length of a sparse buffer");
        view.getResult().replaceAllUsesWith(view.getSource());
        view.erase();
      }
    }
    get.erase();
  }
  return success();
}

/// The index that a loaded position becomes, by casts alone.
static Value getIndexOf(memref::LoadOp load) {
  Value value = load;
  while (value.hasOneUse() &&
         isa<arith::ExtUIOp, arith::IndexCastOp>(*value.user_begin()))
    value = value.user_begin()->getResult(0);
  return value.getType().isIndex() ? value : Value();
}

/// The first level's nodes are counted from 0 to how many there are in a call:
/// its positions, which would be these two numbers, are no argument.
LogicalResult KernelExport::replaceFirstPositions() {
  for (auto [number, argument] : llvm::enumerate(arguments)) {
    if (argument.role != Argument::Positions || argument.level != 0)
      continue;
    auto isNodes = [&, layout = argument.layout](const Symbol &symbol) {
      return symbol.nodesOf == layout;
    };
    int32_t nodes =
        llvm::find_if(manifest.symbols, isNodes) - manifest.symbols.begin();
    for (Operation *user :
         llvm::make_early_inc_range(kernel.getArgument(number).getUsers())) {
      auto load = dyn_cast<memref::LoadOp>(user);
      std::optional<int64_t> which =
          load ? getConstantIntValue(load.getIndices()[0]) : std::nullopt;
      Value index = load ? getIndexOf(load) : Value();
      if (!index || !which || *which > 1)
        return user->emitError("is no bound of the loop over nodes");
      builder.setInsertionPointToStart(&kernel.getBody().front());
      index.replaceAllUsesWith(
          *which == 0
              ? arith::ConstantIndexOp::create(builder, load.getLoc(), 0)
                    .getResult()
          : stage.partition.loops.empty() ? sizeOf(SizeRef::Extent, nodes)
                                          : sizeOf(SizeRef::Range, 0));
      while (Operation *op = index.getDefiningOp()) {
        Value source = op == load ? Value() : op->getOperand(0);
        op->erase();
        if (!source)
          break;
        index = source;
      }
    }
  }
  return success();
}

Value KernelExport::extentOf(const Argument &argument, int32_t dim) {
  auto loop = llvm::find(argument.slice, dim);
  return loop != argument.slice.end()
             ? sizeOf(SizeRef::Range, loop - argument.slice.begin())
             : sizeOf(SizeRef::Extent, argument.shape[dim]);
}

LogicalResult KernelExport::replaceSizes() {
  SmallVector<memref::DimOp> dims;
  kernel.walk([&](memref::DimOp op) { dims.push_back(op); });
  for (memref::DimOp op : dims) {
    auto buffer = dyn_cast<BlockArgument>(op.getSource());
    std::optional<int64_t> dim = op.getConstantIndex();
    if (!buffer || buffer.getOwner() != &kernel.getBody().front() || !dim)
      return op.emitError("is not the extent of an argument");
    op.replaceAllUsesWith(extentOf(arguments[buffer.getArgNumber()], *dim));
    op.erase();
  }
  return success();
}

/// Whether a loop runs over stored entries: it starts at a position loaded.
static bool isOverStoredEntries(scf::ForOp loop) {
  Operation *def = loop.getLowerBound().getDefiningOp();
  while (
      isa_and_nonnull<arith::IndexCastOp, arith::ExtUIOp, arith::ExtSIOp>(def))
    def = def->getOperand(0).getDefiningOp();
  return isa_and_nonnull<memref::LoadOp>(def);
}

void KernelExport::inlineTerms() {
  SmallVector<TermOp> terms;
  kernel.walk([&](TermOp op) { terms.push_back(op); });
  IRRewriter rewriter(kernel.getContext());
  for (TermOp op : terms) {
    Block *body = &op.getBody().front();
    auto yield = cast<YieldOp>(body->getTerminator());
    rewriter.inlineBlockBefore(body, op, op.getElements());
    rewriter.replaceOp(op, yield.getValue());
    rewriter.eraseOp(yield);
  }
}

/// The loop over the one node below another, from its place to the next.
static bool isOverSingleton(scf::ForOp loop) {
  auto end = loop.getUpperBound().getDefiningOp<arith::AddIOp>();
  return end && end.getLhs() == loop.getLowerBound() &&
         isConstantIntValue(end.getRhs(), 1) &&
         isConstantIntValue(loop.getStep(), 1);
}

void KernelExport::inlineSingletons() {
  SmallVector<scf::ForOp> loops;
  kernel.walk([&](scf::ForOp loop) {
    if (isOverSingleton(loop))
      loops.push_back(loop);
  });
  IRRewriter rewriter(kernel.getContext());
  for (scf::ForOp loop : loops) {
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    SmallVector<Value> elements{loop.getLowerBound()};
    llvm::append_range(elements, loop.getInitArgs());
    rewriter.inlineBlockBefore(loop.getBody(), loop, elements);
    rewriter.replaceOp(loop, yield.getOperands());
    rewriter.eraseOp(yield);
  }
}

LogicalResult KernelExport::replaceStored() {
  SmallVector<StoredOp> reads;
  kernel.walk([&](StoredOp op) { reads.push_back(op); });
  for (StoredOp op : reads) {
    auto loop = op->getParentOfType<scf::ForOp>();
    while (loop && !isOverStoredEntries(loop))
      loop = loop->getParentOfType<scf::ForOp>();
    if (!loop)
      return op.emitError("is in no loop over stored entries");
    builder.setInsertionPoint(op);
    op.replaceAllUsesWith(memref::LoadOp::create(builder, op.getLoc(),
                                                 op.getValues(),
                                                 loop.getInductionVar())
                              .getResult());
    op.erase();
  }
  return success();
}

/// A kernel that accumulates may have to fill its output: it then needs the
/// extents, which its entry point finds among the sizes.
void KernelExport::addOutputExtents() {
  if (!kernel->hasAttr(identityAttr))
    return;
  for (auto [number, argument] : llvm::enumerate(arguments)) {
    auto type = dyn_cast<MemRefType>(kernel.getArgument(number).getType());
    if (!argument.written || argument.role != Argument::Dense || !type)
      continue;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        (void)extentOf(argument, dim);
  }
}

/// Dense arguments may have any leading strides; the last dimension is
/// contiguous.
void KernelExport::makeStrided() {
  for (auto [number, argument] : llvm::enumerate(arguments)) {
    auto type = dyn_cast<MemRefType>(kernel.getArgument(number).getType());
    if (!type || type.getRank() < 2)
      continue;
    SmallVector<int64_t> strides(type.getRank(), ShapedType::kDynamic);
    strides.back() = 1;
    kernel.getArgument(number).setType(MemRefType::get(
        type.getShape(), type.getElementType(),
        StridedLayoutAttr::get(kernel.getContext(), 0, strides)));
  }
}

void KernelExport::dropResults() {
  kernel.getBody().front().getTerminator()->setOperands({});
}

void KernelExport::dropUnusedArguments() {
  for (unsigned i = arguments.size(); i-- > 0;)
    if (kernel.getArgument(i).use_empty() && !arguments[i].written) {
      kernel.getBody().eraseArgument(i);
      arguments.erase(arguments.begin() + i);
    }
}

/// Allows multiply and add to become one rounding, as hand-written kernels do.
void KernelExport::relaxFloatingPoint() {
  auto flags = arith::FastMathFlagsAttr::get(kernel.getContext(),
                                             arith::FastMathFlags::contract);
  kernel.walk([&](Operation *op) {
    if (isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, complex::AddOp,
            complex::SubOp, complex::MulOp>(op))
      op->setAttr("fastmath", flags);
  });
}

LogicalResult KernelExport::checkNothingHidden() {
  auto result = kernel.walk([&](Operation *op) {
    if (isa<memref::AllocOp, memref::AllocaOp, memref::CopyOp,
            memref::ReallocOp, func::CallOp>(op) ||
        llvm::isa_and_nonnull<st::SparseTensorDialect>(op->getDialect())) {
      op->emitError("has no place in a kernel: the program is not in a form "
                    "that compiles without allocations and copies");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void KernelExport::appendStrides() {
  for (auto [number, argument] : llvm::enumerate(arguments))
    if (argument.role == Argument::Dense)
      for (size_t d = 0; d + 1 < argument.shape.size(); ++d)
        stage.sizes.push_back({SizeRef::Stride, static_cast<int32_t>(number),
                               static_cast<int32_t>(d)});
}

LogicalResult KernelExport::run() {
  if (failed(nameArguments()))
    return failure();
  dropResults();
  bufferCount = kernel.getNumArguments(); // Sizes come after all of them.
  for (auto [specifier, layout] : specifiers)
    if (failed(replaceSpecifier(specifier, layout)))
      return failure();
  for (auto [specifier, layout] : llvm::reverse(specifiers)) {
    kernel.getBody().eraseArgument(specifier.getArgNumber());
    --bufferCount;
  }
  inlineTerms();
  inlineSingletons();
  if (failed(replaceFirstPositions()) || failed(replaceSizes()) ||
      failed(replaceStored()) || failed(checkNothingHidden()))
    return failure();
  addOutputExtents();
  makeStrided();
  dropUnusedArguments();
  relaxFloatingPoint();
  auto output = llvm::find_if(arguments, [](auto &a) { return a.written; });
  kernel->setAttr(outputAttr,
                  builder.getI64IntegerAttr(output - arguments.begin()));
  kernel.setType(
      builder.getFunctionType(kernel.getBody().getArgumentTypes(), {}));
  appendStrides();
  stage.arguments.assign(arguments.begin(), arguments.end());
  return success();
}

struct ExportABI : tsgu::impl::ExportABIBase<ExportABI> {
  void runOnOperation() override {
    FailureOr<Manifest> manifest = getManifest(getOperation());
    if (failed(manifest))
      return signalPassFailure();
    for (Stage &stage : manifest->stages) {
      if (!stage.isKernel())
        continue;
      auto kernel = getOperation().lookupSymbol<func::FuncOp>(stage.name);
      if (!kernel) {
        getOperation().emitError("has no kernel @") << stage.name;
        return signalPassFailure();
      }
      if (failed(KernelExport(kernel, stage, *manifest).run()))
        return signalPassFailure();
    }
    setManifest(getOperation(), *manifest);
  }
};

} // namespace
