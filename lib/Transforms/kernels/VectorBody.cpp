//===- VectorBody.cpp - Loop bodies at vector width -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/VectorBody.h"
#include "kernels/ComplexVectors.h"
#include "kernels/VectorBuilders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace tsgu;
using vector::CombiningKind;

static std::string describe(Operation &op) {
  return "'" + op.getName().getStringRef().str() + "' ";
}

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
  unsigned moving = llvm::count_if(load.getIndices(), moves);
  if (moving == 0)
    return true;
  varying.insert(load);
  bool unitStride = load.getMemRefType().isLastDimUnitStride() &&
                    moves(load.getIndices().back());
  bool consecutive = load.getIndices().back() == loop.getInductionVar();
  if (moving == 1 && unitStride && consecutive)
    return true;
  if (moving > 1 ||
      llvm::is_contained(load.getIndices(), loop.getInductionVar()))
    return whyNot = "a load with a stride", false;
  if (isComplex(load.getType()))
    return whyNot = "a gather of complex numbers", false;
  ++gathers;
  if (!unitStride)
    stridedGathers.push_back(load);
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
    return VectorType::isValidElementType(type) || isComplex(type);
  };
  bool known = isa<arith::ConstantOp>(op) || isComplexLanesOp(op) ||
               (OpTrait::hasElementwiseMappableTraits(&op) &&
                llvm::none_of(op.getOperandTypes(), isComplex));
  if (!known || op.getNumRegions() != 0 || !isPure(&op) ||
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
    if (auto number = dyn_cast<ComplexType>(type))
      floatBits = std::max(floatBits,
                           2 * number.getElementType().getIntOrFloatBitWidth());
    else if (isa<FloatType>(type))
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
