//===- StandInCuda.cpp - A libcuda without a GPU --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Signatures are those of cuda.h, written down a second time.
//
//===----------------------------------------------------------------------===//

#include "StandInCuda.h"
#include "StandInCudaTypes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include <unistd.h>

using namespace tsgu::test;

//===----------------------------------------------------------------------===//
// Books
//===----------------------------------------------------------------------===//

namespace {

struct State {
  std::mutex mutex;
  pid_t process = 0; ///< Of cuInit.
  std::vector<const char *> calls;
  size_t failAt = 0;
  CUresult failWith = CUDA_SUCCESS;
  std::string failed;
  bool initialized = false, capturing = false;
  int version = 13000, major = 9, minor = 0;
  unsigned long long nextId = 1;
  std::map<CUdevice, CUcontext> primary;
  std::map<CUdevice, int> retained;
  std::set<CUcontext> contexts;
  std::set<void *> memory;
  std::set<CUmodule> modules;
  std::map<CUfunction, CUmodule> functions;
  std::vector<StandInLaunch> launches;
  void (*runner)(const StandInLaunch &) = nullptr;

  /// The end of a process gives everything back.
  ~State() {
    for (void *block : memory)
      std::free(block);
    for (auto [function, module] : functions)
      delete function;
    for (CUmodule module : modules)
      delete module;
    for (CUcontext context : contexts)
      delete context;
  }
};

State state;
constexpr int devices = 250;
thread_local CUcontext current = nullptr;
thread_local CUstreamCaptureMode captureMode = CU_STREAM_CAPTURE_MODE_GLOBAL;

CUcontext newContext(CUdevice device) {
  CUcontext context = new CUctx_st{device, state.nextId++};
  state.contexts.insert(context);
  return context;
}

/// Records a call and runs its body, with the books locked, unless it is the
/// one to fail or breaks a rule of all calls.
enum Needs {
  NoContext,
  AContext,
  NoCapture,    ///< Of the stream given; all record, or none does.
  NoCaptureSeen ///< Of any stream, unless the thread said that it knows.
};
template <typename F>
CUresult called(const char *symbol, Needs needs, F &&body) {
  std::lock_guard<std::mutex> lock(state.mutex);
  state.calls.push_back(symbol);
  if (state.calls.size() == state.failAt) {
    state.failed = symbol;
    return state.failWith;
  }
  const bool isFork = state.initialized && state.process != getpid();
  if (isFork || (!state.initialized && std::strcmp(symbol, "cuInit") != 0))
    return CUDA_ERROR_NOT_INITIALIZED;
  if (needs != NoContext && !state.contexts.count(current))
    return CUDA_ERROR_INVALID_CONTEXT;
  if (state.capturing &&
      (needs == NoCapture || (needs == NoCaptureSeen &&
                              captureMode != CU_STREAM_CAPTURE_MODE_RELAXED)))
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  return body();
}

/// The allocation that holds these bytes is not looked for: memory is the
/// host's, and a sanitizer knows it.
void *hostAddress(CUdeviceptr pointer) {
  return reinterpret_cast<void *>(pointer);
}

const std::map<CUresult, std::pair<const char *, const char *>> &errors() {
  static const std::map<CUresult, std::pair<const char *, const char *>> table{
      {CUDA_ERROR_INVALID_VALUE,
       {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
      {CUDA_ERROR_OUT_OF_MEMORY, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
      {CUDA_ERROR_NOT_INITIALIZED,
       {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}},
      {CUDA_ERROR_INVALID_CONTEXT,
       {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
      {CUDA_ERROR_INVALID_PTX,
       {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
      {CUDA_ERROR_NOT_FOUND,
       {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
      {CUDA_ERROR_LAUNCH_FAILED,
       {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
      {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
       {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        "operation not permitted when stream is capturing"}}};
  return table;
}

/// Writes into the log that the options name.
void complain(const char *text, unsigned count, CUjit_option *options,
              void **values) {
  char *log = nullptr;
  size_t size = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
      log = static_cast<char *>(values[i]);
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
      size = reinterpret_cast<uintptr_t>(values[i]);
  }
  if (log && size)
    std::snprintf(log, size, "%s", text);
}

} // namespace

//===----------------------------------------------------------------------===//
// The driver's functions
//===----------------------------------------------------------------------===//

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED CUresult cuInit(unsigned int flags) {
  return called("cuInit", NoContext, [&] {
    state.initialized = true;
    state.process = getpid();
    return flags == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}

EXPORTED CUresult cuDriverGetVersion(int *version) {
  return called("cuDriverGetVersion", NoContext, [&] {
    *version = state.version;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuGetErrorName(CUresult error, const char **name) {
  auto found = errors().find(error);
  *name = found == errors().end() ? nullptr : found->second.first;
  return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORTED CUresult cuGetErrorString(CUresult error, const char **text) {
  auto found = errors().find(error);
  *text = found == errors().end() ? nullptr : found->second.second;
  return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORTED CUresult cuDeviceGetCount(int *count) {
  return called("cuDeviceGetCount", NoContext, [&] {
    *count = devices;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  return called("cuDeviceGet", NoContext, [&] {
    *device = 5000 + ordinal; // A handle, not the number.
    return ordinal >= 0 && ordinal < devices ? CUDA_SUCCESS
                                             : CUDA_ERROR_INVALID_DEVICE;
  });
}

EXPORTED CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute,
                                       CUdevice device) {
  return called("cuDeviceGetAttribute", NoContext, [&] {
    if (device < 5000 || device >= 5000 + devices)
      return CUDA_ERROR_INVALID_DEVICE;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      *value = 132;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = state.major;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      *value = state.minor;
      return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_VALUE;
  });
}

EXPORTED CUresult cuDevicePrimaryCtxRetain(CUcontext *context,
                                           CUdevice device) {
  return called("cuDevicePrimaryCtxRetain", NoContext, [&] {
    CUcontext &primary = state.primary[device];
    if (!primary)
      primary = newContext(device);
    ++state.retained[device];
    *context = primary;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuCtxGetCurrent(CUcontext *context) {
  return called("cuCtxGetCurrent", NoContext, [&] {
    *context = current;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuCtxSetCurrent(CUcontext context) {
  return called("cuCtxSetCurrent", NoContext, [&] {
    if (context && !state.contexts.count(context))
      return CUDA_ERROR_INVALID_CONTEXT;
    current = context;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuCtxGetDevice(CUdevice *device) {
  return called("cuCtxGetDevice", AContext, [&] {
    *device = current->device;
    return CUDA_SUCCESS;
  });
}

#ifndef TSGU_TEST_OLD_DRIVER
EXPORTED CUresult cuCtxGetId(CUcontext context, unsigned long long *id) {
  return called("cuCtxGetId", NoContext, [&] {
    if (!state.contexts.count(context))
      return CUDA_ERROR_INVALID_CONTEXT;
    *id = context->id;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuFuncLoad(CUfunction function) {
  return called("cuFuncLoad", NoCaptureSeen, [&] {
    return state.functions.count(function) ? CUDA_SUCCESS
                                           : CUDA_ERROR_INVALID_HANDLE;
  });
}
#endif

EXPORTED CUresult cuModuleLoadDataEx(CUmodule *module, const void *image,
                                     unsigned int optionCount,
                                     CUjit_option *options, void **values) {
  return called("cuModuleLoadDataEx", NoCaptureSeen, [&] {
    const char *text = static_cast<const char *>(image);
    if (std::strstr(text, "nonsense")) {
      complain("ptxas fatal: nonsense in line 3", optionCount, options, values);
      return CUDA_ERROR_INVALID_PTX;
    }
    *module = new CUmod_st{current, text, image};
    state.modules.insert(*module);
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuModuleUnload(CUmodule module) {
  return called("cuModuleUnload", AContext, [&] {
    if (!state.modules.erase(module))
      return CUDA_ERROR_INVALID_HANDLE;
    for (auto it = state.functions.begin(); it != state.functions.end();) {
      if (it->second == module) {
        delete it->first;
        it = state.functions.erase(it);
      } else {
        ++it;
      }
    }
    delete module;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuModuleGetFunction(CUfunction *function, CUmodule module,
                                      const char *name) {
  return called("cuModuleGetFunction", AContext, [&] {
    if (!state.modules.count(module) || module->context != current)
      return CUDA_ERROR_INVALID_HANDLE;
    const std::string entry = std::string(".entry ") + name + "(";
    if (module->image.find(entry) == std::string::npos)
      return CUDA_ERROR_NOT_FOUND;
    *function = new CUfunc_st{module, name};
    state.functions[*function] = module;
    return CUDA_SUCCESS;
  });
}

#ifndef TSGU_TEST_INCOMPLETE_DRIVER
static CUresult unpack(void **extra, std::vector<uint64_t> &words) {
  // Key 1: the buffer; key 2: where its bytes are; 0 ends the list.
  const void *buffer = nullptr;
  const size_t *bytes = nullptr;
  for (; extra && *extra; extra += 2) {
    if (*extra == reinterpret_cast<void *>(1))
      buffer = extra[1];
    else if (*extra == reinterpret_cast<void *>(2))
      bytes = static_cast<const size_t *>(extra[1]);
    else
      return CUDA_ERROR_INVALID_VALUE;
  }
  if (!bytes || *bytes % 8 || (*bytes && !buffer))
    return CUDA_ERROR_INVALID_VALUE;
  words.resize(*bytes / 8);
  if (*bytes)
    std::memcpy(words.data(), buffer, *bytes);
  return CUDA_SUCCESS;
}

EXPORTED CUresult cuLaunchKernel(CUfunction function, unsigned int gridX,
                                 unsigned int gridY, unsigned int gridZ,
                                 unsigned int blockX, unsigned int blockY,
                                 unsigned int blockZ, unsigned int sharedBytes,
                                 CUstream stream, void **parameters,
                                 void **extra) {
  StandInLaunch launch;
  void (*runner)(const StandInLaunch &) = nullptr;
  const CUresult result = called("cuLaunchKernel", AContext, [&] {
    auto found = state.functions.find(function);
    if (found == state.functions.end() || found->second->context != current)
      return CUDA_ERROR_INVALID_HANDLE;
    launch = {function->name,
              {gridX, gridY, gridZ},
              {blockX, blockY, blockZ},
              {},
              stream,
              current,
              found->second->origin};
    if (sharedBytes || parameters || unpack(extra, launch.words))
      return CUDA_ERROR_INVALID_VALUE;
    for (unsigned extent : {gridX, gridY, gridZ, blockX, blockY, blockZ})
      if (extent == 0)
        return CUDA_ERROR_INVALID_VALUE;
    state.launches.push_back(launch);
    runner = state.runner;
    return CUDA_SUCCESS;
  });
  if (result == CUDA_SUCCESS && runner)
    runner(launch);
  return result;
}
#endif

EXPORTED CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
  return called("cuMemAlloc", NoCaptureSeen, [&] {
    if (bytes == 0)
      return CUDA_ERROR_INVALID_VALUE;
    void *memory = bytes < size_t{1} << 40 ? std::malloc(bytes) : nullptr;
    if (!memory)
      return CUDA_ERROR_OUT_OF_MEMORY;
    // Counts of kernels that nobody runs are none.
    std::memset(memory, state.runner ? 0xAB : 0, bytes);
    state.memory.insert(memory);
    *pointer = reinterpret_cast<CUdeviceptr>(memory);
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuMemFree_v2(CUdeviceptr pointer) {
  return called("cuMemFree", NoCaptureSeen, [&] {
    if (!state.memory.erase(hostAddress(pointer)))
      return CUDA_ERROR_INVALID_VALUE;
    std::free(hostAddress(pointer));
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                                       CUstream) {
  return called("cuMemcpyDtoHAsync", NoCapture, [&] {
    std::memcpy(to, hostAddress(from), bytes);
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from,
                                       size_t bytes, CUstream) {
  return called("cuMemcpyHtoDAsync", NoCapture, [&] {
    std::memcpy(hostAddress(to), from, bytes);
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuMemsetD32Async(CUdeviceptr to, unsigned int word,
                                   size_t words, CUstream) {
  return called("cuMemsetD32Async", AContext, [&] {
    std::fill_n(static_cast<unsigned *>(hostAddress(to)), words, word);
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuStreamSynchronize(CUstream) {
  return called("cuStreamSynchronize", NoCapture, [] { return CUDA_SUCCESS; });
}

EXPORTED CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus *status) {
  return called("cuStreamIsCapturing", AContext, [&] {
    *status = state.capturing ? CU_STREAM_CAPTURE_STATUS_ACTIVE
                              : CU_STREAM_CAPTURE_STATUS_NONE;
    return CUDA_SUCCESS;
  });
}

EXPORTED CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode) {
  return called("cuThreadExchangeStreamCaptureMode", NoContext, [&] {
    std::swap(*mode, captureMode);
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// The tests' functions
//===----------------------------------------------------------------------===//

template <typename F> static auto locked(F &&body) {
  std::lock_guard<std::mutex> lock(state.mutex);
  return body();
}

EXPORTED const StandIn *tsguStandIn() {
  static const StandIn table{
      [](int k, int result) {
        locked([&] {
          state.calls.clear();
          state.failAt = static_cast<size_t>(k);
          state.failWith = static_cast<CUresult>(result);
          state.failed.clear();
        });
      },
      [] {
        return locked([] { return static_cast<int>(state.calls.size()); });
      },
      [] {
        return locked([] {
          return std::vector<std::string>(state.calls.begin(),
                                          state.calls.end());
        });
      },
      [] { return locked([] { return state.failed; }); },
      [] {
        return locked([] {
          StandInBooks books{state.memory.size(), state.modules.size(), 0};
          for (auto [device, count] : state.retained)
            books.retained += count;
          return books;
        });
      },
      [] { return locked([] { return state.launches; }); },
      [](void (*runner)(const StandInLaunch &)) {
        locked([&] { state.runner = runner; });
      },
      [](int version) { locked([&] { state.version = version; }); },
      [](int major, int minor) {
        locked([&] { state.major = major, state.minor = minor; });
      },
      [](bool capturing) { locked([&] { state.capturing = capturing; }); },
      [](int device) {
        return locked(
            [&] { return static_cast<void *>(newContext(5000 + device)); });
      },
      [](void *context) {
        locked([&] {
          state.contexts.erase(static_cast<CUcontext>(context));
          delete static_cast<CUcontext>(context);
        });
      },
      [](void *context) { current = static_cast<CUcontext>(context); },
      [] { return static_cast<void *>(current); }};
  return &table;
}
