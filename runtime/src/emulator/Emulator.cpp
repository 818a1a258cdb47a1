//===- Emulator.cpp - A CUDA driver that computes on the host -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/EmulatorLibrary.h"
#include "emulator/EmulatedBlock.h"
#include "emulator/EmulatorChecks.h"
#include "tsgu/Error.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tsgu::runtime {
namespace {

/// What this thread's last launch found wrong.
thread_local EmulatorFault lastFault;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

int errorName(int result, const char **name) {
  switch (result) {
  case CudaInvalidValue:
    *name = "CUDA_ERROR_INVALID_VALUE";
    return CudaSuccess;
  case CudaOutOfMemory:
    *name = "CUDA_ERROR_OUT_OF_MEMORY";
    return CudaSuccess;
  case CudaNotFound:
    *name = "CUDA_ERROR_NOT_FOUND";
    return CudaSuccess;
  case CudaIllegalAddress:
    *name = "CUDA_ERROR_ILLEGAL_ADDRESS";
    return CudaSuccess;
  case CudaLaunchFailed:
    *name = "CUDA_ERROR_LAUNCH_FAILED";
    return CudaSuccess;
  default:
    return CudaInvalidValue;
  }
}

int errorString(int result, const char **text) {
  if (result != lastFault.result)
    return CudaInvalidValue;
  *text = lastFault.text;
  return CudaSuccess;
}

//===----------------------------------------------------------------------===//
// The device and its context
//===----------------------------------------------------------------------===//

CudaContext onlyContext() {
  static char context;
  return reinterpret_cast<CudaContext>(&context);
}

int currentContext(CudaContext *context) {
  *context = onlyContext();
  return CudaSuccess;
}

int contextDevice(int *device) {
  *device = 0;
  return CudaSuccess;
}

int isCapturing(CudaStream, int *status) {
  *status = 0;
  return CudaSuccess;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

int loadModule(CudaModule *module, const void *object, unsigned, int *,
               void **) {
  *module = static_cast<CudaModule>(const_cast<void *>(object));
  return CudaSuccess;
}

int findFunction(CudaFunction *function, CudaModule module, const char *name) {
  const auto &object = *reinterpret_cast<const tsgu_object *>(module);
  for (uint64_t k = 0; k < object.kernel_count; ++k)
    if (std::strcmp(object.device_kernels[k].name, name) == 0) {
      auto *kernel = const_cast<tsgu_device_kernel *>(object.device_kernels);
      *function = reinterpret_cast<CudaFunction>(kernel + k);
      return CudaSuccess;
    }
  return CudaNotFound;
}

const uint64_t *wordsOf(void **extra) {
  for (; extra && *extra != CudaLaunchEnd; extra += 2)
    if (*extra == CudaLaunchBuffer)
      return static_cast<const uint64_t *>(extra[1]);
  return nullptr;
}

/// The host's memory ran out, which the driver's API has a number for.
int outOfMemory(const char *text) noexcept {
  lastFault.result = CudaOutOfMemory;
  std::snprintf(lastFault.text, sizeof(lastFault.text), "%s", text);
  return CudaOutOfMemory;
}

int launchKernel(CudaFunction function, unsigned gridX, unsigned gridY,
                 unsigned gridZ, unsigned blockX, unsigned blockY,
                 unsigned blockZ, unsigned, CudaStream, void **,
                 void **extra) noexcept {
  static thread_local std::unique_ptr<EmulatedBlock> block;
  const auto &kernel = *reinterpret_cast<const tsgu_device_kernel *>(function);
  lastFault.result = CudaSuccess;
  if (gridZ != 1 || blockY != 1 || blockZ != 1 || blockX == 0 ||
      blockX != kernel.block_threads || blockX > EmulatedBlock::maxThreads)
    return CudaInvalidValue;
  try {
    if (!block)
      block = std::make_unique<EmulatedBlock>();
    block->run(kernel, wordsOf(extra), gridX, gridY, currentChecks(),
               lastFault);
    return lastFault.result;
  } catch (const Error &error) {
    return outOfMemory(error.what());
  } catch (const std::bad_alloc &) {
    return outOfMemory("out of memory");
  }
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

template <typename T> T *hostAddress(CudaPointer pointer) {
  return reinterpret_cast<T *>(static_cast<uintptr_t>(pointer));
}

int allocate(CudaPointer *pointer, size_t bytes) {
  // As devices align; what can be addressed at all is for malloc to say.
  constexpr size_t alignment = 256;
  if (bytes > SIZE_MAX - alignment)
    return outOfMemory("out of memory");
  void *memory = std::aligned_alloc(alignment, (bytes + alignment - 1) /
                                                   alignment * alignment);
  if (!memory)
    return outOfMemory("out of memory");
  *pointer = reinterpret_cast<uintptr_t>(memory);
  return CudaSuccess;
}

Driver makeDriver() {
  Driver driver;
  driver.isEmulator = true;
  driver.cuGetErrorName = errorName;
  driver.cuGetErrorString = errorString;
  driver.cuCtxGetCurrent = currentContext;
  driver.cuCtxGetDevice = contextDevice;
  driver.cuStreamIsCapturing = isCapturing;
  driver.cuThreadExchangeStreamCaptureMode = [](int *) -> int {
    return CudaSuccess;
  };
  driver.cuModuleLoadDataEx = loadModule;
  driver.cuModuleUnload = [](CudaModule) -> int { return CudaSuccess; };
  driver.cuModuleGetFunction = findFunction;
  driver.cuLaunchKernel = launchKernel;
  driver.cuMemAlloc = allocate;
  driver.cuMemFree = [](CudaPointer pointer) -> int {
    std::free(hostAddress<void>(pointer));
    return CudaSuccess;
  };
  driver.cuMemcpyDtoHAsync = [](void *to, CudaPointer from, size_t bytes,
                                CudaStream) -> int {
    std::memcpy(to, hostAddress<const void>(from), bytes);
    return CudaSuccess;
  };
  driver.cuMemcpyHtoDAsync = [](CudaPointer to, const void *from, size_t bytes,
                                CudaStream) -> int {
    std::memcpy(hostAddress<void>(to), from, bytes);
    return CudaSuccess;
  };
  driver.cuMemsetD32Async = [](CudaPointer to, unsigned word, size_t words,
                               CudaStream) -> int {
    std::fill_n(hostAddress<unsigned>(to), words, word);
    return CudaSuccess;
  };
  driver.cuStreamSynchronize = [](CudaStream) -> int { return CudaSuccess; };
  return driver;
}

} // namespace

} // namespace tsgu::runtime

extern "C" __attribute__((visibility("default")))
const tsgu::runtime::EmulatorLibrary *
tsgu_emulator() {
  using namespace tsgu::runtime;
  // Kept for ever: devices refer to the table until the process ends.
  static const Driver &driver = *new Driver(makeDriver());
  static const EmulatorLibrary library = {EmulatorLibrary::currentAbi, &driver,
                                          beginChecks, endChecks};
  return &library;
}
