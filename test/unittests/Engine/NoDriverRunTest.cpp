//===- NoDriverRunTest.cpp - Programs where there is no driver ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace {

void expectNoDriver(tsgu_status status) {
  EXPECT_EQ(status, TSGU_DEVICE_ERROR);
  for (const char *text : {"there is no NVIDIA driver: no-such-libcuda.so.1",
                           "install the driver", "compute on the CPU"})
    EXPECT_NE(std::strstr(tsgu_last_error(), text), nullptr)
        << tsgu_last_error();
}

TEST(NoDriverRun, SaysWhatIsMissingAndTheCPUWorks) {
  ASSERT_EQ(setenv("TSGU_LIBCUDA", "no-such-libcuda.so.1", 1), 0);
  ASSERT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK)
      << tsgu_last_error();
  const int32_t positions[] = {0, 1, 2}, coordinates[] = {0, 1};
  const int64_t shape[] = {2, 2}, strides[] = {2, 1}, stored[] = {2},
                one[] = {1};
  float values[] = {2, 3}, b[] = {1, 2, 3, 4}, c[4];
  const tsgu_tensor operands[] = {{values, TSGU_F32, 1, stored, one},
                                  {b, TSGU_F32, 2, shape, strides}};
  const tsgu_tensor result{c, TSGU_F32, 2, shape, strides};
  const tsgu_queue queue{0, nullptr, nullptr, nullptr};
  tsgu_program *program = nullptr;
  tsgu_pattern *pattern = nullptr, *none = nullptr;
  ASSERT_EQ(tsgu_program_open("spmm", &program), TSGU_OK) << tsgu_last_error();
  ASSERT_EQ(tsgu_pattern_from_csr(2, shape, TSGU_I32, positions, coordinates, 2,
                                  &pattern),
            TSGU_OK);
  for (int repeat = 0; repeat < 3; ++repeat) {
    std::fill_n(c, 4, -1.0f);
    ASSERT_EQ(
        tsgu_program_run(program, &pattern, 1, operands, 2, &result, nullptr),
        TSGU_OK)
        << tsgu_last_error();
    EXPECT_TRUE(c[0] == 2 && c[1] == 4 && c[2] == 9 && c[3] == 12);
    expectNoDriver(tsgu_program_run_on(program, &pattern, 1, operands, 2,
                                       &result, &queue));
    expectNoDriver(tsgu_pattern_from_csr_on(2, shape, TSGU_I32, positions,
                                            coordinates, 2, &queue, &none));
    const void *both[] = {coordinates, coordinates};
    expectNoDriver(
        tsgu_pattern_from_coo_on(2, shape, TSGU_I32, both, 2, &queue, &none));
    EXPECT_EQ(none, nullptr);
  }
  tsgu_pattern_release(pattern);
}

} // namespace
