//===- RegisterTile.cpp - Accumulators in registers -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A nest that accumulates rows of its output,
//
//   for i { for k in stored entries of row i { for j { C[i, j] += ... } } }
//
// becomes panels of columns whose accumulators the reduction loops carry,
//
//   for i { for panels { for k iter_args(...) { chunks of j }, store chunks } }
//
// so that the output is never loaded and each element is stored once.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/KernelLoops.h"
#include "tsgu/Transforms/Panels.h"
#include "tsgu/Transforms/Passes.h"
#include "tsgu/Transforms/ScalarOps.h"
#include "tsgu/Transforms/VectorBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"

namespace tsgu {
#define GEN_PASS_DEF_REGISTERTILE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

//===----------------------------------------------------------------------===//
// Scalar accumulators
//===----------------------------------------------------------------------===//

/// A load of an output element and the store that updates it.
struct Update {
  memref::LoadOp load;
  memref::StoreOp store;
};

/// The only accesses to the output within `loop`, if they are one update, in
/// its body itself, of an element that is the same in all iterations.
static std::optional<Update> findInvariantUpdate(Kernel kernel,
                                                 scf::ForOp loop) {
  Update update;
  unsigned accesses = 0;
  loop.getBody()->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!llvm::is_contained(op->getOperands(), Value(kernel.output)))
      return;
    ++accesses;
    if (op->getBlock() != loop.getBody())
      return;
    if (auto load = dyn_cast<memref::LoadOp>(op))
      update.load = load;
    if (auto store = dyn_cast<memref::StoreOp>(op))
      update.store = store;
  });
  if (accesses != 2 || !update.load || !update.store ||
      !update.load->isBeforeInBlock(update.store) ||
      !llvm::equal(update.load.getIndices(), update.store.getIndices()) ||
      !llvm::all_of(update.load.getIndices(), [&](Value index) {
        return loop.isDefinedOutsideOfLoop(index);
      }))
    return std::nullopt;
  return update;
}

/// Lets the loop carry the element: loaded before it, stored after it.
static void carryElement(IRRewriter &rewriter, scf::ForOp loop, Update update) {
  rewriter.setInsertionPoint(loop);
  auto first = cast<memref::LoadOp>(rewriter.clone(*update.load));
  Value updated = update.store.getValueToStore();
  auto replacement = loop.replaceWithAdditionalYields(
      rewriter, first.getResult(), /*replaceInitOperandUsesInLoop=*/false,
      [&](OpBuilder &, Location, ArrayRef<BlockArgument>) {
        return SmallVector<Value>{updated};
      });
  if (failed(replacement))
    return;
  auto carrying = cast<scf::ForOp>(**replacement);
  rewriter.replaceAllUsesWith(update.load.getResult(),
                              carrying.getRegionIterArgs().back());
  rewriter.setInsertionPointAfter(carrying);
  memref::StoreOp::create(rewriter, update.store.getLoc(),
                          carrying.getResults().back(), first.getMemRef(),
                          first.getIndices());
  rewriter.eraseOp(update.store);
  rewriter.eraseOp(update.load);
}

/// Puts the body of loops over dense rows of one element in their place.
static void inlineSingleIterations(Kernel kernel) {
  IRRewriter rewriter(kernel.func.getContext());
  SmallVector<scf::ForOp> loops;
  kernel.func.walk([&](scf::ForOp loop) { loops.push_back(loop); });
  for (scf::ForOp loop : loops)
    (void)loop.promoteIfSingleIteration(rewriter);
}

static unsigned carryElements(Kernel kernel) {
  IRRewriter rewriter(kernel.func.getContext());
  unsigned count = 0;
  SmallVector<scf::ForOp> loops;
  kernel.func.walk([&](scf::ForOp loop) { loops.push_back(loop); });
  for (scf::ForOp loop : loops) // inner loops first
    if (auto update = findInvariantUpdate(kernel, loop)) {
      carryElement(rewriter, loop, *update);
      ++count;
    }
  return count;
}

//===----------------------------------------------------------------------===//
// Rows that loops update again and again
//===----------------------------------------------------------------------===//

static bool readsOnly(Kernel kernel, scf::ForOp loop, Operation *except) {
  return !loop.getBody()
              ->walk<WalkOrder::PreOrder>([&](Operation *op) {
                if (op == except)
                  return WalkResult::skip();
                if (auto load = dyn_cast<memref::LoadOp>(op))
                  return kernel.isReadOnly(load.getMemRef())
                             ? WalkResult::advance()
                             : WalkResult::interrupt();
                return isa<scf::ForOp, scf::YieldOp>(op) || isPure(op)
                           ? WalkResult::advance()
                           : WalkResult::interrupt();
              })
              .wasInterrupted();
}

