//===- DeviceTesting.h - Helpers for tests of devices -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_DEVICETESTING_H
#define TSGU_TEST_DEVICETESTING_H

#include "ErrorTesting.h"
#include "device/Device.h"

#include <gtest/gtest.h>

#include <bit>
#include <initializer_list>
#include <list>
#include <string>
#include <vector>

namespace tsgu::test {

using Self = tsgu_emulated_thread;

/// What a kernel does to memory, as the compiler makes it: announced first.
template <typename T> T load(Self *self, const T *address) {
  if (self->access)
    self->access(self, address, sizeof(T), 0);
  return *address;
}
template <typename T> void store(Self *self, T *address, T value) {
  if (self->access)
    self->access(self, address, sizeof(T), 1);
  *address = value;
}
template <typename T> void atomicAdd(Self *self, T *address, T value) {
  if (self->access)
    self->access(self, address, sizeof(T), 2);
  *address += value;
}
template <typename T> T *pointer(uint64_t word) {
  return reinterpret_cast<T *>(word);
}
template <typename T> uint64_t word(T *address) {
  return reinterpret_cast<uint64_t>(address);
}

/// An object with one kernel; lives as long as the process, as objects do.
inline const tsgu_object &objectOf(const char *name,
                                   tsgu_emulated_kernel kernel,
                                   uint32_t threads,
                                   uint32_t workgroupBytes = 0) {
  struct Kept {
    tsgu_device_kernel kernel;
    tsgu_object object;
  };
  static std::list<Kept> &kept = *new std::list<Kept>;
  Kept &made =
      kept.emplace_back(Kept{{name, kernel, threads, workgroupBytes}, {}});
  made.object.kernel_count = 1;
  made.object.device_kernels = &made.kernel;
  return made.object;
}

inline void emulate(const tsgu_object &object, runtime::Grid grid,
                    std::initializer_list<uint64_t> words) {
  const std::vector<uint64_t> list = words;
  runtime::Device::emulator().launch(object, 0, grid, list, nullptr);
}

inline void expectHas(const std::string &message, const char *text) {
  EXPECT_NE(message.find(text), std::string::npos) << message;
}

} // namespace tsgu::test

#endif // TSGU_TEST_DEVICETESTING_H
