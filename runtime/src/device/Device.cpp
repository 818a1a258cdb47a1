//===- Device.cpp - A device and what can be done on it -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/Device.h"
#include "base/Parallel.h"
#include "device/Contexts.h"
#include "device/Modules.h"
#include "tsgu/Error.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace tsgu::runtime {

struct Device::State {
  State(const Driver &driver, int32_t number, int handle, tsgu_target target,
        int32_t multiprocessors)
      : driver(driver), number(number), target(target),
        multiprocessors(multiprocessors), contexts(driver, handle),
        modules(driver) {}

  const Driver &driver;
  const int32_t number;
  const tsgu_target target;
  const int32_t multiprocessors;
  Contexts contexts;
  Modules modules;
};

static CudaPointer addressOf(const void *memory) {
  return reinterpret_cast<uintptr_t>(memory);
}

static CudaStream streamOf(void *stream) {
  return static_cast<CudaStream>(stream);
}

static bool isRecorded(const Driver &driver, CudaStream stream) {
  int status = 0;
  check(driver, driver.cuStreamIsCapturing(stream, &status),
        "cuStreamIsCapturing");
  return status != 0;
}

static constexpr const char *notWhileRecording =
    "nothing can be loaded or copied to or from the host while its stream "
    "records a graph; run the operation once before the capture begins";

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

static int attribute(const Driver &driver, CudaAttribute which, int handle) {
  int value = 0;
  check(driver, driver.cuDeviceGetAttribute(&value, which, handle),
        "cuDeviceGetAttribute");
  return value;
}

static void initialize(const Driver &driver) {
  check(driver, driver.cuInit(0), "cuInit");
  int version = 0;
  check(driver, driver.cuDriverGetVersion(&version), "cuDriverGetVersion");
  if (version < 11000)
    fail(Status::Device, "the NVIDIA driver is for CUDA ", version / 1000, '.',
         version % 1000 / 10,
         ", and kernels need one for CUDA 11 or later; install a newer driver");
}

static int handleOf(const Driver &driver, int32_t number) {
  int count = 0, handle = 0;
  check(driver, driver.cuDeviceGetCount(&count), "cuDeviceGetCount");
  if (number < 0 || number >= count)
    fail(Status::Device, "there is no CUDA device ", number, ": the driver ",
         "shows ", count, " (see nvidia-smi and CUDA_VISIBLE_DEVICES)");
  check(driver, driver.cuDeviceGet(&handle, number), "cuDeviceGet");
  return handle;
}

static tsgu_target targetOf(const Driver &driver, int32_t number, int handle) {
  const int major = attribute(driver, CudaCapabilityMajor, handle);
  const int minor = attribute(driver, CudaCapabilityMinor, handle);
  if (major < 8)
    fail(Status::Device, "CUDA device ", number, " has compute capability ",
         major, '.', minor,
         ", and kernels need 8.0 or later (Ampere); compute on the CPU or on "
         "another device");
  return major == 8 ? TSGU_TARGET_SM80 : TSGU_TARGET_SM90;
}

Device &Device::cuda(int32_t number) {
  static std::array<std::atomic<Device *>, 256> known{};
  if (number < 0 || static_cast<size_t>(number) >= known.size())
    fail(Status::Device, "there is no CUDA device ", number);
  std::atomic<Device *> &device = known[number];
  if (Device *found = device.load(std::memory_order_acquire))
    return *found;
  std::lock_guard<std::recursive_mutex> lock(processLock());
  if (!device.load()) {
    const Driver &driver = libcuda();
    initialize(driver);
    const int handle = handleOf(driver, number);
    auto state = std::make_unique<State>(
        driver, number, handle, targetOf(driver, number, handle),
        attribute(driver, CudaMultiprocessorCount, handle));
    device.store(new Device(*state.release()), std::memory_order_release);
  }
  return *device.load();
}

Device &Device::emulator() {
  static Device &device = *new Device(
      *new State(*emulatorLibrary().driver, 0, 0, TSGU_TARGET_EMULATOR, 4));
  return device;
}

tsgu_target Device::target() const { return state.target; }
int32_t Device::number() const { return state.number; }
int32_t Device::multiprocessors() const { return state.multiprocessors; }

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static const tsgu_device_kernel &kernelOf(const tsgu_object &object,
                                          uint32_t kernel, bool onEmulator) {
  if (!object.device_kernels || kernel >= object.kernel_count)
    fail(Status::Internal, "kernel ", kernel, " of an object that has ",
         object.device_kernels ? object.kernel_count : 0, " for devices");
  const tsgu_device_kernel &found = object.device_kernels[kernel];
  if (onEmulator ? !found.emulated : !object.image)
    fail(Status::Internal, "kernel ", found.name, " was not compiled for ",
         onEmulator ? "the emulator" : "CUDA devices");
  return found;
}

static void checkGrid(const tsgu_device_kernel &kernel, Grid grid) {
  if (grid.x > Grid::maxX || grid.y > Grid::maxY)
    fail(Status::Device, "kernel ", kernel.name, " would need ", grid.x, " x ",
         grid.y, " blocks, and a device takes ", Grid::maxX, " x ", Grid::maxY,
         " of them; split the batch or the matrix");
}

static std::atomic<uint64_t> started{0};

uint64_t Device::launches() { return started.load(std::memory_order_relaxed); }

