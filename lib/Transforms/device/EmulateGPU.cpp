//===- EmulateGPU.cpp - Device kernels for one thread of the host ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A gpu.func becomes a function that does what one thread of the grid does.
// Special registers are read from the tsgu_emulated_thread
// (CompilerInterface.h) that is its last argument; what concerns other threads,
// and the check of each access to memory, are calls through its function
// pointers.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tsgu {
#define GEN_PASS_DEF_EMULATEGPU
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

static constexpr int32_t warpSize = 32;
static constexpr int64_t workgroupAlignment = 16;

namespace {

/// The fields of tsgu_emulated_thread.
enum Field : int32_t {
  Thread,
  BlockIndex,
  BlockExtent,
  GridExtent,
  Workgroup,
  Barrier,
  Shuffle,
  AccessCheck
};

enum AccessKind : int32_t { Load, Store, Atomic };

/// An access to memory: `bytes` at memref[indices].
struct Access {
  Value memref;
  ValueRange indices;
  int64_t bytes;
  AccessKind kind;
};

/// Turns one kernel into a function.
class Emulation {
public:
  explicit Emulation(gpu::GPUFuncOp kernel)
      : kernel(kernel), builder(kernel.getContext()), loc(kernel.getLoc()),
        pointer(LLVM::LLVMPointerType::get(builder.getContext())),
        i32(builder.getI32Type()), i64(builder.getI64Type()) {
    auto three = LLVM::LLVMArrayType::get(i32, 3);
    threadType = LLVM::LLVMStructType::getLiteral(
        builder.getContext(),
        {three, three, three, three, pointer, pointer, pointer, pointer});
  }

  /// Adds the function to the end of the module.
  LogicalResult run(ModuleOp module);

private:
  void makeFunction(ModuleOp module);
  void placeWorkgroupMemory(ArrayRef<BlockArgument> attributions);
  void placePrivateMemory(ArrayRef<BlockArgument> attributions);
  void forgetMemorySpaces();
  LogicalResult rewrite(Operation *op);
  void checkAccess(Operation *op, const Access &access);
  void rewriteShuffle(gpu::ShuffleOp op);

  Value addressOf(Field field, int32_t dim = -1);
  Value loadField(Field field, Type type, int32_t dim = -1) {
    return LLVM::LoadOp::create(builder, loc, type, addressOf(field, dim));
  }
  Value index(Value word) {
    return arith::IndexCastUIOp::create(builder, loc, builder.getIndexType(),
                                        word);
  }
  Value word(int32_t value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI32IntegerAttr(value));
  }
  Value long_(int64_t value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI64IntegerAttr(value));
  }
  /// The number of the thread in its block.
  Value linearThread();
  Value call(Value function, Type result, ValueRange arguments);

  gpu::GPUFuncOp kernel;
  func::FuncOp function;
  OpBuilder builder;
  Location loc;
  Type pointer, i32, i64, threadType;
  Value self, accessCheck, isChecked;
  int64_t workgroupBytes = 0;
};

} // namespace

Value Emulation::addressOf(Field field, int32_t dim) {
  SmallVector<LLVM::GEPArg> path{0, static_cast<int32_t>(field)};
  if (dim >= 0)
    path.push_back(dim);
  return LLVM::GEPOp::create(builder, loc, pointer, threadType, self, path);
}

Value Emulation::linearThread() {
  Value number = loadField(Thread, i32, 2);
  for (int32_t dim : {1, 0}) {
    number = arith::MulIOp::create(builder, loc, number,
                                   loadField(BlockExtent, i32, dim));
    number = arith::AddIOp::create(builder, loc, number,
                                   loadField(Thread, i32, dim));
  }
  return number;
}

Value Emulation::call(Value callee, Type result, ValueRange arguments) {
  SmallVector<Value> operands{callee};
  llvm::append_range(operands, arguments);
  auto type = LLVM::LLVMFunctionType::get(
      result, llvm::to_vector(arguments.getTypes()));
  auto op = LLVM::CallOp::create(builder, loc, type, operands);
  return op.getNumResults() ? op.getResult() : Value();
}

void Emulation::makeFunction(ModuleOp module) {
  SmallVector<Type> types(kernel.getArgumentTypes());
  types.push_back(pointer);
  builder.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(builder, loc, kernel.getName(),
                                  builder.getFunctionType(types, {}));
  function.getBody().takeBody(kernel.getBody());
  Block *entry = &function.getBody().front();
  self = entry->insertArgument(types.size() - 1, pointer, loc);
  builder.setInsertionPointToStart(entry);
  accessCheck = loadField(AccessCheck, pointer);
  isChecked =
      LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, accessCheck,
                           LLVM::ZeroOp::create(builder, loc, pointer));
}

