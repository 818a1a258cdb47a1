//===- DeviceRunCaptureTest.cpp - Runs while a stream records -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SecondRun.h"

using namespace tsgu;
using namespace tsgu::test;

namespace {

class Capture : public SecondRun {
protected:
  void expectRefused(tsgu_status status) {
    EXPECT_EQ(status, TSGU_DEVICE_ERROR);
    EXPECT_NE(std::strstr(tsgu_last_error(),
                          "run the operation once before the capture begins"),
              nullptr)
        << tsgu_last_error();
  }
};

TEST_F(Capture, RecordsRunsThatWereDoneBefore) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  for (const Operation &operation :
       {spmm(pattern, matrix, 4), spmmVJP0(pattern, matrix, 4),
        spmmVJP1(pattern, matrix, 4), softmax(pattern, matrix),
        softmaxVJP0(pattern, matrix), manySpmmVJP1(pattern, matrix, 4)}) {
    cuda.setCapturing(false);
    expectSuccess(operation);
    cuda.setCapturing(true);
    expectAsManifest(operation, matrix, 4,
                     operation.result.shape[0] == 3 ? 3 : 1);
  }
  cuda.setCapturing(false);
  tsgu_pattern_release(pattern);
  unfreed = cuda.books().memory; // For the graphs.
}

TEST_F(Capture, KeepsWhatItsGraphReads) {
  const TestMatrix matrix;
  for (bool recorded : {false, true}) {
    const size_t before = cuda.books().memory;
    tsgu_pattern *pattern = patternFromCOO(matrix);
    const Operation operation = spmmVJP1(pattern, matrix, 4);
    expectSuccess(operation);
    const size_t with = cuda.books().memory;
    EXPECT_GT(with, before);
    for (int repeat = 0; repeat < 3; ++repeat) {
      cuda.setCapturing(recorded);
      expectSuccess(operation);
      cuda.setCapturing(false);
    }
    tsgu_pattern_release(pattern);
    EXPECT_EQ(cuda.books().memory, recorded ? with : before);
  }
  unfreed = cuda.books().memory;
}

TEST_F(Capture, IsKnown) {
  int32_t recording = -1;
  ASSERT_EQ(tsgu_queue_recording(queue.get(), &recording), TSGU_OK);
  EXPECT_EQ(recording, 0);
  cuda.setCapturing(true);
  ASSERT_EQ(tsgu_queue_recording(queue.get(), &recording), TSGU_OK);
  EXPECT_EQ(recording, 1);
  EXPECT_EQ(tsgu_queue_recording(queue.get(), nullptr), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_queue_recording(nullptr, &recording), TSGU_INVALID_ARGUMENT);
  // Work that failed earlier shows in whatever comes next.
  constexpr int illegalAddress = 700;
  cuda.failAt(2, illegalAddress);
  EXPECT_EQ(tsgu_queue_recording(queue.get(), &recording), TSGU_DEVICE_ERROR);
}

/// In a context of its own each time, where nothing is loaded.
TEST_F(Capture, RefusesFirstRunsAndLeavesNothing) {
  const TestMatrix matrix;
  for (int which = 0; which < 5; ++which) {
    cuda.setCurrent(cuda.makeContext(0));
    tsgu_pattern *pattern = patternOf(matrix);
    const Operation operation = which == 0   ? spmm(pattern, matrix, 4)
                                : which == 1 ? spmmVJP0(pattern, matrix, 4)
                                : which == 2 ? spmmVJP1(pattern, matrix, 4)
                                : which == 3 ? softmax(pattern, matrix)
                                             : softmaxVJP0(pattern, matrix);
    SCOPED_TRACE(operation.path);
    const StandInBooks before = cuda.books();
    const size_t launches = cuda.launches().size();
    cuda.setCapturing(true);
    for (int repeat = 0; repeat < 2; ++repeat)
      expectRefused(operation.runOn(queue.get()));
    EXPECT_EQ(cuda.books().memory, before.memory);
    EXPECT_EQ(cuda.books().modules, before.modules);
    EXPECT_EQ(cuda.launches().size(), launches);
    cuda.setCapturing(false);
    expectAsManifest(operation, matrix, 4);
    tsgu_pattern_release(pattern);
  }
}

/// With the pattern's layouts there, but not the kernels.
TEST_F(Capture, RefusesToLoadKernels) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = spmm(pattern, matrix, 12);
  expectSuccess(spmm(pattern, matrix, 4));
  cuda.setCurrent(cuda.makeContext(0));
  cuda.setCapturing(true);
  expectRefused(operation.runOn(queue.get()));
  EXPECT_NE(std::strstr(tsgu_last_error(), "kernel spmm_k0"), nullptr);
  cuda.setCapturing(false);
  expectSuccess(operation);
  cuda.setCapturing(true);
  expectSuccess(operation);
  cuda.setCapturing(false);
  tsgu_pattern_release(pattern);
  unfreed = cuda.books().memory;
}

TEST_F(Capture, RefusesPatterns) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = nullptr;
  const size_t launches = cuda.launches().size();
  cuda.setCapturing(true);
  expectRefused(makePattern(matrix, &pattern));
  EXPECT_EQ(pattern, nullptr);
  EXPECT_EQ(cuda.launches().size(), launches);
  cuda.setCapturing(false);
  ASSERT_EQ(makePattern(matrix, &pattern), TSGU_OK);
  tsgu_pattern_release(pattern);
}

} // namespace
