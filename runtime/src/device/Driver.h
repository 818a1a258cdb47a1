//===- Driver.h - Functions of the CUDA driver ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The driver API as a table, with the types of cuda.h under names of our own:
// handles are pointers, enumerations int, a CUdeviceptr 64 bits.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DEVICE_DRIVER_H
#define TSGU_SRC_DEVICE_DRIVER_H

#include <cstddef>
#include <string>

namespace tsgu::runtime {

using CudaContext = struct CudaContextObject *;
using CudaModule = struct CudaModuleObject *;
using CudaFunction = struct CudaFunctionObject *;
using CudaStream = struct CudaStreamObject *;
using CudaPointer = unsigned long long;

/// Values of cuda.h.
enum CudaResult : int {
  CudaSuccess = 0,
  CudaInvalidValue = 1,
  CudaOutOfMemory = 2,
  CudaNotInitialized = 3,
  CudaNoDevice = 100,
  CudaNoJitCompiler = 221,
  CudaUnsupportedPtx = 222,
  CudaJitDisabled = 223,
  CudaNotFound = 500,
  CudaIllegalAddress = 700,
  CudaLaunchFailed = 719,
  CudaFirstCaptureError = 900,
  CudaLastCaptureError = 909
};
enum CudaAttribute : int {
  CudaMultiprocessorCount = 16,
  CudaCapabilityMajor = 75,
  CudaCapabilityMinor = 76
};
enum CudaCaptureMode : int { CudaCaptureRelaxed = 2 };
enum CudaJitOption : int { CudaErrorLog = 5, CudaErrorLogBytes = 6 };
/// Keys of cuLaunchKernel's last argument.
inline void *const CudaLaunchEnd = nullptr;
inline void *const CudaLaunchBuffer = reinterpret_cast<void *>(1);
inline void *const CudaLaunchBufferBytes = reinterpret_cast<void *>(2);

/// Every function with its symbol in libcuda and its parameters; drivers before
/// CUDA 12 lack the optional ones.
#define TSGU_DRIVER_FUNCTIONS(REQUIRED, OPTIONAL)                              \
  REQUIRED(cuInit, "cuInit", unsigned flags)                                   \
  REQUIRED(cuDriverGetVersion, "cuDriverGetVersion", int *version)             \
  REQUIRED(cuGetErrorName, "cuGetErrorName", int result, const char **name)    \
  REQUIRED(cuGetErrorString, "cuGetErrorString", int result,                   \
           const char **text)                                                  \
  REQUIRED(cuDeviceGetCount, "cuDeviceGetCount", int *count)                   \
  REQUIRED(cuDeviceGet, "cuDeviceGet", int *device, int number)                \
  REQUIRED(cuDeviceGetAttribute, "cuDeviceGetAttribute", int *value,           \
           int attribute, int device)                                          \
  REQUIRED(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain",               \
           CudaContext *context, int device)                                   \
  REQUIRED(cuCtxGetCurrent, "cuCtxGetCurrent", CudaContext *context)           \
  REQUIRED(cuCtxSetCurrent, "cuCtxSetCurrent", CudaContext context)            \
  REQUIRED(cuCtxGetDevice, "cuCtxGetDevice", int *device)                      \
  OPTIONAL(cuCtxGetId, "cuCtxGetId", CudaContext context,                      \
           unsigned long long *id)                                             \
  REQUIRED(cuModuleLoadDataEx, "cuModuleLoadDataEx", CudaModule *module,       \
           const void *image, unsigned options, int *keys, void **values)      \
  REQUIRED(cuModuleUnload, "cuModuleUnload", CudaModule module)                \
  REQUIRED(cuModuleGetFunction, "cuModuleGetFunction", CudaFunction *function, \
           CudaModule module, const char *name)                                \
  OPTIONAL(cuFuncLoad, "cuFuncLoad", CudaFunction function)                    \
  REQUIRED(cuLaunchKernel, "cuLaunchKernel", CudaFunction function,            \
           unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,    \
           unsigned blockY, unsigned blockZ, unsigned sharedBytes,             \
           CudaStream stream, void **parameters, void **extra)                 \
  REQUIRED(cuMemAlloc, "cuMemAlloc_v2", CudaPointer *pointer, size_t bytes)    \
  REQUIRED(cuMemFree, "cuMemFree_v2", CudaPointer pointer)                     \
  REQUIRED(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", void *to,                \
           CudaPointer from, size_t bytes, CudaStream stream)                  \
  REQUIRED(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", CudaPointer to,          \
           const void *from, size_t bytes, CudaStream stream)                  \
  REQUIRED(cuMemsetD32Async, "cuMemsetD32Async", CudaPointer to,               \
           unsigned word, size_t words, CudaStream stream)                     \
  REQUIRED(cuStreamSynchronize, "cuStreamSynchronize", CudaStream stream)      \
  REQUIRED(cuStreamIsCapturing, "cuStreamIsCapturing", CudaStream stream,      \
           int *status)                                                        \
  REQUIRED(cuThreadExchangeStreamCaptureMode,                                  \
           "cuThreadExchangeStreamCaptureMode", int *mode)

struct Driver {
#define TSGU_FUNCTION(FUNCTION, SYMBOL, ...)                                   \
  int (*FUNCTION)(__VA_ARGS__) = nullptr;
  TSGU_DRIVER_FUNCTIONS(TSGU_FUNCTION, TSGU_FUNCTION)
#undef TSGU_FUNCTION
  /// Modules are loaded from a tsgu_object instead of its image.
  bool isEmulator = false;
};

/// libcuda.so.1, or the file that TSGU_LIBCUDA names, opened with the first
/// call that succeeds. Throws Status::Device, saying what is missing.
const Driver &libcuda();

/// Throws what the driver says about a result of `call` (and, where not empty,
/// `details`), OutOfMemory or Device.
[[noreturn]] void failCall(const Driver &driver, int result, const char *call,
                           const std::string &details = {});

inline void check(const Driver &driver, int result, const char *call) {
  if (result != CudaSuccess) [[unlikely]]
    failCall(driver, result, call);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_DEVICE_DRIVER_H