/// Of a scalar or vector.
static int64_t bytesOf(Type type) {
  int64_t elements = 1;
  if (auto vector = dyn_cast<VectorType>(type))
    elements = vector.getNumElements();
  Type element = getElementTypeOrSelf(type);
  unsigned bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  return llvm::divideCeil(elements * bits, 8);
}

/// A type without the memory space of a device.
static MemRefType onHost(MemRefType type) {
  return MemRefType::get(type.getShape(), type.getElementType(),
                         type.getLayout());
}

/// Cuts the memory of the workgroup into pieces, as descriptors.
void Emulation::placeWorkgroupMemory(ArrayRef<BlockArgument> attributions) {
  LLVMTypeConverter converter(builder.getContext());
  for (BlockArgument attribution : attributions) {
    auto type = onHost(cast<MemRefType>(attribution.getType()));
    Value memory = LLVM::GEPOp::create(
        builder, loc, pointer, builder.getI8Type(),
        loadField(Workgroup, pointer),
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(workgroupBytes)});
    Value descriptor = MemRefDescriptor::fromStaticShape(
        builder, loc, converter, type, memory);
    attribution.replaceAllUsesWith(
        UnrealizedConversionCastOp::create(builder, loc, type, descriptor)
            .getResult(0));
    workgroupBytes +=
        llvm::alignTo(type.getNumElements() * bytesOf(type.getElementType()),
                      workgroupAlignment);
  }
}

void Emulation::placePrivateMemory(ArrayRef<BlockArgument> attributions) {
  for (BlockArgument attribution : attributions)
    attribution.replaceAllUsesWith(memref::AllocaOp::create(
        builder, loc, onHost(cast<MemRefType>(attribution.getType()))));
}

void Emulation::forgetMemorySpaces() {
  AttrTypeReplacer replacer;
  replacer.addReplacement([](MemRefType type) { return onHost(type); });
  replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

static std::optional<Access> getAccess(Operation *op) {
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return Access{load.getMemRef(), load.getIndices(), bytesOf(load.getType()),
                  Load};
  if (auto store = dyn_cast<memref::StoreOp>(op))
    return Access{store.getMemRef(), store.getIndices(),
                  bytesOf(store.getValueToStore().getType()), Store};
  if (auto load = dyn_cast<vector::LoadOp>(op))
    return Access{load.getBase(), load.getIndices(),
                  bytesOf(load.getVectorType()), Load};
  if (auto store = dyn_cast<vector::StoreOp>(op))
    return Access{store.getBase(), store.getIndices(),
                  bytesOf(store.getVectorType()), Store};
  if (auto atomic = dyn_cast<memref::AtomicRMWOp>(op))
    return Access{atomic.getMemref(), atomic.getIndices(),
                  bytesOf(atomic.getType()), Atomic};
  return std::nullopt;
}

/// Tells `access` of it, if anyone wants to know.
void Emulation::checkAccess(Operation *op, const Access &access) {
  auto guard = scf::IfOp::create(builder, loc, isChecked);
  OpBuilder::InsertionGuard restore(builder);
  builder.setInsertionPointToStart(guard.thenBlock());
  auto type = cast<MemRefType>(access.memref.getType());
  auto metadata =
      memref::ExtractStridedMetadataOp::create(builder, loc, access.memref);
  Value offset = metadata.getOffset();
  for (auto [index, stride] :
       llvm::zip_equal(access.indices, metadata.getStrides()))
    offset = arith::AddIOp::create(
        builder, loc, offset,
        arith::MulIOp::create(builder, loc, index, stride));
  Value size = arith::ConstantIndexOp::create(builder, loc,
                                              bytesOf(type.getElementType()));
  offset = arith::MulIOp::create(builder, loc, offset, size);
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc,
                                                              access.memref);
  Value address = arith::IndexCastOp::create(
      builder, loc, i64, arith::AddIOp::create(builder, loc, base, offset));
  call(accessCheck, LLVM::LLVMVoidType::get(builder.getContext()),
       {self, LLVM::IntToPtrOp::create(builder, loc, pointer, address),
        long_(access.bytes), word(access.kind)});
}

