//===- EmitEntryPoints.cpp - One C signature for every kernel -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adds, for each kernel, the entry with the parameters of CompilerInterface.h:
// for the CPU `void entry(void *const *pointers, const int64_t *sizes)`; for
// the emulator `void entry(const uint64_t *words, tsgu_emulated_thread *self)`;
// for a GPU a kernel with one parameter per word. They differ in where a
// pointer or a size comes from, and unpack it into the same descriptors. The
// kernels become internal.
//
// On the CPU and on a GPU pointers are noalias: the output overlaps nothing,
// and the rest is only read. (Not on the emulator, where threads of a block see
// each other's writes after the call of a barrier.)
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"

namespace tsgu {
#define GEN_PASS_DEF_EMITENTRYPOINTS
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

/// Threads of an SM that the assembler has to leave registers for. Left to
/// itself it saves registers for more of them by having a thread wait for one
/// load before it starts the next; what hides latency is the sum of loads.
constexpr int32_t residentThreads = 512;

namespace {

/// Where an entry finds what it passes on: the i-th pointer, the i-th size.
struct Parameters {
  std::function<Value(size_t)> pointer, size;
};

class EntryPoints {
public:
  explicit EntryPoints(ModuleOp module)
      : module(module), builder(module.getContext()), loc(module.getLoc()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())),
        i32(builder.getI32Type()), i64(builder.getI64Type()) {}

  LogicalResult emit(const Manifest &manifest);
  LogicalResult emitLibrary();

private:
  LogicalResult emitStage(const Manifest &manifest, const Stage &stage);
  void restrict(LLVM::LLVMFuncOp kernel);
  SmallVector<Value> unpack(const Manifest &manifest, const Stage &stage,
                            const Parameters &parameters);
  LogicalResult emitLibraryKernel(LLVM::LLVMFuncOp kernel);
  FailureOr<SmallVector<Type>> getWords(LLVM::LLVMFuncOp kernel);
  void addDescriptor(SmallVector<Value> &values, Value data) {
    values.append({data, data, constant(0)});
  }

  // The entry of the kernel, in which the builder then stands.
  void beginHostEntry(LLVM::LLVMFuncOp kernel, StringRef name);
  void beginGPUEntry(LLVM::LLVMFuncOp kernel, ArrayRef<Type> words,
                     int32_t blockThreads);
  LogicalResult callKernel(LLVM::LLVMFuncOp kernel, ArrayRef<Value> values);
  LogicalResult callDeviceKernel(LLVM::LLVMFuncOp kernel,
                                 SmallVector<Value> values);
  void finish();
  Value wordOf(LLVM::LLVMFuncOp kernel, Type type, size_t index);
  Value itemOf(LLVM::LLVMFuncOp kernel);
  Parameters getDeviceParameters(LLVM::LLVMFuncOp kernel, size_t pointers);
  void listDeviceKernel(LLVM::LLVMFuncOp kernel, StringRef name,
                        int32_t blockThreads);

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
  OpBuilder builder;
  Location loc;
  Type pointer, i32, i64;
  LLVM::LLVMFuncOp entry;
  SmallVector<Attribute> deviceKernels;
};

} // namespace

static bool isOnGPU(LLVM::LLVMFuncOp kernel) {
  return isa<gpu::GPUModuleOp>(kernel->getParentOp());
}

/// Kernels for devices that the module holds: lowered for a GPU, or for the
/// emulator.
static SmallVector<LLVM::LLVMFuncOp> getDeviceKernels(ModuleOp module) {
  SmallVector<LLVM::LLVMFuncOp> kernels;
  module.walk([&](LLVM::LLVMFuncOp function) {
    if (isOnGPU(function)
            ? function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName())
            : function->hasAttr(workgroupBytesAttr))
      kernels.push_back(function);
  });
  return kernels;
}

void EntryPoints::restrict(LLVM::LLVMFuncOp kernel) {
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    if (isa<LLVM::LLVMPointerType>(kernel.getArgument(i).getType()))
      kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                        builder.getUnitAttr());
}

