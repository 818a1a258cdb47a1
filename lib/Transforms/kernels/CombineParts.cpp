//===- CombineParts.cpp - Elements that are reduced in several parts ------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream's sparsifier starts a reduction of the innermost loops from its
// identity and stores the result, as if no loop around it came back to the same
// element. Where one does,
//
//   for b { for i { r = for k iter_args(identity) { ... }; out[i] = r } }
//
// what is there takes part: out[i] = out[i] + r.
//
//===----------------------------------------------------------------------===//

#include "kernels/KernelLoops.h"
#include "kernels/VectorBuilders.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"

namespace tsgu {
#define GEN_PASS_DEF_COMBINEPARTS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

bool isComplexZero(Value value) {
  auto constant = value.getDefiningOp<complex::ConstantOp>();
  return constant && llvm::all_of(constant.getValue(), [](Attribute part) {
           return cast<FloatAttr>(part).getValue().isZero();
         });
}

/// The op that reduces what a loop carries, which an inner loop may go on with;
/// null if the value is no reduction that starts neutral.
Operation *getCombiner(Value carried) {
  auto loop = carried.getDefiningOp<scf::ForOp>();
  if (!loop)
    return nullptr;
  unsigned number = cast<OpResult>(carried).getResultNumber();
  Value start = loop.getInitArgs()[number];
  Operation *combiner = nullptr;
  while (loop) {
    Value yielded = loop.getYieldedValues()[number];
    combiner = yielded.getDefiningOp();
    loop = dyn_cast_or_null<scf::ForOp>(combiner);
    if (loop)
      number = cast<OpResult>(yielded).getResultNumber();
  }
  bool neutral = isa_and_nonnull<complex::AddOp>(combiner)
                     ? isComplexZero(start)
                     : startsNeutral(combiner, start);
  return neutral ? combiner : nullptr;
}

/// Whether a loop around the store comes back to the same element.
bool repeats(memref::StoreOp store) {
  for (auto loop = store->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>())
    if (llvm::none_of(store.getIndices(), [&](Value index) {
          return getLoopOfCoordinate(index) == loop;
        }))
      return true;
  return false;
}

struct CombineParts : tsgu::impl::CombinePartsBase<CombineParts> {
  void runOnOperation() override {
    FailureOr<std::optional<Kernel>> kernel = Kernel::get(getOperation());
    if (failed(kernel))
      return signalPassFailure();
    if (!*kernel || !(*kernel)->identity)
      return;
    SmallVector<memref::StoreOp> stores;
    getOperation().walk([&](memref::StoreOp store) {
      if ((*kernel)->isOutput(store.getMemRef()) && repeats(store))
        stores.push_back(store);
    });
    for (memref::StoreOp store : stores)
      if (Operation *combiner = getCombiner(store.getValue()))
        combine(store, combiner);
  }

  void combine(memref::StoreOp store, Operation *combiner) {
    OpBuilder builder(store);
    Value before = memref::LoadOp::create(
        builder, store.getLoc(), store.getMemRef(), store.getIndices());
    Operation *both = builder.clone(*combiner);
    both->setOperands({before, store.getValue()});
    store.getValueMutable().assign(both->getResult(0));
  }
};

} // namespace