/// The result is valid if it was read from a lane of the group.
void Emulation::rewriteShuffle(gpu::ShuffleOp op) {
  using P = arith::CmpIPredicate;
  Value operand = op.getOffset(), width = op.getWidth();
  Type type = op.getValue().getType();
  Value value = op.getValue();
  if (type != i32)
    value = arith::BitcastOp::create(builder, loc, i32, value);
  value = call(
      loadField(Shuffle, pointer), i32,
      {self, value, operand, width, word(static_cast<int32_t>(op.getMode()))});
  if (type != i32)
    value = arith::BitcastOp::create(builder, loc, type, value);
  Value lane = arith::RemUIOp::create(builder, loc, linearThread(), width);
  Value source = operand;
  if (op.getMode() == gpu::ShuffleMode::XOR)
    source = arith::XOrIOp::create(builder, loc, lane, operand);
  else if (op.getMode() == gpu::ShuffleMode::UP)
    source = arith::SubIOp::create(builder, loc, lane, operand);
  else if (op.getMode() == gpu::ShuffleMode::DOWN)
    source = arith::AddIOp::create(builder, loc, lane, operand);
  Value valid = arith::CmpIOp::create(builder, loc, P::ult, source, width);
  op.replaceAllUsesWith(ValueRange{value, valid});
}

LogicalResult Emulation::rewrite(Operation *op) {
  loc = op->getLoc();
  builder.setInsertionPoint(op);
  auto replaceBy = [&](Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
    return success();
  };
  auto replaceByField = [&](Field field, gpu::Dimension dim) {
    return replaceBy(index(loadField(field, i32, static_cast<int32_t>(dim))));
  };
  if (auto id = dyn_cast<gpu::ThreadIdOp>(op))
    return replaceByField(Thread, id.getDimension());
  if (auto id = dyn_cast<gpu::BlockIdOp>(op))
    return replaceByField(BlockIndex, id.getDimension());
  if (auto extent = dyn_cast<gpu::BlockDimOp>(op))
    return replaceByField(BlockExtent, extent.getDimension());
  if (auto extent = dyn_cast<gpu::GridDimOp>(op))
    return replaceByField(GridExtent, extent.getDimension());
  if (isa<gpu::LaneIdOp>(op))
    return replaceBy(index(
        arith::RemUIOp::create(builder, loc, linearThread(), word(warpSize))));
  if (isa<gpu::SubgroupIdOp>(op))
    return replaceBy(index(
        arith::DivUIOp::create(builder, loc, linearThread(), word(warpSize))));
  if (isa<gpu::SubgroupSizeOp>(op))
    return replaceBy(arith::ConstantIndexOp::create(builder, loc, warpSize));
  if (isa<gpu::BarrierOp>(op)) {
    call(loadField(Barrier, pointer),
         LLVM::LLVMVoidType::get(builder.getContext()), self);
    op->erase();
    return success();
  }
  if (auto shuffle = dyn_cast<gpu::ShuffleOp>(op)) {
    rewriteShuffle(shuffle);
    op->erase();
    return success();
  }
  if (isa<gpu::ReturnOp>(op)) {
    func::ReturnOp::create(builder, loc);
    op->erase();
    return success();
  }
  if (std::optional<Access> access = getAccess(op)) {
    checkAccess(op, *access);
    return success();
  }
  bool hidesAccess = isa<MemoryEffectOpInterface>(op) &&
                     !isa<memref::AllocaOp>(op) && !isMemoryEffectFree(op);
  if (isa<gpu::GPUDialect>(op->getDialect()) || hidesAccess)
    return op->emitError("cannot be emulated");
  return success();
}

LogicalResult Emulation::run(ModuleOp module) {
  SmallVector<BlockArgument> workgroup(kernel.getWorkgroupAttributions());
  SmallVector<BlockArgument> privates(kernel.getPrivateAttributions());
  auto blockSize = kernel.getKnownBlockSize();
  SmallVector<Operation *> ops;
  kernel.walk([&](Operation *op) {
    if (op != kernel)
      ops.push_back(op);
  });
  makeFunction(module);
  placeWorkgroupMemory(workgroup);
  placePrivateMemory(privates);
  Block *entry = &function.getBody().front();
  unsigned count = function.getFunctionType().getNumInputs();
  entry->eraseArguments(count, entry->getNumArguments() - count);
  forgetMemorySpaces();
  for (Operation *op : ops)
    if (failed(rewrite(op)))
      return failure();
  function->setAttr(workgroupBytesAttr,
                    builder.getI32IntegerAttr(workgroupBytes));
  if (blockSize)
    function->setAttr(blockThreadsAttr,
                      builder.getI32IntegerAttr((*blockSize)[0]));
  return success();
}

namespace {

struct EmulateGPU : tsgu::impl::EmulateGPUBase<EmulateGPU> {
  void runOnOperation() override {
    SmallVector<gpu::GPUModuleOp> devices(
        getOperation().getOps<gpu::GPUModuleOp>());
    for (gpu::GPUModuleOp device : devices) {
      for (auto kernel :
           llvm::make_early_inc_range(device.getOps<gpu::GPUFuncOp>()))
        if (failed(Emulation(kernel).run(getOperation())))
          return signalPassFailure();
      device.erase();
    }
  }
};

} // namespace
