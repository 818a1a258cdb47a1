//===- EmitObject.cpp - The program as one constant -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adds the constant `tsgu_object` (CompilerInterface.h) with the manifest, the
// kernels' entries, or their names and the image that holds them. It bears the
// program's name.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace tsgu {
#define GEN_PASS_DEF_EMITOBJECT
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

class Object {
public:
  Object(ModuleOp module, StringRef name)
      : module(module), name(name), builder(module.getContext()),
        loc(module.getLoc()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())),
        i32(builder.getI32Type()), i64(builder.getI64Type()) {}

  void emit(const Manifest *manifest);

private:
  LLVM::GlobalOp emitBytes(StringRef bytes, const Twine &suffix);
  LLVM::GlobalOp emitConstant(Type type, const Twine &symbol,
                              LLVM::Linkage linkage,
                              function_ref<Value()> value);
  LLVM::GlobalOp emitKernels(const Manifest &manifest);
  LLVM::GlobalOp emitDeviceKernels(ArrayAttr kernels);

  Value constant(Type type, int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, type, value);
  }
  Value addressOf(LLVM::GlobalOp global) {
    if (!global)
      return LLVM::ZeroOp::create(builder, loc, pointer);
    return LLVM::AddressOfOp::create(builder, loc, global);
  }
  Value entryOf(StringRef kernel) {
    auto entry =
        module.lookupSymbol<LLVM::LLVMFuncOp>((kernel + "_entry").str());
    if (!entry) // It is in the image.
      return LLVM::ZeroOp::create(builder, loc, pointer);
    return LLVM::AddressOfOp::create(builder, loc, entry);
  }
  /// A struct or an array of these values.
  Value aggregate(Type type, ArrayRef<Value> fields) {
    Value value = LLVM::UndefOp::create(builder, loc, type);
    for (auto [i, field] : llvm::enumerate(fields))
      value = LLVM::InsertValueOp::create(builder, loc, value, field, i);
    return value;
  }

  ModuleOp module;
  StringRef name;
  OpBuilder builder;
  Location loc;
  Type pointer, i32, i64;
};

} // namespace

LLVM::GlobalOp Object::emitBytes(StringRef bytes, const Twine &suffix) {
  builder.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
  return LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                LLVM::Linkage::Internal, (name + suffix).str(),
                                builder.getStringAttr(bytes));
}

LLVM::GlobalOp Object::emitConstant(Type type, const Twine &symbol,
                                    LLVM::Linkage linkage,
                                    function_ref<Value()> value) {
  builder.setInsertionPointToEnd(module.getBody());
  auto global = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                       linkage, symbol.str(), Attribute());
  Block *block = builder.createBlock(&global.getInitializerRegion());
  builder.setInsertionPointToStart(block);
  LLVM::ReturnOp::create(builder, loc, value());
  return global;
}

LLVM::GlobalOp Object::emitKernels(const Manifest &manifest) {
  SmallVector<StringRef> names;
  for (const Stage &stage : manifest.stages)
    if (stage.isKernel())
      names.push_back(stage.name);
  auto type = LLVM::LLVMArrayType::get(pointer, names.size());
  return emitConstant(type, name + "_kernels", LLVM::Linkage::Internal, [&] {
    return aggregate(type, llvm::map_to_vector(names, [&](StringRef kernel) {
                       return entryOf(kernel);
                     }));
  });
}

LLVM::GlobalOp Object::emitDeviceKernels(ArrayAttr kernels) {
  auto field = [](Attribute kernel, StringRef name) {
    return cast<DictionaryAttr>(kernel).get(name);
  };
  auto number = [&](Attribute kernel, StringRef name) {
    return constant(i32, cast<IntegerAttr>(field(kernel, name)).getInt());
  };
  SmallVector<LLVM::GlobalOp> names;
  for (auto [i, kernel] : llvm::enumerate(kernels)) {
    std::string text = cast<StringAttr>(field(kernel, "name")).str();
    names.push_back(emitBytes(StringRef(text.c_str(), text.size() + 1),
                              "_name" + Twine(i)));
  }
  auto type = LLVM::LLVMStructType::getLiteral(module.getContext(),
                                               {pointer, pointer, i32, i32});
  auto table = LLVM::LLVMArrayType::get(type, kernels.size());
  return emitConstant(
      table, name + "_device_kernels", LLVM::Linkage::Internal, [&] {
        SmallVector<Value> values;
        for (auto [kernel, text] : llvm::zip_equal(kernels, names))
          values.push_back(aggregate(
              type,
              {addressOf(text),
               entryOf(cast<StringAttr>(field(kernel, "name")).getValue()),
               number(kernel, "block_threads"),
               number(kernel, "workgroup_bytes")}));
        return aggregate(table, values);
      });
}

void Object::emit(const Manifest *manifest) {
  LLVM::GlobalOp data, kernels, deviceKernels, image;
  size_t count = 0, size = 0, imageSize = 0;
  if (manifest) {
    std::vector<uint8_t> bytes = manifest->serialize();
    size = bytes.size();
    data = emitBytes({reinterpret_cast<const char *>(bytes.data()), size},
                     "_manifest");
    count = llvm::count_if(manifest->stages,
                           [](const Stage &stage) { return stage.isKernel(); });
  }
  if (auto list = module->getAttrOfType<ArrayAttr>(deviceKernelsAttr)) {
    count = list.size();
    deviceKernels = emitDeviceKernels(list);
  } else if (manifest) {
    kernels = emitKernels(*manifest);
  }
  if (auto text = module->getAttrOfType<StringAttr>(imageAttr)) {
    std::string terminated = text.str();
    imageSize = terminated.size() + 1;
    image = emitBytes(StringRef(terminated.c_str(), imageSize), "_image");
  }
  auto type = LLVM::LLVMStructType::getLiteral(
      module.getContext(), {pointer, i64, i64, pointer, pointer, pointer, i64});
  emitConstant(type, name, LLVM::Linkage::External, [&] {
    return aggregate(type, {addressOf(data), constant(i64, size),
                            constant(i64, count), addressOf(kernels),
                            addressOf(deviceKernels), addressOf(image),
                            constant(i64, imageSize)});
  });
}

namespace {

struct EmitObject : tsgu::impl::EmitObjectBase<EmitObject> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    bool isLibrary =
        !module->hasAttr(manifestAttr) && module->hasAttr(deviceKernelsAttr);
    if (isLibrary)
      return Object(module, module.getName().value_or("device")).emit(nullptr);
    FailureOr<Manifest> manifest = getManifest(module);
    if (failed(manifest))
      return signalPassFailure();
    Object(module, manifest->program).emit(&*manifest);
  }
};

} // namespace
