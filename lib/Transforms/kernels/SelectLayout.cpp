//===- SelectLayout.cpp - Layouts and loop orders -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sparse loops run in the order of the storage's levels. The layout chosen is
// one of most leading levels that are parallel loops and index the output, for
// then the rows can be cut into ranges that write different elements. Which of
// its levels are dense follows from the pattern alone.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Levels.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/IR/Remarks.h"

#include <algorithm>

namespace tsgu {
#define GEN_PASS_DEF_SELECTLAYOUT
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;

namespace {

/// The loops of an op, in the order in which the kernel shall run them.
struct Schedule {
  Levels levels;               ///< Of the sparse tensors; none: there are none.
  SmallVector<unsigned> loops; ///< Loop numbers, outermost first.
  unsigned partition = 0;      ///< How many leading loops may be cut.
  std::string proof;
};

unsigned loopOf(AffineMap map, unsigned result) {
  return cast<AffineDimExpr>(map.getResult(result)).getPosition();
}

/// The first of the op's sparse tensors, which all have one pattern and one
/// map; null if there are none.
OpOperand *getSparseOperand(GenericOp op) {
  for (OpOperand &operand : op->getOpOperands())
    if (isSparse(operand.get()))
      return &operand;
  return nullptr;
}

std::string name(unsigned loop) { return "d" + std::to_string(loop); }

struct SelectLayout : tsgu::impl::SelectLayoutBase<SelectLayout> {
  using SelectLayoutBase::SelectLayoutBase;

  void runOnOperation() override {
    if (failed(verifyProgram(getOperation())))
      return signalPassFailure();
    SmallVector<GenericOp> ops(getOperation().getOps<GenericOp>());
    for (GenericOp op : ops) {
      Schedule schedule = select(op);
      explain(op, schedule);
      apply(op, schedule);
    }
  }

  bool isParallel(GenericOp op, unsigned loop) {
    return op.getIteratorTypesArray()[loop] == IteratorType::parallel;
  }