/// The kernel's arguments: a descriptor (allocated, aligned, offset, extents,
/// strides) for each buffer, then its sizes. Only the output's extents are
/// read.
SmallVector<Value> EntryPoints::unpack(const Manifest &manifest,
                                       const Stage &stage,
                                       const Parameters &parameters) {
  auto strideOf = [&](size_t argument, size_t dim) {
    for (auto [index, size] : llvm::enumerate(stage.sizes))
      if (size.kind == SizeRef::Stride &&
          size.index == static_cast<int32_t>(argument) &&
          size.dim == static_cast<int32_t>(dim))
        return parameters.size(index);
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
        return parameters.size(index);
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
    addDescriptor(values, parameters.pointer(number));
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
      values.push_back(parameters.size(index));
  return values;
}

/// Without a manifest an argument is a buffer of rank 1 or an integer, and
/// takes one word: a pointer, i64 or i32.
FailureOr<SmallVector<Type>> EntryPoints::getWords(LLVM::LLVMFuncOp kernel) {
  const Type descriptor[] = {pointer, pointer, i64, i64, i64};
  SmallVector<Type> words;
  ArrayRef<Type> rest = kernel.getArgumentTypes();
  if (!isOnGPU(kernel))
    rest = rest.drop_back(); // The emulated thread.
  while (!rest.empty()) {
    bool isBuffer =
        rest.take_front(std::size(descriptor)) == ArrayRef(descriptor);
    if (!isBuffer && rest.front() != i64 && rest.front() != i32)
      return kernel.emitError("of a library takes arguments other than buffers "
                              "of rank 1, indices and integers");
    words.push_back(rest.front());
    rest = rest.drop_front(isBuffer ? std::size(descriptor) : 1);
  }
  return words;
}

void EntryPoints::beginHostEntry(LLVM::LLVMFuncOp kernel, StringRef name) {
  builder.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(module.getContext()), {pointer, pointer});
  entry = LLVM::LLVMFuncOp::create(builder, loc, (name + "_entry").str(), type,
                                   LLVM::Linkage::Internal);
  builder.setInsertionPointToStart(entry.addEntryBlock(builder));
}

/// The entry takes the kernel's name, and what makes it a kernel.
void EntryPoints::beginGPUEntry(LLVM::LLVMFuncOp kernel, ArrayRef<Type> words,
                                int32_t blockThreads) {
  std::string name = kernel.getName().str();
  kernel.setName(name + "_body");
  kernel.setAlwaysInline(true); // Then loads see the entry's noalias.
  for (StringRef attr : {NVVM::NVVMDialect::getKernelFuncAttrName(),
                         NVVM::NVVMDialect::getMaxntidAttrName(),
                         gpu::GPUDialect::getKernelFuncAttrName()})
    kernel->removeAttr(attr);
  builder.setInsertionPoint(kernel);
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(module.getContext()), words);
  entry = LLVM::LLVMFuncOp::create(builder, loc, name, type);
  entry->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                 builder.getUnitAttr());
  entry->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                 builder.getDenseI32ArrayAttr({blockThreads, 1, 1}));
  entry->setAttr(
      NVVM::NVVMDialect::getMinctasmAttrName(),
      builder.getI32IntegerAttr(std::max(residentThreads / blockThreads, 1)));
  builder.setInsertionPointToStart(entry.addEntryBlock(builder));
  restrict(entry);
}

LogicalResult EntryPoints::callKernel(LLVM::LLVMFuncOp kernel,
                                      ArrayRef<Value> values) {
  if (values.size() != kernel.getNumArguments())
    return kernel.emitError("takes ")
           << kernel.getNumArguments() << " values, its manifest says "
           << values.size();
  LLVM::CallOp::create(builder, loc, kernel, values);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  kernel.setLinkage(LLVM::Linkage::Internal);
  return success();
}

LogicalResult EntryPoints::callDeviceKernel(LLVM::LLVMFuncOp kernel,
                                            SmallVector<Value> values) {
  if (!isOnGPU(kernel))
    values.push_back(entry.getArgument(1)); // The emulated thread.
  return callKernel(kernel, values);
}

/// A parameter of a device kernel: its own, or in the emulator's array.
Value EntryPoints::wordOf(LLVM::LLVMFuncOp kernel, Type type, size_t index) {
  return isOnGPU(kernel) ? entry.getArgument(index)
                         : loadElement(entry.getArgument(0), type, index);
}

/// The item of the batch that this thread works on.
Value EntryPoints::itemOf(LLVM::LLVMFuncOp kernel) {
  // tsgu_emulated_thread begins with thread[3], block[3].
  Value item = isOnGPU(kernel)
                   ? NVVM::BlockIdYOp::create(builder, loc, i32).getResult()
                   : loadElement(entry.getArgument(1), i32, 4);
  return LLVM::ZExtOp::create(builder, loc, i64, item);
}

/// The words of a stage: pointers, for each of them the bytes from one item to
/// the next, sizes.
Parameters EntryPoints::getDeviceParameters(LLVM::LLVMFuncOp kernel,
                                            size_t pointers) {
  Value item = itemOf(kernel);
  return {
      [=, this](size_t i) -> Value {
        Value bytes = LLVM::MulOp::create(builder, loc, item,
                                          wordOf(kernel, i64, pointers + i));
        return LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(),
                                   wordOf(kernel, pointer, i),
                                   ArrayRef<LLVM::GEPArg>{bytes});
      },
      [=, this](size_t i) { return wordOf(kernel, i64, 2 * pointers + i); }};
}

void EntryPoints::listDeviceKernel(LLVM::LLVMFuncOp kernel, StringRef name,
                                   int32_t blockThreads) {
  auto bytes = kernel->getAttrOfType<IntegerAttr>(workgroupBytesAttr);
  deviceKernels.push_back(builder.getDictionaryAttr(
      {builder.getNamedAttr("name", builder.getStringAttr(name)),
       builder.getNamedAttr("block_threads",
                            builder.getI32IntegerAttr(blockThreads)),
       builder.getNamedAttr(
           "workgroup_bytes",
           builder.getI32IntegerAttr(bytes ? bytes.getInt() : 0))}));
}

