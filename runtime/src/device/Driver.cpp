//===- Driver.cpp - libcuda, opened when a GPU is first asked for ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/Driver.h"
#include "base/Parallel.h"
#include "tsgu/Error.h"

#include <atomic>
#include <cstdlib>
#include <memory>

#include <dlfcn.h>

namespace tsgu::runtime {
namespace {

using Library = std::unique_ptr<void, int (*)(void *)>;

Library openLibrary(const char *file) {
  Library library(dlopen(file, RTLD_NOW | RTLD_LOCAL), dlclose);
  if (!library) {
    const char *reason = dlerror();
    fail(Status::Device, "there is no NVIDIA driver: ", reason ? reason : file,
         "; install the driver, whose libcuda.so.1 the loader must find, or "
         "name the file with TSGU_LIBCUDA, or compute on the CPU");
  }
  return library;
}

void *requiredSymbol(void *library, const char *file, const char *symbol) {
  void *address = dlsym(library, symbol);
  if (!address)
    fail(Status::Device, "the NVIDIA driver ", file, " has no function ",
         symbol, "; install a driver for CUDA 11 or later");
  return address;
}

Driver functionsOf(void *library, const char *file) {
  Driver driver;
#define TSGU_REQUIRED(FUNCTION, SYMBOL, ...)                                   \
  driver.FUNCTION = reinterpret_cast<decltype(driver.FUNCTION)>(               \
      requiredSymbol(library, file, SYMBOL));
#define TSGU_OPTIONAL(FUNCTION, SYMBOL, ...)                                   \
  driver.FUNCTION =                                                            \
      reinterpret_cast<decltype(driver.FUNCTION)>(dlsym(library, SYMBOL));
  TSGU_DRIVER_FUNCTIONS(TSGU_REQUIRED, TSGU_OPTIONAL)
#undef TSGU_REQUIRED
#undef TSGU_OPTIONAL
  return driver;
}

/// How to mend what the driver's own words leave open.
const char *remedy(int result) {
  if (result >= CudaFirstCaptureError && result <= CudaLastCaptureError)
    return "; this cannot be recorded into a graph: run the operation once "
           "before the capture begins";
  switch (result) {
  case CudaNotInitialized:
    return "; a forked process cannot use CUDA that its parent has used: "
           "spawn it instead";
  case CudaNoDevice:
    return "; see what nvidia-smi lists and CUDA_VISIBLE_DEVICES hides";
  case CudaNoJitCompiler:
    return "; the driver's libnvidia-ptxjitcompiler.so.1 is missing: a "
           "container needs all of the driver's libraries for compute";
  case CudaJitDisabled:
    return "; unset CUDA_DISABLE_PTX_JIT and CUDA_FORCE_JIT";
  case CudaUnsupportedPtx:
    return "; install a newer driver";
  default:
    return "";
  }
}

} // namespace

const Driver &libcuda() {
  static std::atomic<const Driver *> opened{nullptr};
  if (const Driver *driver = opened.load(std::memory_order_acquire))
    return *driver;
  std::lock_guard<std::recursive_mutex> lock(processLock());
  if (const Driver *driver = opened.load())
    return *driver;
  const char *named = secure_getenv("TSGU_LIBCUDA");
  const char *file = named && *named ? named : "libcuda.so.1";
  Library library = openLibrary(file);
  const Driver *driver = new Driver(functionsOf(library.get(), file));
  [[maybe_unused]] static void *const openForEver = library.release();
  opened.store(driver, std::memory_order_release);
  return *driver;
}

void failCall(const Driver &driver, int result, const char *call,
              const std::string &details) {
  const char *name = nullptr, *text = nullptr;
  if (driver.cuGetErrorName(result, &name) != CudaSuccess)
    name = nullptr;
  if (driver.cuGetErrorString(result, &text) != CudaSuccess)
    text = nullptr;
  fail(result == CudaOutOfMemory ? Status::OutOfMemory : Status::Device, call,
       details.empty() ? "" : " ", details,
       " failed: ", name ? name : "CUDA error " + std::to_string(result),
       text ? ": " : "", text ? text : "", remedy(result));
}

} // namespace tsgu::runtime