void Device::launch(const tsgu_object &object, uint32_t kernel, Grid grid,
                    std::span<const uint64_t> words, void *stream) {
  if (grid.x == 0 || grid.y == 0)
    return;
  const tsgu_device_kernel &what = kernelOf(object, kernel, isEmulator());
  checkGrid(what, grid);
  size_t bytes = words.size_bytes();
  void *parameters[] = {CudaLaunchBuffer, const_cast<uint64_t *>(words.data()),
                        CudaLaunchBufferBytes, &bytes, CudaLaunchEnd};
  state.contexts.inside([&](uint64_t context) {
    const LoadedModule *module = state.modules.find(object, context);
    if (!module) [[unlikely]] {
      if (isRecorded(state.driver, streamOf(stream)))
        fail(Status::Device, "kernel ", what.name, " is not loaded yet, and ",
             notWhileRecording);
      state.contexts.insideUnrecorded(
          [&](uint64_t) { module = &state.modules.load(object, context); });
    }
    int result = state.driver.cuLaunchKernel(
        module->functions[kernel], grid.x, grid.y, 1, what.block_threads, 1, 1,
        0, streamOf(stream), nullptr, parameters);
    if (result != CudaSuccess) [[unlikely]]
      failCall(state.driver, result, "cuLaunchKernel",
               std::string("of kernel ") + what.name);
  });
  started.fetch_add(1, std::memory_order_relaxed);
}

bool Device::isCapturing(void *stream) {
  bool recorded = false;
  state.contexts.inside(
      [&](uint64_t) { recorded = isRecorded(state.driver, streamOf(stream)); });
  return recorded;
}

void Device::refuseCapture(void *stream, const char *what) {
  if (isCapturing(stream))
    fail(Status::Device, what, ", and ", notWhileRecording);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void Device::fill(void *memory, uint32_t word, int64_t words, void *stream) {
  if (words <= 0)
    return;
  const Driver &driver = state.driver;
  state.contexts.inside([&](uint64_t) {
    check(driver,
          driver.cuMemsetD32Async(addressOf(memory), word,
                                  static_cast<size_t>(words), streamOf(stream)),
          "cuMemsetD32Async");
  });
}

/// Runs a copy between host and device inside the device's context, and waits:
/// the host's memory is the caller's again at return. `what` is done to values.
template <typename State, typename Copy>
static void copyAndWait(State &state, int64_t bytes, void *stream,
                        const char *what, const char *call, Copy &&copy) {
  if (bytes <= 0)
    return;
  const Driver &driver = state.driver;
  CudaStream order = streamOf(stream);
  state.contexts.inside([&](uint64_t) {
    if (isRecorded(driver, order))
      fail(Status::Device, "values are ", what, " the device, and ",
           notWhileRecording);
    check(driver, copy(driver, static_cast<size_t>(bytes), order), call);
    // From page-locked memory the copy has not happened yet.
    check(driver, driver.cuStreamSynchronize(order), "cuStreamSynchronize");
  });
}

void Device::read(void *host, const void *memory, int64_t bytes, void *stream) {
  copyAndWait(state, bytes, stream, "read from", "cuMemcpyDtoHAsync",
              [&](const Driver &driver, size_t size, CudaStream order) {
                return driver.cuMemcpyDtoHAsync(host, addressOf(memory), size,
                                                order);
              });
}

void Device::write(void *memory, const void *host, int64_t bytes,
                   void *stream) {
  copyAndWait(state, bytes, stream, "written to", "cuMemcpyHtoDAsync",
              [&](const Driver &driver, size_t size, CudaStream order) {
                return driver.cuMemcpyHtoDAsync(addressOf(memory), host, size,
                                                order);
              });
}

void *Device::allocate(int64_t bytes) {
  const Driver &driver = state.driver;
  CudaPointer pointer = 0;
  try {
    state.contexts.insideUnrecorded([&](uint64_t) {
      int result = driver.cuMemAlloc(&pointer, static_cast<size_t>(bytes));
      if (result != CudaSuccess)
        failCall(driver, result, "cuMemAlloc",
                 "of " + std::to_string(bytes) + " bytes");
    });
  } catch (...) { // Also where the caller's context could not be restored.
    if (pointer)
      release(reinterpret_cast<void *>(pointer));
    throw;
  }
  return reinterpret_cast<void *>(pointer);
}

void Device::release(void *memory) noexcept {
  // Never freed twice: another thread may have got the address by then.
  bool tried = false;
  auto free = [&](uint64_t) {
    tried = true;
    state.driver.cuMemFree(addressOf(memory));
  };
  for (int attempt = 0; attempt < 2 && !tried; ++attempt)
    try {
      state.contexts.insideUnrecorded(free);
    } catch (const Error &) {
      // Nobody can be told; a context that is gone took its memory along.
      continue;
    }
}

//===----------------------------------------------------------------------===//
// Checks of the emulator
//===----------------------------------------------------------------------===//

EmulatorChecks::EmulatorChecks(std::span<const Region> regions)
    : checks(emulatorLibrary().beginChecks(regions.data(), regions.size())) {
  if (!checks)
    fail(Status::OutOfMemory, "out of memory for the emulator's checks");
}

EmulatorChecks::~EmulatorChecks() { emulatorLibrary().endChecks(checks); }

bool EmulatorChecks::wanted() {
  const char *value = secure_getenv("TSGU_EMULATOR_CHECKS");
  return value && std::strcmp(value, "1") == 0;
}

} // namespace tsgu::runtime
