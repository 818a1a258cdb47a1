//===- VectorBody.cpp - Loop bodies at vector width -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/VectorBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tsgu;
using vector::CombiningKind;

static std::optional<CombiningKind> getCombiningKind(Operation *op) {
  using Kind = std::optional<CombiningKind>;
  return llvm::TypeSwitch<Operation *, Kind>(op)
      .Case<arith::AddFOp, arith::AddIOp>(
          [](auto) { return CombiningKind::ADD; })
      .Case<arith::MulFOp, arith::MulIOp>(
          [](auto) { return CombiningKind::MUL; })
      .Case([](arith::MaximumFOp) { return CombiningKind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return CombiningKind::MINIMUMF; })
      .Case([](arith::MaxNumFOp) { return CombiningKind::MAXNUMF; })
      .Case([](arith::MinNumFOp) { return CombiningKind::MINNUMF; })
      .Case([](arith::MaxSIOp) { return CombiningKind::MAXSI; })
      .Case([](arith::MinSIOp) { return CombiningKind::MINSI; })
      .Default([](Operation *) { return Kind(); });
}

static std::string describe(Operation &op) {
  return "'" + op.getName().getStringRef().str() + "' ";
}

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

bool VectorBody::isVarying(Value value) const {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getOwner() == getLoop().getBody();
  return value == given || varying.contains(value.getDefiningOp());
}

bool VectorBody::analyzeLoad(Kernel kernel, memref::LoadOp load,
                             std::string &whyNot) {
  if (kernel.isOutput(load.getMemRef())) {
    if (outputLoad)
      return whyNot = "the output is loaded twice", false;
    outputLoad = load;
  } else if (!kernel.isReadOnly(load.getMemRef())) {
    return whyNot = "a load from memory that is no argument", false;
  }
  auto moves = [&](Value index) { return isVarying(index); };
  if (llvm::none_of(load.getIndices(), moves))
    return true;
  varying.insert(load);
  if (llvm::any_of(load.getIndices().drop_back(), moves) ||
      !load.getMemRefType().isLastDimUnitStride())
    return whyNot = "a load with a stride", false;
  gathers |= load.getIndices().back() != loop.getInductionVar();
  return true;
}

bool VectorBody::analyzeStore(Kernel kernel, memref::StoreOp store,
                              std::string &whyNot) {
  if (outputStore)
    return whyNot = "the output is stored twice", false;
  outputStore = store;
  varying.insert(store);
  auto indices = store.getIndices();
  if (indices.empty() || indices.back() != loop.getInductionVar() ||
      llvm::any_of(indices.drop_back(),
                   [&](Value i) { return isVarying(i); }) ||
      !store.getMemRefType().isLastDimUnitStride())
    return whyNot = "a store that is not to consecutive places", false;
  if (outputLoad && !llvm::equal(outputLoad.getIndices(), indices))
    return whyNot = "the output is read where other iterations store", false;
  return true;
}

/// Ops of the math dialect that are instructions of any vector unit.
static bool isCheapMath(Operation &op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::FloorOp, math::FmaOp, math::RoundEvenOp, math::SqrtOp,
             math::TruncOp>(op);
}

bool VectorBody::analyzeScalar(Operation &op, std::string &whyNot) {
  auto isElement = [](Type type) {
    return VectorType::isValidElementType(type);
  };
  bool constant = isa<arith::ConstantOp>(op);
  if ((!constant && !OpTrait::hasElementwiseMappableTraits(&op)) ||
      op.getNumRegions() != 0 || !isPure(&op) ||
      !llvm::all_of(op.getResultTypes(), isElement) ||
      !llvm::all_of(op.getOperandTypes(), isElement))
    return whyNot = describe(op) + "is not an elementwise operation", false;
  if (llvm::any_of(op.getOperands(), [&](Value v) { return isVarying(v); }))
    varying.insert(&op);
  mathCalls |= isa<math::MathDialect>(op.getDialect()) && !isCheapMath(op);
  return true;
}

