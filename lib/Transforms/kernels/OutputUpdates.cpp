//===- OutputUpdates.cpp - How kernels update their output ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "kernels/OutputUpdates.h"
#include "kernels/RowNest.h"
#include "programs/ScalarOps.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

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

void tsgu::inlineSingleIterations(Kernel kernel) {
  IRRewriter rewriter(kernel.func.getContext());
  SmallVector<scf::ForOp> loops;
  kernel.func.walk([&](scf::ForOp loop) { loops.push_back(loop); });
  for (scf::ForOp loop : loops)
    (void)loop.promoteIfSingleIteration(rewriter);
}

unsigned tsgu::carryElements(Kernel kernel) {
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

/// Null if there is none or another one.
static memref::StoreOp getOnlyStore(Kernel kernel) {
  memref::StoreOp only;
  for (Operation *user : kernel.output.getUsers()) {
    auto store = dyn_cast<memref::StoreOp>(user);
    if (store && std::exchange(only, store))
      return {};
  }
  return only;
}

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

/// Whether the iterations of a loop touch elements of their own, and `outer`
/// does nothing beside the loop that may not be done again.
static bool canMoveOut(Kernel kernel, scf::ForOp loop, scf::ForOp outer,
                       memref::StoreOp store) {
  for (Operation *around = loop; around != outer->getParentOp();
       around = around->getParentOp())
    if (cast<scf::ForOp>(around).getNumRegionIterArgs() != 0)
      return false;
  auto isOutside = [&](Value bound) {
    return outer.isDefinedOutsideOfLoop(bound);
  };
  auto isStored = [&](Operation *user) {
    auto load = dyn_cast<memref::LoadOp>(user);
    return !load || llvm::equal(load.getIndices(), store.getIndices());
  };
  return isOutside(loop.getLowerBound()) && isOutside(loop.getUpperBound()) &&
         isOutside(loop.getStep()) && readsOnly(kernel, outer, loop) &&
         llvm::all_of(kernel.output.getUsers(), isStored);
}

/// Lets the loop be the only op of the body of `outer`.
static scf::ForOp moveOut(scf::ForOp loop, scf::ForOp outer) {
  IRRewriter rewriter(loop.getContext());
  rewriter.setInsertionPointToStart(outer.getBody());
  auto moved = scf::ForOp::create(rewriter, loop.getLoc(), loop.getLowerBound(),
                                  loop.getUpperBound(), loop.getStep());
  Operation *end = moved.getBody()->getTerminator();
  while (moved->getNextNode() != outer.getBody()->getTerminator())
    rewriter.moveOpBefore(moved->getNextNode(), end);
  rewriter.eraseOp(loop.getBody()->getTerminator());
  rewriter.inlineBlockBefore(loop.getBody(), loop, moved.getInductionVar());
  rewriter.eraseOp(loop);
  return moved;
}

void tsgu::moveRowsOut(Kernel kernel) {
  memref::StoreOp store = getOnlyStore(kernel);
  auto loops = store ? getLoopsAround(store) : std::nullopt;
  auto isRow = [&](scf::ForOp loop) {
    return llvm::is_contained(store.getIndices(), loop.getInductionVar());
  };
  if (!loops || loops->empty())
    return;
  size_t rows = 0;
  while (rows < loops->size() && isRow((*loops)[rows]))
    ++rows;
  for (size_t at = rows + 1; rows > 0 && at + 1 < loops->size(); ++at) {
    scf::ForOp loop = (*loops)[at], outer = (*loops)[rows - 1];
    if (!isRow(loop))
      continue;
    if (!canMoveOut(kernel, loop, outer, store))
      return;
    loops->erase(loops->begin() + at);
    loops->insert(loops->begin() + rows++, moveOut(loop, outer));
  }
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

SmallVector<Accumulation, 1> tsgu::findAccumulations(Kernel kernel) {
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

bool tsgu::visitsElementsOnce(Kernel kernel,
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
  auto needed = kernel.isFilled() ? traceCoordinates(store.getIndices(), type)
                                  : traceIndices(store.getIndices(), type);
  if (!around || !needed || *around != *needed)
    return false;
  return !load || (load->getBlock() == store->getBlock() &&
                   load->isBeforeInBlock(store) &&
                   llvm::equal(load.getIndices(), store.getIndices()));
}

//===----------------------------------------------------------------------===//
// The start of accumulation
//===----------------------------------------------------------------------===//

/// Stores the identity to every element of the output that has these indices;
/// null stands for any.
static void fillElements(Kernel kernel, Block *block,
                         SmallVector<Value> indices) {
  OpBuilder builder = OpBuilder::atBlockBegin(block);
  Location loc = kernel.func.getLoc();
  Value identity = createConstant(builder, loc, kernel.identity);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  for (auto [dim, index] : llvm::enumerate(indices)) {
    if (index)
      continue;
    Value extent = memref::DimOp::create(builder, loc, kernel.output, dim);
    auto loop = scf::ForOp::create(builder, loc, zero, extent, one);
    builder.setInsertionPointToStart(loop.getBody());
    index = loop.getInductionVar();
  }
  memref::StoreOp::create(builder, loc, identity, kernel.output, indices);
}

bool tsgu::fillRows(Kernel kernel) {
  memref::StoreOp store = getOnlyStore(kernel);
  SmallVector<Value> indices(
      cast<MemRefType>(kernel.output.getType()).getRank());
  Block *row = nullptr;
  for (unsigned loops = 1; store; ++loops) {
    auto nest = RowNest::find(kernel.func, loops);
    Value next = nest ? nest->rows.back().getInductionVar() : Value();
    if (!nest || llvm::count(store.getIndices(), next) != 1)
      break;
    indices[llvm::find(store.getIndices(), next) - store.getIndices().begin()] =
        next;
    row = nest->body();
  }
  if (row)
    fillElements(kernel, row, indices);
  return row;
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

LogicalResult tsgu::fill(Kernel kernel) {
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
  fillElements(
      kernel, &kernel.func.getBody().front(),
      SmallVector<Value>(cast<MemRefType>(kernel.output.getType()).getRank()));
  return success();
}

void tsgu::startFromIdentity(Kernel kernel) {
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
