//===- DeviceRunTest.cpp - What runs ask of the driver --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SecondRun.h"

using namespace tsgu;
using namespace tsgu::test;

namespace {

TEST_F(SecondRun, OnlyLaunchesKernelsAndTheHostTouchesNothing) {
  const TestMatrix matrix, batch(3);
  tsgu_pattern *csr = patternOf(matrix), *coo = patternFromCOO(matrix);
  tsgu_pattern *batched = patternOf(batch);
  std::vector<std::tuple<Operation, const TestMatrix *, int64_t, int64_t>> all;
  for (tsgu_pattern *p : {csr, coo})
    for (int64_t width : {4, 300}) {
      all.emplace_back(spmm(p, matrix, width), &matrix, width, 1);
      all.emplace_back(spmmVJP0(p, matrix, width), &matrix, width, 1);
      all.emplace_back(spmmVJP1(p, matrix, width), &matrix, width, 1);
      all.emplace_back(softmax(p, matrix), &matrix, width, 1);
      all.emplace_back(softmaxVJP0(p, matrix), &matrix, width, 1);
      all.emplace_back(manySpmm(p, matrix, width), &matrix, width, 3);
      all.emplace_back(manySpmmVJP1(p, matrix, width), &matrix, width, 3);
    }
  all.emplace_back(batchedSpmm(batched, batch, 8), &batch, 8, 1);
  memory.hide();
  for (const auto &[operation, of, width, items] : all)
    expectAsManifest(operation, *of, width, items);
  for (tsgu_pattern *pattern : {csr, coo, batched})
    tsgu_pattern_release(pattern);
}

/// By hand: 400 rows by 4 warps, and B and C of 300 columns.
TEST_F(SecondRun, SpmmPassesWhatItSays) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  tsgu_layout layout;
  ASSERT_EQ(tsgu_pattern_layout(pattern, nullptr, &layout), TSGU_OK);
  const Operation operation = spmm(pattern, matrix, 300);
  const std::vector<StandInLaunch> launches = secondRun(operation);
  ASSERT_EQ(launches.size(), 1u);
  const StandInLaunch &launch = launches[0];
  EXPECT_EQ(launch.kernel, "spmm_k0");
  EXPECT_EQ(launch.grid[0], 100u);
  EXPECT_EQ(launch.grid[1], 1u);
  EXPECT_EQ(launch.block[0], 128u);
  auto word = [](const void *data) { return reinterpret_cast<uint64_t>(data); };
  ASSERT_EQ(launch.words.size(), 16u);
  const std::vector<uint64_t> expected{word(operation.operands[0].data),
                                       word(operation.operands[1].data),
                                       word(operation.result.data),
                                       0,
                                       0,
                                       0,
                                       0,
                                       0, // Bytes between items.
                                       400,
                                       300,
                                       300,
                                       300,
                                       128,
                                       0};
  EXPECT_EQ(std::vector(launch.words.begin() + 2, launch.words.end()),
            expected);
  EXPECT_EQ(launch.words[0], word(layout.positions));
  EXPECT_EQ(launch.words[1], word(layout.coordinates));
  for (int i : {0, 1}) // The pattern's, not the caller's.
    EXPECT_FALSE(memory.contains(launch.words[i]));
  tsgu_pattern_release(pattern);
}

/// A matrix without columns times no rows: zeros.
TEST_F(SecondRun, OperandsWithoutElementsNeedNoStrides) {
  TestMatrix matrix;
  matrix.columns = 0;
  matrix.coordinates.clear();
  matrix.positions.assign(matrix.positions.size(), 0);
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = spmm(pattern, matrix, 4);
  tsgu_tensor given[] = {operation.operands[0].tensor(),
                         operation.operands[1].tensor()};
  given[0].strides = given[1].strides = nullptr;
  given[0].data = given[1].data = nullptr;
  const tsgu_tensor to = operation.result.tensor();
  EXPECT_EQ(tsgu_program_run_on(operation.program, &pattern, 1, given, 2, &to,
                                queue.get()),
            TSGU_OK)
      << tsgu_last_error();
  tsgu_pattern_release(pattern);
}

} // namespace