bool VectorBody::analyzeReductions(std::string &whyNot) {
  for (auto [argument, yielded] :
       llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues())) {
    Operation *combiner = yielded.getDefiningOp();
    auto kind = combiner ? getCombiningKind(combiner) : std::nullopt;
    if (!kind || !argument.hasOneUse() || *argument.user_begin() != combiner ||
        combiner->getBlock() != loop.getBody() || !yielded.hasOneUse())
      return whyNot = "a loop-carried value that is no reduction", false;
    kinds.push_back(*kind);
  }
  return true;
}

/// The ops of the loop that its stores need, up to `given`.
static SmallVector<Operation *> collectNeeded(scf::ForOp loop, Value given) {
  SetVector<Operation *> needed;
  for (auto store : loop.getBody()->getOps<memref::StoreOp>())
    needed.insert(store);
  for (size_t i = 0; i < needed.size(); ++i)
    for (Value operand : needed[i]->getOperands()) {
      Operation *op = operand.getDefiningOp();
      if (op && operand != given && op->getBlock() == loop.getBody())
        needed.insert(op);
    }
  SmallVector<Operation *> ops = needed.takeVector();
  llvm::sort(ops,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return ops;
}

FailureOr<VectorBody> VectorBody::analyze(Kernel kernel, scf::ForOp loop,
                                          std::string &whyNot, Value given) {
  VectorBody body;
  body.loop = loop;
  body.given = given;
  if (!hasUnitStep(loop))
    return whyNot = "a step that is not 1", failure();
  if (given)
    body.ops = collectNeeded(loop, given);
  else
    for (Operation &op : loop.getBody()->without_terminator())
      body.ops.push_back(&op);
  for (Operation *op : body.ops) {
    auto load = dyn_cast<memref::LoadOp>(op);
    auto store = dyn_cast<memref::StoreOp>(op);
    bool known = load    ? body.analyzeLoad(kernel, load, whyNot)
                 : store ? body.analyzeStore(kernel, store, whyNot)
                         : body.analyzeScalar(*op, whyNot);
    if (!known)
      return failure();
  }
  // A load after the store, or of a place that is the same in all iterations,
  // would see what other iterations have stored.
  if (body.outputLoad && body.outputStore &&
      !(body.isVarying(body.outputLoad) &&
        body.outputLoad->isBeforeInBlock(body.outputStore)))
    return whyNot = "the output is read where other iterations store",
           failure();
  if (!body.analyzeReductions(whyNot))
    return failure();
  return body;
}

int64_t VectorBody::getLanes(unsigned vectorBits) const {
  unsigned floatBits = 0, intBits = 8;
  auto count = [&](Type type) {
    if (isa<FloatType>(type))
      floatBits = std::max(floatBits, type.getIntOrFloatBitWidth());
    else if (isa<IntegerType>(type))
      intBits = std::max(intBits, type.getIntOrFloatBitWidth());
  };
  for (Operation &op : *getLoop().getBody()) {
    llvm::for_each(op.getResultTypes(), count);
    llvm::for_each(op.getOperandTypes(), count);
  }
  return std::max<int64_t>(vectorBits / (floatBits ? floatBits : intBits), 2);
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value tsgu::buildSplat(OpBuilder &builder, Location loc, TypedAttr value,
                       int64_t lanes) {
  auto type = VectorType::get({lanes}, value.getType());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, value));
}

/// Sums start at +0 rather than -0, which is no constant of its own in
/// registers, and the extremes of numbers at infinity rather than NaN.
TypedAttr tsgu::getNeutral(Operation *combiner) {
  Builder builder(combiner->getContext());
  Type type = combiner->getResult(0).getType();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (isa<arith::AddFOp>(combiner))
    return builder.getZeroAttr(type);
  if (isa<arith::MaxNumFOp>(combiner))
    return builder.getFloatAttr(type, -infinity);
  if (isa<arith::MinNumFOp>(combiner))
    return builder.getFloatAttr(type, infinity);
  return *arith::getNeutralElement(combiner);
}

