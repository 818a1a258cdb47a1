//===- EmitEntryPoints.cpp - One C signature for every kernel -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adds, for each kernel, `void entry(void *const *pointers, const int64_t
// *sizes)`, and for the program the constant `tsgu_object` with its manifest
// and entries (CompilerInterface.h). The kernels become internal, and their
// pointers noalias: the output overlaps nothing, and the rest is only read.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace tsgu {
#define GEN_PASS_DEF_EMITENTRYPOINTS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

class EntryPoints {
public:
  EntryPoints(ModuleOp module, const Manifest &manifest)
      : module(module), manifest(manifest), builder(module.getContext()),
        loc(module.getLoc()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())),
        i64(builder.getI64Type()) {}

  LogicalResult emit();

private:
  LogicalResult emitEntry(const Stage &stage);
  void restrict(LLVM::LLVMFuncOp kernel);
  SmallVector<Value> unpack(const Stage &stage, Block *entry);
  void emitObject();
  LLVM::GlobalOp emitConstant(Type type, StringRef name, LLVM::Linkage linkage,
                              function_ref<Value()> value);

  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, i64, value);
  }
  Value loadElement(Value array, Type type, int64_t index) {
    Value address = LLVM::GEPOp::create(
        builder, loc, pointer, type, array,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
    return LLVM::LoadOp::create(builder, loc, type, address);
  }

  ModuleOp module;
  const Manifest &manifest;
  OpBuilder builder;
  Location loc;
  Type pointer, i64;
  SmallVector<LLVM::LLVMFuncOp> entries;
};

void EntryPoints::restrict(LLVM::LLVMFuncOp kernel) {
  kernel.setLinkage(LLVM::Linkage::Internal);
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    if (isa<LLVM::LLVMPointerType>(kernel.getArgument(i).getType()))
      kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                        builder.getUnitAttr());
}

/// The kernel's arguments: a descriptor (allocated, aligned, offset, extents,
/// strides) for each buffer, then its sizes. Only the output's extents are
/// read.
SmallVector<Value> EntryPoints::unpack(const Stage &stage, Block *entry) {
  Value pointers = entry->getArgument(0), sizes = entry->getArgument(1);
  auto strideOf = [&](size_t argument, size_t dim) {
    for (auto [index, size] : llvm::enumerate(stage.sizes))
      if (size.kind == SizeRef::Stride &&
          size.index == static_cast<int32_t>(argument) &&
          size.dim == static_cast<int32_t>(dim))
        return loadElement(sizes, i64, index);
    return constant(1);
  };
  auto extentOf = [&](const Argument &argument, size_t dim) {
    auto loop = llvm::find(argument.slice, static_cast<int32_t>(dim));
    bool ranged = loop != argument.slice.end();
    SizeRef::Kind kind = ranged ? SizeRef::Range : SizeRef::Extent;
    auto symbol = ranged ? static_cast<int32_t>(loop - argument.slice.begin())
                         : argument.shape[dim];
    for (auto [index, size] : llvm::enumerate(stage.sizes))
      if (size.kind == kind && size.index == symbol)
        return loadElement(sizes, i64, index);
    return constant(0);
  };
  bool isComplex = manifest.result.type == ElementType::C64 ||
                   manifest.result.type == ElementType::C128;
  SmallVector<Value> values;
  for (auto [number, argument] : llvm::enumerate(stage.arguments)) {
    bool dense = argument.role == Argument::Dense;
    // Complex numbers are rows of two floats, the strides count these.
    bool pairs = isComplex && (dense || argument.role == Argument::Values);
    size_t rank = dense ? argument.shape.size() : 1;
    Value data = loadElement(pointers, pointer, number);
    values.append({data, data, constant(0)});
    for (size_t d = 0; d < rank; ++d)
      values.push_back(argument.written && dense ? extentOf(argument, d)
                                                 : constant(0));
    if (pairs)
      values.push_back(constant(2));
    for (size_t d = 0; d < rank; ++d)
      values.push_back(pairs ? LLVM::MulOp::create(builder, loc,
                                                   strideOf(number, d),
                                                   constant(2))
                                   .getResult()
                             : strideOf(number, d));
    if (pairs)
      values.push_back(constant(1));
  }
  for (auto [index, size] : llvm::enumerate(stage.sizes))
    if (size.kind != SizeRef::Stride)
      values.push_back(loadElement(sizes, i64, index));
  return values;
}

