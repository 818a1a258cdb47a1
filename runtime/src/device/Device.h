//===- Device.h - A device and what can be done on it -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything goes through the CUDA driver API, as a table of functions: those
// of libcuda, opened when a device is first asked for, or those of the
// emulator, which runs kernels on the host. Work is put in order on the
// caller's stream; nothing here waits, allocates or copies unless it says so.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DEVICE_DEVICE_H
#define TSGU_SRC_DEVICE_DEVICE_H

#include "device/EmulatorLibrary.h"
#include "tsgu/CompilerInterface.h"
#include "tsgu/tsgu.h"

#include <cstdint>
#include <span>
#include <utility>

namespace tsgu::runtime {

/// Blocks along x, and items of a batch along y.
struct Grid {
  static constexpr int64_t maxX = 0x7fffffff, maxY = 65535;
  uint32_t x = 1, y = 1;
};

/// One GPU, or the emulator. Lives as long as the process; thread-safe. All
/// functions throw Error: Status::Device with the driver's call, the kernel's
/// name where there is one, and the driver's own words; Status::OutOfMemory
/// where memory ran out. After an error the next call works.
class Device {
public:
  /// The CUDA device of this number (as torch counts). Throws Status::Device,
  /// saying what is missing, where there is no driver, no such device, or one
  /// of compute capability below 8.0.
  static Device &cuda(int32_t number);
  static Device &emulator();

  /// What kernels have to be compiled for.
  tsgu_target target() const;
  bool isEmulator() const { return target() == TSGU_TARGET_EMULATOR; }
  int32_t number() const;
  int32_t multiprocessors() const;

  /// Starts a kernel of the object on the stream. The object's image is loaded
  /// the first time it is used in the current context (or the device's primary
  /// context where none is current). An empty grid starts nothing.
  void launch(const tsgu_object &object, uint32_t kernel, Grid grid,
              std::span<const uint64_t> words, void *stream);

  /// Kernels that were started so far, by all devices and the emulator.
  static uint64_t launches();

  /// Whether the stream records into a graph: then nothing may be allocated,
  /// waited for or loaded.
  bool isCapturing(void *stream);
  /// Throws Status::Device if it does, saying what is not done then.
  void refuseCapture(void *stream, const char *what);

  /// Sets 32-bit words, in the stream's order.
  void fill(void *memory, uint32_t word, int64_t words, void *stream);
  /// Copies to the host and waits until it is there.
  void read(void *host, const void *memory, int64_t bytes, void *stream);
  /// Copies from the host, which may forget its memory at return.
  void write(void *memory, const void *host, int64_t bytes, void *stream);

private:
  friend class DeviceBlock;
  void *allocate(int64_t bytes);
  void release(void *memory) noexcept;

  struct State;
  explicit Device(State &state) : state(state) {}
  State &state;
};

/// A device with the caller's queue on it.
struct Place {
  Device &device;
  const tsgu_queue &queue;

  void *stream() const { return queue.stream; }
};

/// Memory on a device, owned: for what is kept (a pattern's layouts), not for
/// the scratch of one run.
class DeviceBlock {
public:
  DeviceBlock() = default;
  /// Throws OutOfMemory. No bytes: data() is NULL.
  DeviceBlock(Device &device, int64_t bytes)
      : device(&device), memory(bytes > 0 ? device.allocate(bytes) : nullptr),
        length(bytes) {}
  DeviceBlock(DeviceBlock &&other) noexcept { swap(other); }
  DeviceBlock &operator=(DeviceBlock &&other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceBlock() {
    if (memory)
      device->release(memory);
  }

  void *data() const { return memory; }
  int64_t bytes() const { return length; }
  template <typename T> T *as() const { return static_cast<T *>(memory); }

private:
  void swap(DeviceBlock &other) noexcept {
    std::swap(device, other.device);
    std::swap(memory, other.memory);
    std::swap(length, other.length);
  }
  Device *device = nullptr;
  void *memory = nullptr;
  int64_t length = 0;
};

/// The emulator's checks of one launch: memory that its kernels may touch.
/// Until the object is destroyed, a kernel that this thread launches and that
/// reads or writes elsewhere, or races (two threads of the grid, one of them
/// writing, without a barrier or an atomic between them), fails with
/// Status::Device that names kernel, block, thread and address. No effect on
/// other devices.
class EmulatorChecks {
public:
  using Region = EmulatedMemory;
  /// Throws OutOfMemory.
  explicit EmulatorChecks(std::span<const Region> regions);
  ~EmulatorChecks();
  EmulatorChecks(const EmulatorChecks &) = delete;

  /// Whether TSGU_EMULATOR_CHECKS=1 asks for them.
  static bool wanted();

private:
  MemoryChecks *checks;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_DEVICE_DEVICE_H
