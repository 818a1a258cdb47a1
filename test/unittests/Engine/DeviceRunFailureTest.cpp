//===- DeviceRunFailureTest.cpp - Runs whose driver calls fail ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceRuns.h"

using namespace tsgu;
using namespace tsgu::test;

namespace {

constexpr int outOfMemory = 2, launchFailed = 719;

class FailingRuns : public DeviceRuns {
protected:
  TestMatrix matrix;

  struct Outcome {
    tsgu_status status = TSGU_OK;
    std::string message;
  };
  /// A pattern, two runs and its release.
  template <typename Make> Outcome attempt(Make &&make) {
    tsgu_pattern *pattern = nullptr;
    tsgu_status status = makePattern(matrix, &pattern);
    if (status == TSGU_OK) {
      const Operation operation = make(pattern);
      status = operation.runOn(queue.get());
      if (status == TSGU_OK)
        status = operation.runOn(queue.get());
    }
    const Outcome outcome{status, status == TSGU_OK ? "" : tsgu_last_error()};
    tsgu_pattern_release(pattern);
    return outcome;
  }

  /// Fails each call once. Gives how many there were.
  template <typename Make> int failEach(int error, Make &&make, bool fresh) {
    listKernels(make);
    for (int k = 1;; ++k) {
      if (fresh) // So that kernels have to be loaded.
        cuda.setCurrent(cuda.makeContext(0));
      const StandInBooks before = cuda.books();
      const size_t launches = cuda.launches().size();
      cuda.failAt(k, error);
      const Outcome outcome = attempt(make);
      const std::string failed = cuda.failed();
      cuda.failAt(0, 0);
      // What is not freed because the driver refuses to is all that is left.
      const size_t left = cuda.books().memory - before.memory;
      EXPECT_EQ(left, failed == "cuMemFree" ? 1u : 0u) << failed << ' ' << k;
      unfreed += left;
      if (failed.empty()) {
        EXPECT_EQ(outcome.status, TSGU_OK) << outcome.message;
        return k - 1;
      }
      expectTyped(outcome, failed, error, k);
      if (failed == "cuLaunchKernel")
        expectKernel(outcome, cuda.launches().size() - launches);
      EXPECT_EQ(attempt(make).status, TSGU_OK)
          << tsgu_last_error() << " after " << failed << ' ' << k;
    }
  }

  template <typename Make> void listKernels(Make &&make) {
    const size_t before = cuda.launches().size();
    EXPECT_EQ(attempt(make).status, TSGU_OK) << tsgu_last_error();
    kernels.clear();
    for (const StandInLaunch &launch : cuda.launches())
      kernels.push_back(launch.kernel);
    kernels.erase(kernels.begin(),
                  kernels.begin() + static_cast<ptrdiff_t>(before));
  }

  void expectTyped(const Outcome &outcome, const std::string &failed, int error,
                   int k) {
    if (outcome.status == TSGU_OK) {
      EXPECT_TRUE(isOfFreeing(failed)) << failed << ' ' << k;
      return;
    }
    EXPECT_EQ(outcome.status,
              error == outOfMemory ? TSGU_OUT_OF_MEMORY : TSGU_DEVICE_ERROR)
        << outcome.message;
    EXPECT_TRUE(outcome.message.starts_with(failed)) << outcome.message;
  }

  /// The kernel that comes after those that were started, which another
  /// attempt tells.
  void expectKernel(const Outcome &outcome, size_t started) {
    ASSERT_LT(started, kernels.size());
    EXPECT_TRUE(outcome.message.starts_with("cuLaunchKernel of kernel " +
                                            kernels[started] + " failed: "))
        << outcome.message;
  }

  std::vector<std::string> kernels; ///< Of an attempt, in order.
};

TEST_F(FailingRuns, AreTypedAndLeaveNothing) {
  const auto softmaxOf = [&](tsgu_pattern *p) { return softmax(p, matrix); };
  const auto vjpOf = [&](tsgu_pattern *p) { return spmmVJP1(p, matrix, 4); };
  for (bool fresh : {true, false})
    for (int error : {launchFailed, outOfMemory}) {
      EXPECT_GT(failEach(error, softmaxOf, fresh), 50);
      EXPECT_GT(failEach(error, vjpOf, fresh), 100);
    }
}

TEST_F(FailingRuns, WithoutScratchAreTyped) {
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = softmax(pattern, matrix);
  queue.refuses = true;
  for (int repeat = 0; repeat < 2; ++repeat) {
    const size_t launches = cuda.launches().size();
    EXPECT_EQ(operation.runOn(queue.get()), TSGU_OUT_OF_MEMORY);
    EXPECT_NE(std::strstr(tsgu_last_error(), "bytes of scratch on the device"),
              nullptr)
        << tsgu_last_error();
    if (repeat) // The pattern's long rows were counted before.
      EXPECT_EQ(cuda.launches().size(), launches);
  }
  tsgu_queue without = *queue.get();
  without.allocate = nullptr;
  EXPECT_EQ(operation.runOn(&without), TSGU_OUT_OF_MEMORY);
  EXPECT_NE(std::strstr(tsgu_last_error(), "the queue has no allocator"),
            nullptr)
      << tsgu_last_error();
  queue.refuses = false;
  EXPECT_EQ(operation.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
  tsgu_pattern_release(pattern);
}

} // namespace
