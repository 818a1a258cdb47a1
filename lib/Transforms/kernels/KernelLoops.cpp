//===- KernelLoops.cpp - What may be assumed about kernels ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/KernelLoops.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace tsgu;

FailureOr<std::optional<Kernel>> Kernel::get(func::FuncOp func) {
  if (!func->hasAttr("tsgu.kernel") || func.isExternal())
    return std::optional<Kernel>();
  auto number = func->getAttrOfType<IntegerAttr>("tsgu.output");
  if (!number || number.getInt() < 0 ||
      number.getInt() >= int64_t(func.getNumArguments()))
    return func.emitError("'tsgu.output' must be the number of an argument");
  Kernel kernel{func, func.getArgument(number.getInt()), {}};
  auto type = dyn_cast<MemRefType>(kernel.output.getType());
  if (!type)
    return func.emitError("the output must be a memref, got ")
           << kernel.output.getType();
  kernel.identity = func->getAttrOfType<TypedAttr>("tsgu.identity");
  if (kernel.identity && kernel.identity.getType() != type.getElementType())
    return func.emitError("'tsgu.identity' must be of type ")
           << type.getElementType();
  auto broken = func.walk([&](memref::StoreOp store) {
    return kernel.isOutput(store.getMemRef()) ? WalkResult::advance()
                                              : WalkResult::interrupt();
  });
  if (broken.wasInterrupted())
    return func.emitError("a kernel may only store to its output");
  return std::optional<Kernel>(kernel);
}

bool Kernel::isFilled() const { return func->hasAttr(filledAttr); }

bool Kernel::isReadOnly(Value memref) const {
  if (auto parts = memref.getDefiningOp<PartsOp>())
    memref = parts.getNumbers();
  auto argument = dyn_cast<BlockArgument>(memref);
  return argument && argument != output &&
         argument.getOwner() == &func->getRegion(0).front();
}

std::optional<SmallVector<scf::ForOp>> tsgu::getLoopsAround(Operation *op) {
  SmallVector<scf::ForOp> loops;
  for (op = op->getParentOp(); !isa<func::FuncOp>(op); op = op->getParentOp()) {
    auto loop = dyn_cast<scf::ForOp>(op);
    if (!loop)
      return std::nullopt;
    loops.push_back(loop);
  }
  std::reverse(loops.begin(), loops.end());
  return loops;
}

bool tsgu::hasUnitStep(scf::ForOp loop) {
  return isConstantIntValue(loop.getStep(), 1);
}

static bool startsAtZero(scf::ForOp loop) {
  return isConstantIntValue(loop.getLowerBound(), 0) && hasUnitStep(loop);
}

std::optional<int64_t> tsgu::getStaticTripCount(scf::ForOp loop) {
  auto upper = getConstantIntValue(loop.getUpperBound());
  if (!startsAtZero(loop) || !upper || *upper < 0)
    return std::nullopt;
  return upper;
}