  Schedule select(GenericOp op);
  Levels getLevels(Value sparse, ArrayRef<int32_t> order);
  unsigned countParallel(GenericOp op, AffineMap sparse,
                         ArrayRef<Level> levels);
  void selectSparse(GenericOp op, Value tensor, AffineMap sparse,
                    Schedule &schedule);
  void appendDenseLoops(GenericOp op, Schedule &schedule);
  void explain(GenericOp op, const Schedule &schedule);
  void apply(GenericOp op, const Schedule &schedule);
};

/// The levels in this order of dimensions: compressed from where most tuples of
/// the coordinates so far are empty. The last one is a singleton where each
/// such tuple has one entry.
Levels SelectLayout::getLevels(Value sparse, ArrayRef<int32_t> order) {
  BlockArgument holder = getPatternArgument(getOperation(), getPattern(sparse));
  auto hollow = getOperation().getArgAttrOfType<IntegerAttr>(
      holder.getArgNumber(), hollowAttr);
  constexpr unsigned paired = 7; // See Pattern::hollow.
  bool single = order.size() == 3 && order.back() != 0 && hollow &&
                hollow.getValue()[paired];
  Levels levels;
  uint64_t prefix = 0;
  bool compressed = false;
  for (int32_t dimension : order) {
    prefix |= uint64_t(1) << dimension;
    compressed |= levels.size() + (single ? 2 : 1) == order.size() ||
                  (hollow && hollow.getValue()[prefix]);
    levels.push_back(
        {dimension, compressed ? Level::Compressed : Level::Dense});
  }
  if (single)
    levels.back().kind = Level::Singleton;
  return levels;
}

/// How many leading levels are parallel loops that can be cut: dense ones, or
/// the first one, whose nodes are counted. The last one is never cut.
unsigned SelectLayout::countParallel(GenericOp op, AffineMap sparse,
                                     ArrayRef<Level> levels) {
  unsigned count = 0;
  while (count + 1 < levels.size() &&
         (count == 0 || levels[count].kind == Level::Dense) &&
         isParallel(op, loopOf(sparse, levels[count].dimension)))
    ++count;
  return count;
}

/// A sparse result has its values in canonical order.
void SelectLayout::selectSparse(GenericOp op, Value tensor, AffineMap sparse,
                                Schedule &schedule) {
  SmallVector<int32_t> order =
      llvm::to_vector(llvm::seq<int32_t>(0, sparse.getNumResults()));
  bool first = true;
  do {
    Levels levels = getLevels(tensor, order);
    unsigned partition = countParallel(op, sparse, levels);
    if (std::exchange(first, false) || partition > schedule.partition) {
      schedule.levels = std::move(levels);
      schedule.partition = partition;
    }
    if (isSparse(op.getDpsInits()[0]))
      break;
  } while (std::next_permutation(order.begin(), order.end()));
  for (const Level &level : schedule.levels)
    schedule.loops.push_back(loopOf(sparse, level.dimension));
}

/// Appends the loops that no sparse tensor has: sums before the output's own,
/// so that the innermost one runs along contiguous elements of the output.
void SelectLayout::appendDenseLoops(GenericOp op, Schedule &schedule) {
  AffineMap out = op.getIndexingMapsArray().back();
  bool sparse = !schedule.loops.empty();
  SmallVector<unsigned> parallel, reductions;
  for (unsigned i = 0; i < out.getNumResults(); ++i)
    if (!llvm::is_contained(schedule.loops, loopOf(out, i)))
      parallel.push_back(loopOf(out, i));
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (!isParallel(op, loop) && !llvm::is_contained(schedule.loops, loop))
      reductions.push_back(loop);
  // Without sparse loops, the first parallel loop leads.
  unsigned leading = parallel.size() - (parallel.size() > !sparse ? 1 : 0);
  schedule.loops.append(parallel.begin(), parallel.begin() + leading);
  schedule.loops.append(reductions);
  schedule.loops.append(parallel.begin() + leading, parallel.end());
  if (!sparse)
    schedule.partition = !parallel.empty() ? 1 : 0;
}

Schedule SelectLayout::select(GenericOp op) {
  Schedule schedule;
  if (OpOperand *sparse = getSparseOperand(op))
    selectSparse(op, sparse->get(), op.getMatchingIndexingMap(sparse),
                 schedule);
  appendDenseLoops(op, schedule);
  if (schedule.partition == 0) {
    schedule.proof =
        op.getNumLoops() == 0
            ? "a single element"
            : "loop " + name(schedule.loops[0]) +
                  " is a sum over the output: its iterations write one element";
    return schedule;
  }
  for (unsigned i = 0; i < schedule.partition; ++i)
    schedule.proof += (i ? ", " : "") + name(schedule.loops[i]);
  schedule.proof +=
      schedule.partition == 1
          ? " indexes the output: its iterations write different elements"
          : " index the output: their iterations write different elements";
  return schedule;
}

void SelectLayout::explain(GenericOp op, const Schedule &schedule) {
  std::string layout =
      schedule.levels.empty() ? "dense" : print(schedule.levels);
  std::string function = getOperation().getName().str();
  auto options = remark::RemarkOpts::name("SelectLayout")
                     .category("tsgu")
                     .function(function);
  if (schedule.partition > 0)
    remark::passed(op.getLoc(), options)
        << remark::add("parallel") << remark::metric("Layout", layout)
        << remark::reason("{0}", schedule.proof);
  else
    remark::missed(op.getLoc(), options)
        << remark::add("serial") << remark::metric("Layout", layout)
        << remark::reason("{0}", schedule.proof);
}

/// Renumbers the loops of the op to the order of the schedule.
void SelectLayout::apply(GenericOp op, const Schedule &schedule) {
  MLIRContext *context = &getContext();
  SmallVector<AffineExpr> renumbered(op.getNumLoops());
  SmallVector<IteratorType> iterators;
  for (auto [position, loop] : llvm::enumerate(schedule.loops)) {
    renumbered[loop] = getAffineDimExpr(position, context);
    iterators.push_back(op.getIteratorTypesArray()[loop]);
  }
  SmallVector<AffineMap> maps;
  for (AffineMap map : op.getIndexingMapsArray())
    maps.push_back(
        map.replaceDimsAndSymbols(renumbered, {}, map.getNumDims(), 0));
  OpBuilder builder(op);
  auto ordered =
      GenericOp::create(builder, op.getLoc(), op->getResultTypes(),
                        op.getDpsInputs(), op.getDpsInits(), maps, iterators);
  ordered.getRegion().takeBody(op.getRegion());
  if (isSampled(op))
    setSampled(ordered);
  if (!schedule.levels.empty())
    ordered->setAttr(layoutAttr, getEncoding(context, schedule.levels));
  ordered->setAttr(partitionAttr,
                   builder.getI64IntegerAttr(schedule.partition));
  ordered->setAttr(proofAttr, builder.getStringAttr(schedule.proof));
  op->replaceAllUsesWith(ordered->getResults());
  op.erase();
}

} // namespace