LogicalResult EntryPoints::emitStage(const Manifest &manifest,
                                     const Stage &stage) {
  bool onDevice = stage.device.blockThreads > 0;
  LLVM::LLVMFuncOp kernel;
  if (!onDevice)
    kernel = module.lookupSymbol<LLVM::LLVMFuncOp>(stage.name);
  for (LLVM::LLVMFuncOp candidate : getDeviceKernels(module))
    if (onDevice && candidate.getName() == stage.name)
      kernel = candidate;
  if (!kernel)
    return module.emitError("has no lowered kernel @") << stage.name;
  if (!onDevice) {
    restrict(kernel);
    beginHostEntry(kernel, stage.name);
    Value pointers = entry.getArgument(0), sizes = entry.getArgument(1);
    return callKernel(
        kernel,
        unpack(manifest, stage,
               {[&](size_t i) { return loadElement(pointers, pointer, i); },
                [&](size_t i) { return loadElement(sizes, i64, i); }}));
  }
  size_t pointers = stage.arguments.size();
  listDeviceKernel(kernel, stage.name, stage.device.blockThreads);
  if (isOnGPU(kernel)) {
    SmallVector<Type> words(2 * pointers + stage.sizes.size(), i64);
    std::fill_n(words.begin(), pointers, pointer);
    beginGPUEntry(kernel, words, stage.device.blockThreads);
    for (auto [i, argument] : llvm::enumerate(stage.arguments))
      if (!argument.written)
        entry.setArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName(),
                         builder.getUnitAttr());
  } else {
    beginHostEntry(kernel, stage.name);
  }
  return callDeviceKernel(
      kernel, unpack(manifest, stage, getDeviceParameters(kernel, pointers)));
}

/// How many threads a block has, as the kernel's author declared.
static FailureOr<int32_t> getBlockThreads(LLVM::LLVMFuncOp kernel) {
  if (auto extents = kernel->getAttrOfType<DenseI32ArrayAttr>(
          NVVM::NVVMDialect::getMaxntidAttrName()))
    return extents[0];
  if (auto threads = kernel->getAttrOfType<IntegerAttr>(blockThreadsAttr))
    return static_cast<int32_t>(threads.getInt());
  return kernel.emitError("of a library has no 'known_block_size'");
}

LogicalResult EntryPoints::emitLibraryKernel(LLVM::LLVMFuncOp kernel) {
  FailureOr<int32_t> blockThreads = getBlockThreads(kernel);
  FailureOr<SmallVector<Type>> words = getWords(kernel);
  if (failed(blockThreads) || failed(words))
    return failure();
  listDeviceKernel(kernel, kernel.getName(), *blockThreads);
  if (isOnGPU(kernel)) {
    SmallVector<Type> types(*words);
    llvm::replace(types, i32, i64);
    beginGPUEntry(kernel, types, *blockThreads);
  } else {
    beginHostEntry(kernel, kernel.getName());
  }
  SmallVector<Value> values;
  for (auto [i, type] : llvm::enumerate(*words)) {
    Value word = wordOf(kernel, type == i32 ? i64 : type, i);
    if (type == pointer) {
      addDescriptor(values, word);
      values.append({constant(0), constant(1)});
    } else if (type == i32) {
      values.push_back(LLVM::TruncOp::create(builder, loc, i32, word));
    } else {
      values.push_back(word);
    }
  }
  return callDeviceKernel(kernel, std::move(values));
}

void EntryPoints::finish() {
  if (!deviceKernels.empty())
    module->setAttr(deviceKernelsAttr, builder.getArrayAttr(deviceKernels));
}

LogicalResult EntryPoints::emit(const Manifest &manifest) {
  for (const Stage &stage : manifest.stages)
    if (stage.isKernel() && failed(emitStage(manifest, stage)))
      return failure();
  finish();
  return success();
}

LogicalResult EntryPoints::emitLibrary() {
  for (LLVM::LLVMFuncOp kernel : getDeviceKernels(module))
    if (failed(emitLibraryKernel(kernel)))
      return failure();
  finish();
  return success();
}

namespace {

struct EmitEntryPoints : tsgu::impl::EmitEntryPointsBase<EmitEntryPoints> {
  void runOnOperation() override {
    EntryPoints entries(getOperation());
    bool isLibrary = !getOperation()->hasAttr(manifestAttr) &&
                     !getDeviceKernels(getOperation()).empty();
    if (isLibrary) {
      if (failed(entries.emitLibrary()))
        signalPassFailure();
      return;
    }
    FailureOr<Manifest> manifest = getManifest(getOperation());
    if (failed(manifest) || failed(entries.emit(*manifest)))
      signalPassFailure();
  }
};

} // namespace
