//===- JamNonzeros.cpp - Four sampled dot products at a time --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop over stored entries that reduces one vector for each of them spends
// most of its instructions on the horizontal sums. Four of them share a tree of
// shuffles, which ends in one store. The entries left over are summed in the
// same order, so an entry's bits do not depend on its place in the row.
//
//===----------------------------------------------------------------------===//

#include "kernels/KernelLoops.h"
#include "kernels/VectorBody.h"
#include "kernels/VectorEmitter.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tsgu {
#define GEN_PASS_DEF_JAMNONZEROS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

static constexpr int64_t jammed = 4;

namespace {

/// Reduces vectors of 32- or 64-bit elements: within 128-bit groups first, then
/// halves of the groups until one is left.
class ReductionTree {
public:
  ReductionTree(OpBuilder &builder, vector::ReductionOp like)
      : builder(builder), loc(like.getLoc()), kind(like.getKind()),
        lanes(like.getSourceVectorType().getNumElements()),
        group(128 / like.getSourceVectorType().getElementTypeBitWidth()) {}

  static bool supports(VectorType type) {
    unsigned bits = type.getElementTypeBitWidth();
    return type.getRank() == 1 && !type.isScalable() &&
           (bits == 32 || bits == 64) &&
           llvm::isPowerOf2_64(type.getNumElements()) &&
           type.getNumElements() * bits >= 128;
  }

  /// The reduction of one vector.
  Value reduceOne(Value x) {
    for (int64_t distance = group / 2; distance > 0; distance /= 2)
      x = combine(
          x, shuffle(x, x, lanes, [&](int64_t i) { return i ^ distance; }));
    for (int64_t width = lanes; width > group; width /= 2)
      x = foldHalves(x, width);
    return vector::ExtractOp::create(builder, loc, x, 0);
  }

  /// The reductions of four vectors as a vector of four.
  Value reduceFour(ArrayRef<Value> x) {
    Value left = interleave(x[0], x[1]), right = interleave(x[2], x[3]);
    return group == 4 ? finishNarrow(left, right) : finishWide(left, right);
  }

private:
  Value combine(Value a, Value b) {
    return vector::makeArithReduction(builder, loc, kind, a, b);
  }

  Value shuffle(Value a, Value b, int64_t width,
                llvm::function_ref<int64_t(int64_t)> source) {
    SmallVector<int64_t> mask;
    for (int64_t i = 0; i < width; ++i)
      mask.push_back(source(i));
    return vector::ShuffleOp::create(builder, loc, a, b, mask);
  }

  Value foldHalves(Value x, int64_t width) {
    int64_t half = width / 2;
    Value low = shuffle(x, x, half, [](int64_t i) { return i; });
    Value high = shuffle(x, x, half, [&](int64_t i) { return i + half; });
    return combine(low, high);
  }

  /// In each group a0 + a[g/2], b0 + b[g/2], a1 + ..., b1 + ...
  Value interleave(Value a, Value b) {
    auto from = [&](int64_t i, int64_t start) {
      int64_t inGroup = i % group;
      return i - inGroup + start + inGroup / 2 + (inGroup % 2 ? lanes : 0);
    };
    Value low = shuffle(a, b, lanes, [&](int64_t i) { return from(i, 0); });
    Value high =
        shuffle(a, b, lanes, [&](int64_t i) { return from(i, group / 2); });
    return combine(low, high);
  }

  /// Groups of four: one more step within groups leaves a, b, c, d in each.
  Value finishNarrow(Value left, Value right) {
    auto from = [&](int64_t i, int64_t start) {
      int64_t inGroup = i % 4;
      return i - inGroup + start + inGroup % 2 + (inGroup / 2 ? lanes : 0);
    };
    Value low =
        shuffle(left, right, lanes, [&](int64_t i) { return from(i, 0); });
    Value high =
        shuffle(left, right, lanes, [&](int64_t i) { return from(i, 2); });
    Value x = combine(low, high);
    for (int64_t width = lanes; width > 4; width /= 2)
      x = foldHalves(x, width);
    return x;
  }

  /// Groups of two: `left` has a, b in each group and `right` c, d. The halves
  /// of both are folded side by side.
  Value finishWide(Value left, Value right) {
    if (lanes == 2)
      return shuffle(left, right, 4, [](int64_t i) { return i; });
    int64_t half = lanes / 2;
    auto from = [&](int64_t i, int64_t start) {
      return start + i % half + (i / half ? lanes : 0);
    };
    Value low =
        shuffle(left, right, lanes, [&](int64_t i) { return from(i, 0); });
    Value high =
        shuffle(left, right, lanes, [&](int64_t i) { return from(i, half); });
    Value x = combine(low, high);
    for (int64_t width = lanes; width > 4; width /= 2) {
      int64_t quarter = width / 4;
      auto side = [&](int64_t i, int64_t start) {
        return start + i % quarter + (i / quarter ? 2 * quarter : 0);
      };
      Value even =
          shuffle(x, x, width / 2, [&](int64_t i) { return side(i, 0); });
      Value odd =
          shuffle(x, x, width / 2, [&](int64_t i) { return side(i, quarter); });
      x = combine(even, odd);
    }
    return x;
  }

  OpBuilder &builder;
  Location loc;
  vector::CombiningKind kind;
  int64_t lanes;
  int64_t group; // elements in 128 bits
};

/// A loop over entries with one horizontal reduction each.
struct EntryLoop {
  scf::ForOp loop;
  vector::ReductionOp reduction;
  VectorBody rest; // what happens to the reduction's result
};

} // namespace