/// Extremes of numbers are a comparison and a choice, which is one instruction:
/// accumulators are never NaN, and a term that is NaN compares false.
Value tsgu::buildCombine(OpBuilder &builder, Location loc, CombiningKind kind,
                         Value accumulated, Value term) {
  using P = arith::CmpFPredicate;
  bool largest = kind == CombiningKind::MAXNUMF;
  if (!largest && kind != CombiningKind::MINNUMF)
    return vector::makeArithReduction(builder, loc, kind, accumulated, term);
  Value better = arith::CmpFOp::create(builder, loc, largest ? P::OGT : P::OLT,
                                       term, accumulated);
  return arith::SelectOp::create(builder, loc, better, term, accumulated);
}

Value tsgu::buildReduction(OpBuilder &builder, Location loc, CombiningKind kind,
                           Value vector) {
  auto type = cast<VectorType>(vector.getType());
  if (kind != CombiningKind::MAXNUMF && kind != CombiningKind::MINNUMF) {
    auto flags = arith::FastMathFlags::none;
    if (isa<FloatType>(type.getElementType()))
      flags = arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
    return vector::ReductionOp::create(builder, loc, kind, vector, flags);
  }
  for (int64_t half = type.getNumElements() / 2; half > 0; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(i + half);
    }
    vector = buildCombine(
        builder, loc, kind,
        vector::ShuffleOp::create(builder, loc, vector, vector, low),
        vector::ShuffleOp::create(builder, loc, vector, vector, high));
  }
  return vector::ExtractOp::create(builder, loc, vector, 0);
}

Value tsgu::buildMask(OpBuilder &builder, Location loc, int64_t active,
                      int64_t lanes) {
  SmallVector<bool> bits(lanes, false);
  std::fill_n(bits.begin(), std::min(active, lanes), true);
  auto type = VectorType::get({lanes}, builder.getI1Type());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, bits));
}

Value tsgu::buildLoad(OpBuilder &builder, Location loc, Value memref,
                      ValueRange indices, const Chunk &chunk) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  auto type = VectorType::get({chunk.lanes}, element);
  if (!chunk.mask)
    return vector::LoadOp::create(builder, loc, type, memref, indices);
  Value zero =
      buildSplat(builder, loc, builder.getZeroAttr(element), chunk.lanes);
  return vector::MaskedLoadOp::create(builder, loc, type, memref, indices,
                                      chunk.mask, zero);
}

void tsgu::buildStore(OpBuilder &builder, Location loc, Value vector,
                      Value memref, ValueRange indices, const Chunk &chunk) {
  if (chunk.mask)
    vector::MaskedStoreOp::create(builder, loc, memref, indices, chunk.mask,
                                  vector);
  else
    vector::StoreOp::create(builder, loc, vector, memref, indices);
}

void VectorEmitter::emitShared() {
  for (Operation *op : body.ops)
    if (!body.varying.contains(op))
      builder.clone(*op, scalars);
}

/// The value in every lane: that of each iteration, or copies of a shared one.
Value VectorEmitter::widen(Value value) {
  if (Value known = vectors.lookup(value))
    return known;
  Location loc = body.getLoop().getLoc();
  auto type = VectorType::get({chunk.lanes}, value.getType());
  if (value == body.getLoop().getInductionVar()) {
    Value step = vector::StepOp::create(builder, loc, type);
    Value base = vector::BroadcastOp::create(builder, loc, type, chunk.base);
    return vectors[value] = arith::AddIOp::create(builder, loc, base, step);
  }
  Value &copies = broadcasts[{value, chunk.lanes}];
  if (copies)
    return copies;
  Value scalar = scalars.lookupOrDefault(value);
  TypedAttr constant;
  if (matchPattern(scalar, m_Constant(&constant)))
    return copies = buildSplat(builder, loc, constant, chunk.lanes);
  return copies = vector::BroadcastOp::create(builder, loc, type, scalar);
}

