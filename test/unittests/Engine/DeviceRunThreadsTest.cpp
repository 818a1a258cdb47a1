//===- DeviceRunThreadsTest.cpp - Many threads on one pattern -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceRuns.h"

#include <thread>

using namespace tsgu;
using namespace tsgu::test;

namespace {

class Threads : public DeviceRuns {};

TEST_F(Threads, ComputeOnceWhatAPatternNeeds) {
  const TestMatrix matrix;
  runKernels();
  tsgu_pattern *pattern = patternOf(matrix);
  emulateProgram("spmm/vjp1", 4, pattern);
  constexpr int count = 8;
  std::vector<std::unique_ptr<Queue>> queues;
  std::vector<Operation> operations;
  for (int i = 0; i < count; ++i) {
    queues.push_back(std::make_unique<Queue>(
        memory, reinterpret_cast<void *>(0x100 + 0x10 * (i % 2))));
    operations.push_back(spmmVJP1(pattern, matrix, 4));
  }
  const size_t before = cuda.launches().size();
  std::vector<tsgu_status> statuses(count, TSGU_INTERNAL);
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      ++ready;
      while (ready < count)
        std::this_thread::yield();
      statuses[i] = operations[i].runOn(queues[i]->get());
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(statuses, std::vector<tsgu_status>(count, TSGU_OK));

  std::map<std::string, int> started;
  std::map<void *, int> products;
  const std::vector<StandInLaunch> launches = cuda.launches();
  for (size_t i = before; i < launches.size(); ++i) {
    ++started[launches[i].kernel];
    if (launches[i].kernel == "spmm_vjp1_k0")
      ++products[launches[i].stream];
  }
  for (const char *once : {"make_keys", "gather_rows", "count_chunks",
                           "fill_chunks", "fill_long_rows"})
    EXPECT_EQ(started[once], 1) << once;
  EXPECT_EQ(products, (std::map<void *, int>{
                          {reinterpret_cast<void *>(0x100), count / 2},
                          {reinterpret_cast<void *>(0x110), count / 2}}));

  std::vector<float> expected(static_cast<size_t>(matrix.columns) * 4);
  const float *a = operations[0].operands[0].data;
  const float *g = operations[0].operands[2].data;
  matrix.forEach([&](int64_t, int64_t row, int64_t column, int64_t k) {
    for (int64_t j = 0; j < 4; ++j)
      expected[column * 4 + j] += a[k] * g[row * 4 + j];
  });
  for (const Operation &operation : operations)
    EXPECT_EQ(std::vector<float>(operation.result.data,
                                 operation.result.data + expected.size()),
              expected);
  tsgu_pattern_release(pattern);
}

} // namespace