static Value peelCasts(Value value) {
  while (auto *op = value.getDefiningOp()) {
    if (!isa<arith::IndexCastOp, arith::ExtUIOp, arith::ExtSIOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// The loop whose induction variable the value is; null if it is none.
static scf::ForOp getLoopOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return {};
  auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
  return loop && loop.getInductionVar() == argument ? loop : scf::ForOp();
}

/// Appends the loops that `index` runs through, from 0, without repetition:
/// i, or b * n + i for i below n.
static bool traceCompound(Value index, SmallVectorImpl<scf::ForOp> &loops);

/// Appends the loops that take the induction variable of `loop` through a range
/// without repetition: itself, and for a loop over stored entries, from
/// positions[x] to positions[x + 1], those that run through x.
static bool traceRange(scf::ForOp loop, SmallVectorImpl<scf::ForOp> &loops) {
  loops.push_back(loop);
  if (startsAtZero(loop))
    return true;
  auto lower = peelCasts(loop.getLowerBound()).getDefiningOp<memref::LoadOp>();
  auto upper = peelCasts(loop.getUpperBound()).getDefiningOp<memref::LoadOp>();
  if (!hasUnitStep(loop) || !lower || !upper ||
      lower.getMemRef() != upper.getMemRef() || lower.getIndices().size() != 1)
    return false;
  Value parent = lower.getIndices()[0];
  auto next = upper.getIndices()[0].getDefiningOp<arith::AddIOp>();
  return next && next.getLhs() == parent &&
         isConstantIntValue(next.getRhs(), 1) && traceCompound(parent, loops);
}

static bool traceCompound(Value index, SmallVectorImpl<scf::ForOp> &loops) {
  if (scf::ForOp loop = getLoopOf(index))
    return traceRange(loop, loops);
  auto sum = index.getDefiningOp<arith::AddIOp>();
  auto product = sum ? sum.getLhs().getDefiningOp<arith::MulIOp>() : nullptr;
  scf::ForOp inner = sum ? getLoopOf(sum.getRhs()) : scf::ForOp();
  if (!product || !inner || !startsAtZero(inner) ||
      inner.getUpperBound() != product.getRhs())
    return false;
  loops.push_back(inner);
  return traceCompound(product.getLhs(), loops);
}

static void sortOutermostFirst(SmallVectorImpl<scf::ForOp> &loops) {
  llvm::sort(loops,
             [](scf::ForOp a, scf::ForOp b) { return a->isProperAncestor(b); });
}

/// Calls `trace` for each index but those that can only be 0.
static std::optional<SmallVector<scf::ForOp>>
traceEach(ValueRange indices, MemRefType type,
          function_ref<bool(Value, SmallVectorImpl<scf::ForOp> &)> trace) {
  SmallVector<scf::ForOp> loops;
  for (auto [dim, index] : llvm::enumerate(indices)) {
    if (type.getDimSize(dim) == 1 && isConstantIntValue(index, 0))
      continue;
    if (!trace(index, loops))
      return std::nullopt;
  }
  sortOutermostFirst(loops);
  return loops;
}

static bool traceIndex(Value index, SmallVectorImpl<scf::ForOp> &loops) {
  scf::ForOp loop = getLoopOf(index);
  return loop && traceRange(loop, loops);
}

std::optional<SmallVector<scf::ForOp>> tsgu::traceIndices(ValueRange indices,
                                                          MemRefType type) {
  return traceEach(indices, type, traceIndex);
}

scf::ForOp tsgu::getLoopOfCoordinate(Value index) {
  auto load = peelCasts(index).getDefiningOp<memref::LoadOp>();
  if (!load)
    return getLoopOf(index);
  return load.getIndices().size() == 1 ? getLoopOf(load.getIndices()[0])
                                       : scf::ForOp();
}

std::optional<SmallVector<scf::ForOp>>
tsgu::traceCoordinates(ValueRange indices, MemRefType type) {
  return traceEach(indices, type,
                   [](Value index, SmallVectorImpl<scf::ForOp> &loops) {
                     if (getLoopOf(index))
                       return traceIndex(index, loops);
                     scf::ForOp loop = getLoopOfCoordinate(index);
                     if (loop)
                       loops.push_back(loop);
                     return static_cast<bool>(loop);
                   });
}

static Value getLoadedMemref(Operation *op) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return load.getMemRef();
  if (auto load = dyn_cast<vector::LoadOp>(op))
    return load.getBase();
  if (auto load = dyn_cast<vector::MaskedLoadOp>(op))
    return load.getBase();
  return {};
}

void tsgu::hoistInvariants(Kernel kernel, scf::ForOp loop,
                           unsigned maxVectors) {
  for (Operation &op : llvm::make_early_inc_range(*loop.getBody())) {
    if (op.hasTrait<OpTrait::IsTerminator>() || op.getNumRegions() != 0 ||
        !llvm::all_of(op.getOperands(), [&](Value operand) {
          return loop.isDefinedOutsideOfLoop(operand);
        }))
      continue;
    if (isPure(&op)) {
      op.moveBefore(loop);
      continue;
    }
    // Every index is in bounds whether or not the loop runs: it is that of an
    // enclosing loop, which does run.
    Value memref = getLoadedMemref(&op);
    if (!memref || !kernel.isReadOnly(memref))
      continue;
    if (isa<VectorType>(op.getResult(0).getType())) {
      if (maxVectors == 0)
        continue;
      --maxVectors;
    }
    op.moveBefore(loop);
  }
}

remark::RemarkOpts tsgu::remarkOn(Kernel kernel, StringRef pass) {
  return remark::RemarkOpts::name(pass).category("tsgu").function(
      kernel.func.getName());
}
