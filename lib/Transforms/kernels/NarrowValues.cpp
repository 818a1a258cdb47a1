//===- NarrowValues.cpp - Values of 16 bits in memory ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels compute in f32. Where the manifest says that a buffer has f16 or bf16
// values, what is loaded from it is extended and what is stored to it is
// rounded, to nearest, ties to even. A kernel that updates such a buffer in
// memory is refused, for it would round each partial sum.
//
// The bits of a bf16 are the upper half of those of an f32: integers do that,
// where processors have no instructions for it or flush subnormal numbers.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tsgu {
#define GEN_PASS_DEF_NARROWVALUES
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

/// The type of numbers (or vectors of them) with these elements.
Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

/// One format of 16 bits, at the place where code is written.
class Format {
public:
  Format(Operation *user, ElementType type)
      : builder(user), loc(user->getLoc()), isBrain(type == ElementType::BF16) {
  }

  /// What memory holds. Brain floats are integers there.
  static Type inMemory(MLIRContext *context, ElementType type) {
    return type == ElementType::BF16 ? Type(IntegerType::get(context, 16))
                                     : Type(Float16Type::get(context));
  }

  Value extend(Value narrow) {
    Type wide = withElement(narrow.getType(), builder.getF32Type());
    if (!isBrain)
      return arith::ExtFOp::create(builder, loc, wide, narrow);
    Type bits = withElement(narrow.getType(), builder.getI32Type());
    Value upper = arith::ExtUIOp::create(builder, loc, bits, narrow);
    upper = arith::ShLIOp::create(builder, loc, upper, constant(bits, 16));
    return arith::BitcastOp::create(builder, loc, wide, upper);
  }

  Value round(Value wide) {
    if (!isBrain)
      return arith::TruncFOp::create(
          builder, loc, withElement(wide.getType(), builder.getF16Type()),
          wide);
    Type type = withElement(wide.getType(), builder.getI32Type());
    Value bits = arith::BitcastOp::create(builder, loc, type, wide);
    auto upperHalf = [&](Value value) {
      return arith::ShRUIOp::create(builder, loc, value, constant(type, 16));
    };
    Value odd =
        arith::AndIOp::create(builder, loc, upperHalf(bits), constant(type, 1));
    Value half =
        arith::AddIOp::create(builder, loc, constant(type, 0x7fff), odd);
    Value number = upperHalf(arith::AddIOp::create(builder, loc, bits, half));
    // What is not a number must not become infinity.
    Value quiet = arith::OrIOp::create(builder, loc, upperHalf(bits),
                                       constant(type, 0x40));
    Value isNumber = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::ORD, wide, wide);
    Value chosen =
        arith::SelectOp::create(builder, loc, isNumber, number, quiet);
    return arith::TruncIOp::create(
        builder, loc, withElement(wide.getType(), builder.getI16Type()),
        chosen);
  }

private:
  Value constant(Type type, int64_t value) {
    TypedAttr attr = builder.getI32IntegerAttr(static_cast<int32_t>(value));
    if (auto vector = dyn_cast<VectorType>(type))
      attr = DenseElementsAttr::get(vector, attr);
    return arith::ConstantOp::create(builder, loc, attr);
  }

  OpBuilder builder;
  Location loc;
  const bool isBrain;
};

/// The accesses of a kernel to one buffer.
class Buffer16 {
public:
  Buffer16(BlockArgument buffer, ElementType type)
      : buffer(buffer), type(type),
        element(Format::inMemory(buffer.getContext(), type)) {}

  LogicalResult narrow() {
    if (failed(narrow(buffer)))
      return failure();
    if (loads && stores)
      return buffer.getOwner()->getParentOp()->emitError(
                 "sums in memory, and values of ")
             << elementName(type) << " are rounded once: there is no kernel "
             << "for them; use f32";
    return success();
  }

private:
  /// The buffer, or a view of it.
  LogicalResult narrow(Value memory) {
    auto wide = cast<MemRefType>(memory.getType());
    memory.setType(MemRefType::get(wide.getShape(), element, wide.getLayout(),
                                   wide.getMemorySpace()));
    for (Operation *user : llvm::make_early_inc_range(memory.getUsers()))
      if (failed(rewrite(user)))
        return failure();
    return success();
  }

