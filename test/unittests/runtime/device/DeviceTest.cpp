//===- DeviceTest.cpp - CUDA devices, on a stand-in driver ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceTesting.h"
#include "StandInCuda.h"

#include <atomic>
#include <optional>
#include <thread>

#include <dlfcn.h>

using namespace tsgu;
using namespace tsgu::runtime;
using namespace tsgu::test;

namespace {

constexpr int launchFailed = 719, outOfMemory = 2;

/// A device that no test has used before: opening it is part of what is tested.
int32_t newDevice() {
  static int32_t next = 0;
  return next++;
}

class CudaDevice : public testing::Test {
protected:
  const StandIn &cuda = *standIn();
  size_t unfreed = cuda.books().memory; ///< For the driver did not free it.

  void SetUp() override { cuda.reset(); }
  void TearDown() override {
    cuda.reset();
    EXPECT_EQ(cuda.books().memory, unfreed);
  }

private:
  static const StandIn *standIn() {
    setenv("TSGU_LIBCUDA", TSGU_TEST_CUDA, 1);
    void *library = dlopen(TSGU_TEST_CUDA, RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(library, nullptr) << dlerror();
    using Table = const StandIn *();
    return reinterpret_cast<Table *>(dlsym(library, "tsguStandIn"))();
  }
};

/// Two kernels, under the names that the image gives them.
const tsgu_object &twoKernels() {
  static const tsgu_device_kernel kernels[] = {{"spmm_k0", nullptr, 256, 0},
                                               {"spmm_k1", nullptr, 128, 0}};
  static const char image[] = ".visible .entry spmm_k0(.param .u64 a) {}\n"
                              ".visible .entry spmm_k1(.param .u64 a) {}\n";
  static const tsgu_object object{nullptr,      0, 2, nullptr, kernels, image,
                                  sizeof(image)};
  return object;
}

const tsgu_object &objectOfImage(const char *image, const char *kernel) {
  auto *kernels = new tsgu_device_kernel{kernel, nullptr, 32, 0};
  static std::vector<const void *> &kept = *new std::vector<const void *>;
  auto *object = new tsgu_object{nullptr, 0, 1, nullptr, kernels, image, 0};
  kept.insert(kept.end(), {kernels, object});
  return *object;
}

void *const stream = reinterpret_cast<void *>(0x1230);

void launch(Device &device, uint32_t kernel = 0) {
  const uint64_t words[] = {1, 2, ~uint64_t{0}};
  device.launch(twoKernels(), kernel, {7, 3}, words, stream);
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

TEST_F(CudaDevice, IsFoundByItsNumber) {
  const int32_t number = newDevice();
  Device &device = Device::cuda(number);
  EXPECT_EQ(&Device::cuda(number), &device);
  EXPECT_EQ(device.number(), number);
  EXPECT_EQ(device.target(), TSGU_TARGET_SM90);
  EXPECT_EQ(device.multiprocessors(), 132);
  EXPECT_FALSE(device.isEmulator());
  cuda.setCapability(8, 9);
  EXPECT_EQ(Device::cuda(newDevice()).target(), TSGU_TARGET_SM80);
  cuda.setCapability(12, 0);
  EXPECT_EQ(Device::cuda(newDevice()).target(), TSGU_TARGET_SM90);
}

TEST_F(CudaDevice, OldOnesAndMissingOnesAreRefused) {
  const int32_t number = newDevice();
  cuda.setCapability(7, 5);
  EXPECT_EQ(errorOf(Status::Device, [&] { Device::cuda(number); }),
            "CUDA device " + std::to_string(number) +
                " has compute capability 7.5, and kernels need 8.0 or later "
                "(Ampere); compute on the CPU or on another device");
  cuda.setCapability(8, 0);
  cuda.setVersion(10020);
  expectHas(errorOf(Status::Device, [&] { Device::cuda(number); }),
            "the NVIDIA driver is for CUDA 10.2");
  cuda.setVersion(11040);
  EXPECT_EQ(Device::cuda(number).target(), TSGU_TARGET_SM80);
  for (int32_t none : {-1, 250, 255, 256, INT32_MAX})
    expectHas(errorOf(Status::Device, [&] { Device::cuda(none); }),
              ("there is no CUDA device " + std::to_string(none)).c_str());
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

TEST_F(CudaDevice, LaunchesWithTheCallersStreamAndWords) {
  Device &device = Device::cuda(newDevice());
  const size_t before = cuda.launches().size();
  launch(device, 1);
  const auto launches = cuda.launches();
  ASSERT_EQ(launches.size(), before + 1);
  const StandInLaunch &last = launches.back();
  EXPECT_EQ(last.kernel, "spmm_k1");
  EXPECT_EQ(std::vector<unsigned>(last.grid, last.grid + 3),
            (std::vector<unsigned>{7, 3, 1}));
  EXPECT_EQ(std::vector<unsigned>(last.block, last.block + 3),
            (std::vector<unsigned>{128, 1, 1}));
  EXPECT_EQ(last.words, (std::vector<uint64_t>{1, 2, ~uint64_t{0}}));
  EXPECT_EQ(last.stream, stream);
  device.launch(twoKernels(), 0, {0, 3}, {}, stream);
  EXPECT_EQ(cuda.launches().size(), launches.size());
}

TEST_F(CudaDevice, LaunchesOnceLoadedNeedFewCalls) {
  const int32_t number = newDevice();
  Device &device = Device::cuda(number);
  void *context = cuda.makeContext(number);
  cuda.setCurrent(context);
  launch(device);
  launch(device);
  cuda.failAt(0, 0);
  launch(device);
  launch(device, 1);
  // Current context, its id or (old drivers) device, launch.
  EXPECT_EQ(cuda.calls(), 2 * 3);
  cuda.setCurrent(nullptr);
  cuda.destroyContext(context);
}

TEST_F(CudaDevice, GridsBeyondTheDevicesAreRefused) {
  Device &device = Device::cuda(newDevice());
  for (Grid grid : {Grid{0x80000000u, 1}, Grid{1, 65536}})
    expectHas(
        errorOf(Status::Device,
                [&] { device.launch(twoKernels(), 0, grid, {}, stream); }),
        "kernel spmm_k0 would need");
  const size_t before = cuda.launches().size();
  device.launch(twoKernels(), 0, {0x7fffffffu, 65535}, {}, stream);
  EXPECT_EQ(cuda.launches().size(), before + 1);
}

TEST_F(CudaDevice, TheDriversAssemblerIsQuoted) {
  Device &device = Device::cuda(newDevice());
  const size_t before = cuda.books().modules;
  auto message = [&](const char *image) {
    const tsgu_object &object = objectOfImage(image, "odd");
    return errorOf(Status::Device,
                   [&] { device.launch(object, 0, {}, {}, stream); });
  };
  EXPECT_EQ(message("nonsense"),
            "cuModuleLoadDataEx (ptxas fatal: nonsense in line 3) failed: "
            "CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed");
  EXPECT_EQ(message(".entry even()"),
            "cuModuleGetFunction of kernel odd failed: CUDA_ERROR_NOT_FOUND: "
            "named symbol not found");
  EXPECT_EQ(cuda.books().modules, before);
  expectHas(errorOf(Status::Internal,
                    [&] {
                      device.launch(objectOfImage(nullptr, "emulated"), 0, {},
                                    {}, stream);
                    }),
            "kernel emulated was not compiled for CUDA devices");
}

/// More than the table of modules first has room for.
TEST_F(CudaDevice, ManyObjects) {
  Device &device = Device::cuda(newDevice());
  static char images[200][64];
  std::vector<const tsgu_object *> objects;
  for (int i = 0; i < 200; ++i) {
    std::snprintf(images[i], sizeof(images[i]), ".entry k%d() .entry k()", i);
    objects.push_back(&objectOfImage(images[i], "k"));
  }
  const size_t before = cuda.books().modules;
  for (int repeat = 0; repeat < 2; ++repeat)
    for (const tsgu_object *object : objects)
      device.launch(*object, 0, {}, {}, stream);
  EXPECT_EQ(cuda.books().modules, before + 200);
}

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

TEST_F(CudaDevice, ContextsAreKeptApart) {
  const int32_t number = newDevice();
  Device &device = Device::cuda(number);
  const size_t before = cuda.books().modules;
  const int held = cuda.books().retained;
  void *contexts[] = {cuda.makeContext(number), cuda.makeContext(number)};
  for (int repeat = 0; repeat < 3; ++repeat)
    for (void *context : contexts) {
      cuda.setCurrent(context);
      launch(device);
      EXPECT_EQ(cuda.launches().back().context, context);
      EXPECT_EQ(cuda.current(), context);
    }
  EXPECT_EQ(cuda.books().modules, before + 2);
  EXPECT_EQ(cuda.books().retained, held); // Neither is the primary one.
}

/// A context of another device, or none: the primary context, for the call.
TEST_F(CudaDevice, CallersContextsAreRestored) {
  const int32_t number = newDevice();
  Device &device = Device::cuda(number);
  void *others[] = {nullptr, cuda.makeContext(newDevice())};
  const int held = cuda.books().retained;
  void *primary = nullptr;
  for (void *other : others) {
    cuda.setCurrent(other);
    launch(device);
    void *used = cuda.launches().back().context;
    EXPECT_NE(used, other);
    EXPECT_TRUE(!primary || primary == used);
    primary = used;
    EXPECT_EQ(cuda.current(), other);
    DeviceBlock block(device, 64);
    device.fill(block.data(), 1, 16, stream);
    EXPECT_EQ(cuda.current(), other);
  }
  EXPECT_EQ(cuda.books().retained, held + 1);
}

//===----------------------------------------------------------------------===//
// Capture
//===----------------------------------------------------------------------===//

TEST_F(CudaDevice, GraphsRecordWhatIsLoadedAndNothingElse) {
  Device &device = Device::cuda(newDevice());
  DeviceBlock block(device, 64);
  uint32_t host[16] = {};
  EXPECT_FALSE(device.isCapturing(stream));
  cuda.setCapturing(true);
  EXPECT_TRUE(device.isCapturing(stream));
  const char *remedy = "run the operation once before the capture begins";
  auto refused = [&](auto &&call) {
    const std::string message = errorOf(Status::Device, call);
    expectHas(message, remedy);
    return message;
  };
  expectHas(refused([&] { launch(device); }), "kernel spmm_k0 is not loaded");
  refused([&] { device.read(host, block.data(), 64, stream); });
  refused([&] { device.write(block.data(), host, 64, stream); });
  cuda.setCapturing(false);
  launch(device);
  cuda.setCapturing(true);
  launch(device);
  launch(device, 1);
  device.fill(block.data(), 0, 16, stream);
  cuda.setCapturing(false);
}

/// As a thread does whose own stream records nothing.
TEST_F(CudaDevice, GraphsOfOthersAreNoObstacle) {
  Device &device = Device::cuda(newDevice());
  const size_t before = cuda.books().memory;
  std::optional<DeviceBlock> early(std::in_place, device, 64);
  cuda.setCapturing(true);
  DeviceBlock late(device, 64);
  early.reset();
  EXPECT_EQ(cuda.books().memory, before + 1);
  cuda.setCapturing(false);
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

/// Everything once, with a context of the caller's in the middle.
void everything(const StandIn &cuda, int32_t number, void *context) {
  Device &device = Device::cuda(number);
  std::vector<uint32_t> host(64, 5), expected(64, 5);
  expected[0] = expected[1] = 9;
  DeviceBlock block(device, 256);
  device.write(block.data(), host.data(), 256, stream);
  launch(device, 0);
  launch(device, 1);
  device.fill(block.data(), 9, 2, stream);
  device.isCapturing(stream);
  struct Restore {
    const StandIn &cuda;
    ~Restore() { cuda.setCurrent(nullptr); }
  } restore{cuda};
  cuda.setCurrent(context);
  launch(device, 0);
  DeviceBlock second(device, 8);
  device.read(host.data(), block.data(), 256, stream);
  EXPECT_EQ(host, expected);
}

class FailedCall : public CudaDevice {
protected:
  /// Has the k-th call of `everything` fail. False: it has fewer calls.
  bool failsWell(int k, int result, Status status) {
    const int32_t number = newDevice();
    void *context = cuda.makeContext(number);
    const StandInBooks before = cuda.books();
    cuda.failAt(k, result);
    std::string message;
    try {
      everything(cuda, number, context);
    } catch (const Error &error) {
      EXPECT_EQ(error.status(), status) << error.what();
      message = error.what();
    }
    const std::string failed = cuda.failed();
    cuda.failAt(0, 0);
    if (!failed.empty())
      judge(failed, message, before);
    cuda.setCurrent(nullptr);
    everything(cuda, number, context);
    EXPECT_EQ(cuda.books().modules, before.modules + 2);
    EXPECT_EQ(cuda.books().retained, before.retained + 1);
    return !failed.empty();
  }

private:
  void judge(const std::string &failed, const std::string &message,
             const StandInBooks &before) {
    SCOPED_TRACE(failed + ": " + message);
    // Nobody is told what fails while memory is freed.
    const bool freeing = message.empty();
    EXPECT_TRUE(!freeing || isOfFreeing(failed));
    expectHas(message, freeing ? "" : " failed: CUDA_ERROR_");
    EXPECT_EQ(message.substr(0, failed.size()), freeing ? "" : failed);
    if (failed == "cuLaunchKernel" || failed == "cuModuleGetFunction" ||
        failed == "cuFuncLoad")
      expectHas(message, "of kernel spmm_k");
    unfreed += failed == "cuMemFree";
    EXPECT_EQ(cuda.books().memory, unfreed);
    EXPECT_TRUE(failed == "cuCtxSetCurrent" || !cuda.current());
    EXPECT_LE(cuda.books().modules, before.modules + 2);
  }
};

TEST_F(FailedCall, IsNamedAndLosesNothing) {
  int k = 1;
  while (failsWell(k, launchFailed, Status::Device))
    ++k;
  EXPECT_GT(k, 60);
}

TEST_F(FailedCall, ForLackOfMemory) {
  for (int k = 1; failsWell(k, outOfMemory, Status::OutOfMemory); ++k)
    ;
}

TEST_F(FailedCall, WithANumberThatTheDriverDoesNotKnow) {
  cuda.failAt(1, 12345);
  EXPECT_EQ(errorOf(Status::Device, [] { Device::cuda(newDevice()); }),
            "cuInit failed: CUDA error 12345");
}

TEST_F(FailedCall, InAForkedProcess) {
  cuda.failAt(1, 3);
  expectHas(errorOf(Status::Device, [] { Device::cuda(newDevice()); }),
            "CUDA_ERROR_NOT_INITIALIZED: initialization error; a forked "
            "process cannot use CUDA that its parent has used");
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

TEST_F(CudaDevice, SixteenThreadsAtOnce) {
  for (int repeat = 0; repeat < 5; ++repeat) {
    const int32_t number = newDevice();
    void *context = cuda.makeContext(number);
    const StandInBooks before = cuda.books();
    const size_t launched = cuda.launches().size();
    std::atomic<int> waiting{16};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 16; ++caller)
      callers.emplace_back([&, caller] {
        cuda.setCurrent(caller % 2 ? context : nullptr);
        for (--waiting; waiting > 0;)
          std::this_thread::yield();
        for (int i = 0; i < 100; ++i)
          launch(Device::cuda(number), i % 2);
      });
    for (std::thread &caller : callers)
      caller.join();
    EXPECT_EQ(cuda.launches().size(), launched + 1600);
    EXPECT_EQ(cuda.books().modules, before.modules + 2);
    EXPECT_EQ(cuda.books().retained, before.retained + 1);
  }
}

} // namespace