LogicalResult EntryPoints::emitEntry(const Stage &stage) {
  auto kernel = module.lookupSymbol<LLVM::LLVMFuncOp>(stage.name);
  if (!kernel)
    return module.emitError("has no lowered kernel @") << stage.name;
  restrict(kernel);
  builder.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(module.getContext()), {pointer, pointer});
  auto entry = LLVM::LLVMFuncOp::create(builder, loc, stage.name + "_entry",
                                        type, LLVM::Linkage::Internal);
  Block *block = entry.addEntryBlock(builder);
  builder.setInsertionPointToStart(block);
  SmallVector<Value> values = unpack(stage, block);
  if (values.size() != kernel.getNumArguments())
    return kernel.emitError("takes ")
           << kernel.getNumArguments() << " values, its manifest says "
           << values.size();
  LLVM::CallOp::create(builder, loc, kernel, values);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  entries.push_back(entry);
  return success();
}

LLVM::GlobalOp EntryPoints::emitConstant(Type type, StringRef name,
                                         LLVM::Linkage linkage,
                                         function_ref<Value()> value) {
  builder.setInsertionPointToEnd(module.getBody());
  auto global = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                       linkage, name, Attribute());
  Block *block = builder.createBlock(&global.getInitializerRegion());
  builder.setInsertionPointToStart(block);
  LLVM::ReturnOp::create(builder, loc, value());
  return global;
}

void EntryPoints::emitObject() {
  MLIRContext *context = module.getContext();
  std::vector<uint8_t> bytes = manifest.serialize();
  builder.setInsertionPointToEnd(module.getBody());
  auto data = LLVM::GlobalOp::create(
      builder, loc, LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size()),
      /*isConstant=*/true, LLVM::Linkage::Internal,
      manifest.program + "_manifest",
      builder.getStringAttr(StringRef(
          reinterpret_cast<const char *>(bytes.data()), bytes.size())));
  auto table = LLVM::LLVMArrayType::get(pointer, entries.size());
  LLVM::GlobalOp kernels =
      emitConstant(table, manifest.program + "_kernels",
                   LLVM::Linkage::Internal, [&]() -> Value {
                     Value array = LLVM::UndefOp::create(builder, loc, table);
                     for (auto [i, entry] : llvm::enumerate(entries))
                       array = LLVM::InsertValueOp::create(
                           builder, loc, array,
                           LLVM::AddressOfOp::create(builder, loc, entry), i);
                     return array;
                   });
  auto object =
      LLVM::LLVMStructType::getLiteral(context, {pointer, i64, i64, pointer});
  emitConstant(
      object, manifest.program, LLVM::Linkage::External, [&]() -> Value {
        Value fields[] = {LLVM::AddressOfOp::create(builder, loc, data),
                          constant(bytes.size()), constant(entries.size()),
                          LLVM::AddressOfOp::create(builder, loc, kernels)};
        Value value = LLVM::UndefOp::create(builder, loc, object);
        for (auto [i, field] : llvm::enumerate(fields))
          value = LLVM::InsertValueOp::create(builder, loc, value, field, i);
        return value;
      });
}

LogicalResult EntryPoints::emit() {
  for (const Stage &stage : manifest.stages)
    if (stage.kind == Stage::Kernel && failed(emitEntry(stage)))
      return failure();
  emitObject();
  return success();
}

struct EmitEntryPoints : tsgu::impl::EmitEntryPointsBase<EmitEntryPoints> {
  void runOnOperation() override {
    FailureOr<Manifest> manifest = getManifest(getOperation());
    if (failed(manifest) ||
        failed(EntryPoints(getOperation(), *manifest).emit()))
      signalPassFailure();
  }
};

} // namespace