Value VectorEmitter::emitLoad(memref::LoadOp load) {
  Location loc = load.getLoc();
  Value memref = scalars.lookupOrDefault(load.getMemRef());
  Value last = load.getIndices().back();
  SmallVector<Value> indices;
  for (Value index : load.getIndices().drop_back())
    indices.push_back(scalars.lookupOrDefault(index));
  if (last == body.getLoop().getInductionVar()) {
    indices.push_back(chunk.base);
    return buildLoad(builder, loc, memref, indices, chunk);
  }
  indices.push_back(arith::ConstantIndexOp::create(builder, loc, 0));
  auto type = VectorType::get({chunk.lanes}, load.getType());
  Value mask = chunk.mask ? chunk.mask
                          : buildMask(builder, loc, chunk.lanes, chunk.lanes);
  Value zero = buildSplat(builder, loc, builder.getZeroAttr(load.getType()),
                          chunk.lanes);
  return vector::GatherOp::create(builder, loc, type, memref, indices,
                                  widen(last), mask, zero);
}

void VectorEmitter::emitStore(memref::StoreOp store) {
  SmallVector<Value> indices;
  for (Value index : store.getIndices().drop_back())
    indices.push_back(scalars.lookupOrDefault(index));
  indices.push_back(chunk.base);
  buildStore(builder, store.getLoc(), widen(store.getValueToStore()),
             scalars.lookupOrDefault(store.getMemRef()), indices, chunk);
}

Value VectorEmitter::emitScalar(Operation &op) {
  SmallVector<Value> operands;
  for (Value operand : op.getOperands()) {
    // The first term of a reduction is its value.
    auto argument = dyn_cast<BlockArgument>(operand);
    if (argument && operand != body.getLoop().getInductionVar() &&
        argument.getOwner() == body.getLoop().getBody() &&
        !vectors.lookup(operand))
      return widen(op.getOperand(op.getOperand(0) == operand ? 1 : 0));
    operands.push_back(widen(operand));
  }
  if (isReducedNumber(op))
    return buildCombine(builder, op.getLoc(), *getCombiningKind(&op),
                        operands[0], operands[1]);
  auto type = VectorType::get({chunk.lanes}, op.getResult(0).getType());
  return clone(builder, &op, TypeRange{type}, operands)->getResult(0);
}

/// Whether an op is the maximum or minimum of numbers that a reduction carries.
bool VectorEmitter::isReducedNumber(Operation &op) const {
  return isa<arith::MaxNumFOp, arith::MinNumFOp>(op) &&
         llvm::is_contained(body.getLoop().getYieldedValues(), op.getResult(0));
}

void VectorEmitter::emitOps() {
  for (Operation *op : body.ops) {
    if (!body.varying.contains(op))
      continue;
    if (auto load = dyn_cast<memref::LoadOp>(op)) {
      bool inRegister = held && load == body.outputLoad;
      vectors[load] = inRegister ? held : emitLoad(load);
    } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
      if (held)
        held = widen(store.getValueToStore());
      else
        emitStore(store);
    } else {
      vectors[op->getResult(0)] = emitScalar(*op);
    }
  }
}

SmallVector<Value> VectorEmitter::emit(const Chunk &next,
                                       ArrayRef<Value> carried) {
  chunk = next;
  held = {};
  vectors.clear();
  scf::ForOp loop = body.getLoop();
  for (auto [argument, value] :
       llvm::zip_equal(loop.getRegionIterArgs(), carried))
    if (value)
      vectors[argument] = value;
  emitOps();
  SmallVector<Value> results;
  for (auto [i, before] : llvm::enumerate(carried)) {
    Value after = vectors.lookup(loop.getYieldedValues()[i]);
    // Lanes beyond the end keep what they hold.
    if (chunk.mask)
      after = arith::SelectOp::create(
          builder, loop.getLoc(), chunk.mask, after,
          before ? before
                 : buildSplat(builder, loop.getLoc(),
                              getNeutral(body.getCombiner(i)), chunk.lanes));
    results.push_back(after);
  }
  return results;
}

Value VectorEmitter::emitUpdate(const Chunk &next, Value output) {
  chunk = next;
  held = output;
  vectors.clear();
  emitOps();
  return held;
}

void VectorEmitter::emitGiven(const Chunk &next, Value given) {
  chunk = next;
  held = {};
  vectors.clear();
  vectors[body.given] = given;
  emitOps();
}