static scf::ForOp findReduction(Kernel kernel, const VectorBody &body) {
  scf::ForOp reduction = body.getLoop();
  auto rows = body.getOutputStore().getIndices().drop_back();
  while (auto outer = dyn_cast<scf::ForOp>(reduction->getParentOp())) {
    bool invariant = llvm::all_of(
        rows, [&](Value index) { return outer.isDefinedOutsideOfLoop(index); });
    // The panels replace the dense loop outside of `outer`.
    bool sameExtent =
        outer.isDefinedOutsideOfLoop(body.getLoop().getLowerBound()) &&
        outer.isDefinedOutsideOfLoop(body.getLoop().getUpperBound());
    if (!invariant || !sameExtent || outer.getNumRegionIterArgs() != 0 ||
        !readsOnly(kernel, outer, body.getLoop()))
      break;
    reduction = outer;
  }
  return reduction;
}

/// Says why a dense loop that accumulates stays as it is.
static void reportScalar(Kernel kernel, scf::ForOp loop, StringRef whyNot) {
  bool accumulates = llvm::any_of(*loop.getBody(), [&](Operation &op) {
    auto load = dyn_cast<memref::LoadOp>(op);
    return load && kernel.isOutput(load.getMemRef());
  });
  if (accumulates && loop.getBody()->getOps<scf::ForOp>().empty())
    remark::missed(loop.getLoc(), remarkOn(kernel, "RegisterTile"))
        << remark::reason("{0}", whyNot);
}

static SmallVector<Accumulation, 1> findAccumulations(Kernel kernel) {
  SmallVector<Accumulation, 1> found;
  kernel.func.walk([&](scf::ForOp loop) {
    std::string whyNot;
    auto body = VectorBody::analyze(kernel, loop, whyNot);
    if (failed(body))
      return reportScalar(kernel, loop, whyNot);
    if (!body->getOutputLoad() || !body->getOutputStore())
      return;
    scf::ForOp reduction = findReduction(kernel, *body);
    if (reduction != loop)
      found.push_back({*body, reduction});
  });
  return found;
}

/// The loops that remain around an update of the output when accumulators
/// cross those of its accumulation.
static std::optional<SmallVector<scf::ForOp>>
getLoopsOutside(ArrayRef<Accumulation> accumulations, Operation *access) {
  auto loops = getLoopsAround(access);
  if (loops)
    for (const Accumulation &each : accumulations)
      if (each.reduction->isProperAncestor(access))
        llvm::erase_if(*loops, [&](scf::ForOp loop) {
          return loop != each.dense() && each.reduction->isAncestor(loop);
        });
  return loops;
}

/// Whether the nest visits every element of the output once, when accumulators
/// are carried, so that each may start from the identity and no fill is needed.
static bool visitsElementsOnce(Kernel kernel,
                               ArrayRef<Accumulation> accumulations) {
  auto type = cast<MemRefType>(kernel.output.getType());
  memref::LoadOp load;
  memref::StoreOp store;
  for (Operation *user : kernel.output.getUsers()) {
    if (auto next = dyn_cast<memref::LoadOp>(user); next && !load)
      load = next;
    else if (auto next = dyn_cast<memref::StoreOp>(user); next && !store)
      store = next;
    else
      return false;
  }
  if (!store)
    return false;
  auto around = getLoopsOutside(accumulations, store);
  auto needed = traceIndices(store.getIndices(), type);
  if (!around || !needed || *around != *needed)
    return false;
  return !load || (load->getBlock() == store->getBlock() &&
                   load->isBeforeInBlock(store) &&
                   llvm::equal(load.getIndices(), store.getIndices()));
}

//===----------------------------------------------------------------------===//
// The start of accumulation
//===----------------------------------------------------------------------===//

/// Stores the identity to every element of the output.
static void fillOutput(Kernel kernel) {
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.func.getBody().front());
  Location loc = kernel.func.getLoc();
  Value identity = createConstant(builder, loc, kernel.identity);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> indices;
  unsigned rank = cast<MemRefType>(kernel.output.getType()).getRank();
  for (unsigned dim = 0; dim < rank; ++dim) {
    Value extent = memref::DimOp::create(builder, loc, kernel.output, dim);
    auto loop = scf::ForOp::create(builder, loc, zero, extent, one);
    builder.setInsertionPointToStart(loop.getBody());
    indices.push_back(loop.getInductionVar());
  }
  memref::StoreOp::create(builder, loc, identity, kernel.output, indices);
}