static bool isInnermost(scf::ForOp loop) {
  return llvm::all_of(*loop.getBody(),
                      [](Operation &op) { return op.getNumRegions() == 0; });
}

static FailureOr<EntryLoop> analyzeEntryLoop(Kernel kernel, scf::ForOp loop,
                                             std::string &whyNot) {
  vector::ReductionOp reduction;
  for (Operation &op : loop.getBody()->without_terminator()) {
    auto next = dyn_cast<vector::ReductionOp>(op);
    if (next && reduction)
      return whyNot = "two reductions for each entry", failure();
    if (next)
      reduction = next;
    bool known = isPure(&op) || isa<memref::LoadOp, memref::StoreOp,
                                    vector::LoadOp, vector::MaskedLoadOp>(op);
    if (!known)
      return whyNot = "an operation with side effects", failure();
  }
  Operation *product =
      reduction ? reduction.getVector().getDefiningOp() : nullptr;
  if (!product || product->getBlock() != loop.getBody() || reduction.getAcc() ||
      loop.getNumRegionIterArgs() != 0 ||
      !ReductionTree::supports(reduction.getSourceVectorType()))
    return whyNot = "no reduction of a vector for each entry", failure();
  for (Operation &op : loop.getBody()->without_terminator())
    if (isa<vector::LoadOp, vector::MaskedLoadOp>(op) &&
        !kernel.isReadOnly(op.getOperand(0)))
      return whyNot = "a vector of the output is read", failure();
  auto rest = VectorBody::analyze(kernel, loop, whyNot, reduction.getResult());
  if (failed(rest))
    return failure();
  if (!rest->getOutputStore() || rest->getOutputLoad() || rest->getGathers())
    return whyNot = "the result is not simply stored", failure();
  return EntryLoop{loop, reduction, *rest};
}

/// Copies what leads to the vectors to reduce for four entries from `first` on,
/// op by op side by side: four independent chains of multiply-adds.
static SmallVector<Value> cloneProducts(OpBuilder &builder, EntryLoop entry,
                                        Value first) {
  SetVector<Operation *> needed;
  needed.insert(entry.reduction.getVector().getDefiningOp());
  for (size_t i = 0; i < needed.size(); ++i)
    for (Value operand : needed[i]->getOperands())
      if (Operation *op = operand.getDefiningOp())
        if (op->getBlock() == entry.loop.getBody())
          needed.insert(op);
  SmallVector<IRMapping> mappings(jammed);
  for (auto [i, mapping] : llvm::enumerate(mappings)) {
    Location loc = entry.loop.getLoc();
    Value offset = arith::ConstantIndexOp::create(builder, loc, i);
    mapping.map(entry.loop.getInductionVar(),
                arith::AddIOp::create(builder, loc, first, offset));
  }
  for (Operation &op : entry.loop.getBody()->without_terminator())
    if (needed.contains(&op))
      for (IRMapping &mapping : mappings)
        builder.clone(op, mapping);
  SmallVector<Value> products;
  for (IRMapping &mapping : mappings)
    products.push_back(mapping.lookup(entry.reduction.getVector()));
  return products;
}

static void jam(EntryLoop entry) {
  scf::ForOp loop = entry.loop;
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  auto constant = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value from = loop.getLowerBound(), to = loop.getUpperBound();
  Value count = arith::SubIOp::create(builder, loc, to, from);
  Value left = arith::RemUIOp::create(builder, loc, count, constant(jammed));
  Value end = arith::SubIOp::create(builder, loc, to, left);
  auto fours = scf::ForOp::create(builder, loc, from, end, constant(jammed));
  builder.setInsertionPointToStart(fours.getBody());
  SmallVector<Value> products =
      cloneProducts(builder, entry, fours.getInductionVar());
  Value sums = ReductionTree(builder, entry.reduction).reduceFour(products);
  IRMapping scalars;
  VectorEmitter emitter(entry.rest, builder, scalars);
  emitter.emitShared();
  emitter.emitGiven({fours.getInductionVar(), jammed, {}}, sums);

  loop.getLowerBoundMutable().assign(end);
  builder.setInsertionPoint(entry.reduction);
  Value sum = ReductionTree(builder, entry.reduction)
                  .reduceOne(entry.reduction.getVector());
  entry.reduction.replaceAllUsesWith(sum);
  entry.reduction.erase();
}

namespace {

struct JamNonzeros : tsgu::impl::JamNonzerosBase<JamNonzeros> {
  using JamNonzerosBase::JamNonzerosBase;

  void runOnOperation() override {
    auto kernel = Kernel::get(getOperation());
    if (failed(kernel))
      return signalPassFailure();
    if (!*kernel)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](vector::ReductionOp reduction) {
      auto loop = dyn_cast<scf::ForOp>(reduction->getParentOp());
      if (loop && !llvm::is_contained(loops, loop) && isInnermost(loop))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      std::string whyNot;
      auto entry = analyzeEntryLoop(**kernel, loop, whyNot);
      if (failed(entry)) {
        remark::missed(loop.getLoc(), remarkOn(**kernel, "JamNonzeros"))
            << remark::reason("{0}", whyNot);
        continue;
      }
      jam(*entry);
      remark::passed(loop.getLoc(), remarkOn(**kernel, "JamNonzeros"))
          << remark::add("entries share the shuffles of their sums")
          << remark::metric("entries", jammed);
    }
  }
};

} // namespace
