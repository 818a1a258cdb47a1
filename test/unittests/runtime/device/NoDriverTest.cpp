//===- NoDriverTest.cpp - Machines without a usable driver ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceTesting.h"

using namespace tsgu;
using namespace tsgu::runtime;
using namespace tsgu::test;

namespace {

std::string withDriver(const char *file) {
  setenv("TSGU_LIBCUDA", file, 1);
  return errorOf(Status::Device, [] { Device::cuda(0); });
}

TEST(NoDriver, SaysWhatIsMissing) {
  for (int repeat = 0; repeat < 2; ++repeat) {
    const std::string message = withDriver("no-such-libcuda.so.1");
    expectHas(message, "there is no NVIDIA driver: no-such-libcuda.so.1: "
                       "cannot open shared object file");
    expectHas(message, "install the driver");
    expectHas(message, "TSGU_LIBCUDA");
  }
}

TEST(NoDriver, SaysWhichFunctionIsMissing) {
  expectHas(withDriver(TSGU_TEST_INCOMPLETE_CUDA),
            " has no function cuLaunchKernel; install a driver for CUDA 11");
}

TEST(NoDriver, NothingElseIsAffected) {
  withDriver("no-such-libcuda.so.1");
  std::vector<uint32_t> out(32);
  emulate(objectOf(
              "fill",
              [](const uint64_t *words, Self *self) {
                pointer<uint32_t>(words[0])[self->thread[0]] = 7;
              },
              32),
          {}, {word(out.data())});
  EXPECT_EQ(out, std::vector<uint32_t>(32, 7));
}

} // namespace