/// Copies the computation of a value, from loads and pure ops, to the builder's
/// place; null if there is more to it.
static Value copyComputation(Kernel kernel, OpBuilder &builder, Value value,
                             IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!op) {
    bool isArgument = isa<func::FuncOp>(value.getParentBlock()->getParentOp());
    return isArgument ? value : Value();
  }
  auto load = dyn_cast<memref::LoadOp>(op);
  bool reads = load && kernel.isReadOnly(load.getMemRef());
  if (op->getNumRegions() != 0 || !(isPure(op) || reads))
    return {};
  for (Value operand : op->getOperands())
    if (!copyComputation(kernel, builder, operand, mapping))
      return {};
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

/// The same where elements are values of stored entries, of which a call owns
/// those of its rows: by the loops that run through these.
static LogicalResult fillEntries(Kernel kernel, memref::StoreOp store,
                                 ArrayRef<scf::ForOp> loops) {
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.func.getBody().front());
  Location loc = kernel.func.getLoc();
  Value identity = createConstant(builder, loc, kernel.identity);
  IRMapping mapping;
  for (scf::ForOp loop : loops) {
    Value lower =
        copyComputation(kernel, builder, loop.getLowerBound(), mapping);
    Value upper =
        copyComputation(kernel, builder, loop.getUpperBound(), mapping);
    if (!lower || !upper)
      return failure();
    Value step = arith::ConstantIndexOp::create(builder, loc, 1);
    auto copy = scf::ForOp::create(builder, loc, lower, upper, step);
    mapping.map(loop.getInductionVar(), copy.getInductionVar());
    builder.setInsertionPointToStart(copy.getBody());
  }
  SmallVector<Value> indices;
  for (Value index : store.getIndices()) {
    indices.push_back(copyComputation(kernel, builder, index, mapping));
    if (!indices.back())
      return failure();
  }
  memref::StoreOp::create(builder, loc, identity, kernel.output, indices);
  return success();
}

/// Fills the part of the output that the call owns.
static LogicalResult fill(Kernel kernel) {
  for (Operation *user : kernel.output.getUsers()) {
    auto store = dyn_cast<memref::StoreOp>(user);
    if (!store)
      continue;
    auto loops = traceIndices(store.getIndices(),
                              cast<MemRefType>(kernel.output.getType()));
    if (loops && llvm::any_of(*loops, [](scf::ForOp loop) {
          return !isConstantIntValue(loop.getLowerBound(), 0);
        }))
      return fillEntries(kernel, store, *loops);
  }
  fillOutput(kernel);
  return success();
}

/// Replaces loads of elements that nothing has stored yet.
static void startFromIdentity(Kernel kernel) {
  for (Operation *user : llvm::make_early_inc_range(kernel.output.getUsers())) {
    auto load = dyn_cast<memref::LoadOp>(user);
    if (!load)
      continue;
    OpBuilder builder(load);
    Value identity = createConstant(builder, load.getLoc(), kernel.identity);
    load.replaceAllUsesWith(identity);
    load.erase();
  }
}

namespace {

struct RegisterTile : tsgu::impl::RegisterTileBase<RegisterTile> {
  using RegisterTileBase::RegisterTileBase;

  void runOnOperation() override {
    auto kernel = Kernel::get(getOperation());
    if (failed(kernel))
      return signalPassFailure();
    if (*kernel && failed(tile(**kernel)))
      signalPassFailure();
  }

  LogicalResult tile(Kernel kernel) {
    inlineSingleIterations(kernel);
    unsigned elements = carryElements(kernel);
    SmallVector<Accumulation, 1> accumulations = findAccumulations(kernel);
    bool once = visitsElementsOnce(kernel, accumulations);
    if (elements)
      remark::passed(kernel.func.getLoc(), remarkOn(kernel, "RegisterTile"))
          << remark::add("loops carry an element of the output")
          << remark::metric("loops", elements);
    for (const Accumulation &each : accumulations) {
      Location loc = each.dense().getLoc();
      int64_t lanes = each.body.getLanes(vectorBits);
      unsigned count =
          buildPanels(kernel, each, kernel.identity && once, vectorBits);
      remark::passed(loc, remarkOn(kernel, "RegisterTile"))
          << remark::add("accumulators in registers")
          << remark::metric("accumulators", count)
          << remark::metric("lanes", lanes);
    }
    if (!kernel.identity)
      return success();
    kernel.func->removeAttr("tsgu.identity");
    if (once)
      return startFromIdentity(kernel), success();
    if (failed(fill(kernel)))
      return kernel.func.emitError("found no way to fill the output");
    remark::missed(kernel.func.getLoc(), remarkOn(kernel, "RegisterTile"))
        << remark::reason("the output is filled first: its elements are not "
                          "each visited once");
    return success();
  }
};

} // namespace
