//===- SplitShuffles.cpp - Lanes exchange words of 32 bits ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A device moves 32 bits at a time between the lanes of a warp. Vectors are
// shuffled by element, elements of 64 bits by halves.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {
#define GEN_PASS_DEF_SPLITSHUFFLES
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;

namespace {

/// Writes one shuffle as shuffles of words; they agree on what is valid.
class Split {
public:
  explicit Split(gpu::ShuffleOp op)
      : op(op), builder(op), loc(op.getLoc()), word(builder.getI32Type()) {}

  void run() {
    Value result = shuffle(op.getValue());
    op.getShuffleResult().replaceAllUsesWith(result);
    op.getValid().replaceAllUsesWith(valid);
    op.erase();
  }

private:
  Value shuffle(Value value) {
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      return shuffleElements(value, vector);
    if (value.getType().getIntOrFloatBitWidth() == 64)
      return shuffleHalves(value);
    auto part = gpu::ShuffleOp::create(builder, loc, value, op.getOffset(),
                                       op.getWidth(), op.getMode());
    valid = part.getValid();
    return part.getShuffleResult();
  }

  Value shuffleElements(Value value, VectorType type) {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      elements.push_back(
          shuffle(vector::ExtractOp::create(builder, loc, value, i)));
    return vector::FromElementsOp::create(builder, loc, type, elements);
  }

  /// The lower 32 bits, extended again.
  Value shuffleHalf(Value value) {
    Value bits = arith::TruncIOp::create(builder, loc, word, value);
    return arith::ExtUIOp::create(builder, loc, value.getType(), shuffle(bits));
  }

  Value shuffleHalves(Value value) {
    Type type = value.getType(), wide = builder.getI64Type();
    if (type != wide)
      value = arith::BitcastOp::create(builder, loc, wide, value);
    Value shift =
        arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(32));
    Value high = arith::ShRUIOp::create(builder, loc, value, shift);
    Value low = shuffleHalf(value);
    high = arith::ShLIOp::create(builder, loc, shuffleHalf(high), shift);
    Value result = arith::OrIOp::create(builder, loc, low, high);
    return type == wide ? result
                        : arith::BitcastOp::create(builder, loc, type, result)
                              .getResult();
  }

  gpu::ShuffleOp op;
  OpBuilder builder;
  Location loc;
  Type word;
  Value valid;
};

struct SplitShuffles : tsgu::impl::SplitShufflesBase<SplitShuffles> {
  void runOnOperation() override {
    SmallVector<gpu::ShuffleOp> ops;
    getOperation()->walk([&](gpu::ShuffleOp op) { ops.push_back(op); });
    for (gpu::ShuffleOp op : ops) {
      Type type = op.getValue().getType();
      unsigned bits = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
      if (bits != 32 && bits != 64) {
        op.emitError("moves elements of ")
            << bits << " bits; extend them to 32 first";
        return signalPassFailure();
      }
      if (bits == 64 || isa<VectorType>(type))
        Split(op).run();
    }
  }
};

} // namespace