  LogicalResult rewrite(Operation *user) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(user)
        .Case<memref::LoadOp, vector::LoadOp, vector::MaskedLoadOp,
              vector::GatherOp>([&](auto load) { return extend(load); })
        .Case<memref::StoreOp>(
            [&](auto store) { return round(store, store.getValueMutable()); })
        .Case<vector::StoreOp, vector::MaskedStoreOp>([&](auto store) {
          return round(store, store.getValueToStoreMutable());
        })
        .Case<memref::CastOp, memref::ReinterpretCastOp,
              memref::ExtractStridedMetadataOp>(
            [&](auto view) { return narrow(view->getResult(0)); })
        .Case<memref::DimOp, memref::PrefetchOp>([](auto) { return success(); })
        .Default([](Operation *op) {
          return op->emitError("uses values of 16 bits as a whole");
        });
  }

  /// The load gives what memory has, and its users what they had.
  LogicalResult extend(Operation *load) {
    loads = true;
    Value loaded = load->getResult(0);
    // Masked accesses give these where they read nothing.
    if (load->getNumOperands() > 0 &&
        load->getOperands().back().getType() == loaded.getType())
      load->setOperand(load->getNumOperands() - 1,
                       Format(load, type).round(load->getOperands().back()));
    loaded.setType(withElement(loaded.getType(), element));
    Format after(load->getNextNode(), type);
    Value wide = after.extend(loaded);
    loaded.replaceUsesWithIf(wide, [&](OpOperand &use) {
      return !isPartOf(use.getOwner(), loaded, wide);
    });
    return success();
  }

  /// Whether an op belongs to the code between what was loaded and its f32.
  static bool isPartOf(Operation *op, Value loaded, Value wide) {
    return op == wide.getDefiningOp() ||
           (isa<arith::ExtUIOp>(op) && op->getOperand(0) == loaded);
  }

  LogicalResult round(Operation *store, OpOperand &value) {
    stores = true;
    value.set(Format(store, type).round(value.get()));
    return success();
  }

  BlockArgument buffer;
  const ElementType type;
  const Type element;
  bool loads = false, stores = false;
};

struct NarrowValues : tsgu::impl::NarrowValuesBase<NarrowValues> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr(manifestAttr))
      return;
    FailureOr<Manifest> manifest = getManifest(getOperation());
    if (failed(manifest))
      return signalPassFailure();
    llvm::StringMap<const Stage *> stages;
    for (const Stage &stage : manifest->stages)
      if (stage.isKernel())
        stages[stage.name] = &stage;
    getOperation().walk([&](FunctionOpInterface kernel) {
      auto stage = stages.find(kernel.getName());
      if (stage != stages.end() && !kernel.isExternal() &&
          failed(narrow(kernel, *stage->second, *manifest)))
        signalPassFailure();
    });
  }

  LogicalResult narrow(FunctionOpInterface kernel, const Stage &stage,
                       const Manifest &manifest) {
    bool changed = false;
    for (auto [argument, value] :
         llvm::zip(stage.arguments, kernel.getArguments())) {
      if (argument.role != Argument::Values && argument.role != Argument::Dense)
        continue;
      const ElementType type = typeOf(manifest, argument.buffer);
      if (!isNarrow(type))
        continue;
      changed = true;
      if (failed(Buffer16(value, type).narrow()))
        return failure();
    }
    if (changed) {
      auto old = cast<FunctionType>(kernel.getFunctionType());
      kernel.setType(FunctionType::get(
          &getContext(), kernel.getFunctionBody().getArgumentTypes(),
          old.getResults()));
    }
    return success();
  }
};

} // namespace
