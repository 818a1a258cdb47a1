//===- SelectLayout.cpp - Layouts and loop orders -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sparse loops run in the order of the storage's levels. The layout chosen is
// the first whose leading levels are parallel loops that index the output, for
// then the rows can be cut into ranges that write different elements.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/IR/Remarks.h"

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
  SmallVector<int64_t> layout; ///< Level order of the sparse tensors, if any.
  SmallVector<unsigned> loops; ///< Loop numbers, outermost first.
  unsigned partition = 0;      ///< How many leading loops may be cut.
  std::string proof;
};

unsigned loopOf(AffineMap map, unsigned result) {
  return cast<AffineDimExpr>(map.getResult(result)).getPosition();
}

/// The map of the op's sparse tensors; they all have the same. Null if none.
AffineMap getSparseMap(GenericOp op) {
  for (OpOperand &operand : op->getOpOperands())
    if (isSparse(operand.get()))
      return op.getMatchingIndexingMap(&operand);
  return AffineMap();
}

std::string name(unsigned loop) { return "d" + std::to_string(loop); }

struct SelectLayout : tsgu::impl::SelectLayoutBase<SelectLayout> {
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
  void selectSparse(GenericOp op, AffineMap sparse, Schedule &schedule);
  void appendDenseLoops(GenericOp op, Schedule &schedule);
  void explain(GenericOp op, const Schedule &schedule);
  void apply(GenericOp op, const Schedule &schedule);
};

/// Rows must stay before columns in a batch, so a pattern has two layouts:
/// {..., r, c} and {..., c, r}.
void SelectLayout::selectSparse(GenericOp op, AffineMap sparse,
                                Schedule &schedule) {
  unsigned rank = sparse.getNumResults();
  SmallVector<int64_t> rows = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  SmallVector<int64_t> columns(rows);
  std::swap(columns[rank - 1], columns[rank - 2]);
  auto parallelLevels = [&](ArrayRef<int64_t> order) {
    unsigned count = 0;
    while (count < rank - 1 && isParallel(op, loopOf(sparse, order[count])))
      ++count;
    return count;
  };
  unsigned byRows = parallelLevels(rows), byColumns = parallelLevels(columns);
  bool transposed = byColumns > byRows && !isSparse(op.getDpsInits()[0]);
  schedule.layout = transposed ? columns : rows;
  schedule.partition = transposed ? byColumns : byRows;
  for (int64_t level : schedule.layout)
    schedule.loops.push_back(loopOf(sparse, level));
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
  if (AffineMap sparse = getSparseMap(op))
    selectSparse(op, sparse, schedule);
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
  std::string layout = "dense";
  if (!schedule.layout.empty())
    layout = llvm::is_sorted(schedule.layout) ? "rows" : "columns";
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
  if (!schedule.layout.empty())
    ordered->setAttr(layoutAttr, builder.getDenseI64ArrayAttr(schedule.layout));
  ordered->setAttr(partitionAttr,
                   builder.getI64IntegerAttr(schedule.partition));
  ordered->setAttr(proofAttr, builder.getStringAttr(schedule.proof));
  op->replaceAllUsesWith(ordered->getResults());
  op.erase();
}

} // namespace
