//===- AllocationTest.cpp - Every allocation may fail ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The k-th allocation of a call fails, for k = 1, 2, ... until none does: every
// time there is a typed error, nothing leaks, and the next call works.
//
//===----------------------------------------------------------------------===//

#include "FailingAllocation.h"
#include "FakePrograms.h"
#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <functional>

namespace {

using namespace tsgu;
using namespace tsgu::test;

/// `call` returns a status and, where it succeeds, undoes what it did.
void failEach(const char *name, const std::function<tsgu_status()> &call) {
  ASSERT_EQ(call(), TSGU_OK) << name; // Warm: messages, counters, scratch.
  for (int64_t k = 1;; ++k) {
    const int64_t before = live;
    untilFailure = k;
    const tsgu_status status = call();
    const bool failed = untilFailure == 0;
    untilFailure = -1;
    if (!failed) {
      EXPECT_EQ(status, TSGU_OK) << name;
      EXPECT_EQ(live, before) << name;
      return;
    }
    EXPECT_EQ(status, TSGU_OUT_OF_MEMORY)
        << name << ", allocation " << k << ": " << tsgu_last_error();
    EXPECT_STRNE(tsgu_last_error(), "");
    // The message itself may have been what was kept.
    EXPECT_LE(live, before + 1) << name << ", allocation " << k;
    ASSERT_EQ(call(), TSGU_OK) << name << " after failure " << k;
  }
}

struct Arrays {
  int64_t shape[2] = {3, 4};
  int32_t positions[4] = {0, 2, 3, 5};
  int32_t sorted[5] = {0, 2, 1, 0, 3}, unsorted[5] = {2, 0, 1, 3, 3};
  int32_t rows[5] = {2, 0, 1, 0, 2};
} arrays;

tsgu_status fromCSR(const int32_t *coordinates, tsgu_pattern **pattern) {
  return tsgu_pattern_from_csr(2, arrays.shape, TSGU_I32, arrays.positions,
                               coordinates, 5, pattern);
}

void failEachImport(const char *name,
                    const std::function<tsgu_status(tsgu_pattern **)> &import) {
  failEach(name, [&] {
    tsgu_pattern *pattern = nullptr;
    tsgu_status status = import(&pattern);
    if (status == TSGU_OK)
      tsgu_pattern_release(pattern);
    return status;
  });
}

TEST(Allocation, CSR) {
  failEachImport("canonical",
                 [](tsgu_pattern **p) { return fromCSR(arrays.sorted, p); });
  failEachImport("unsorted",
                 [](tsgu_pattern **p) { return fromCSR(arrays.unsorted, p); });
}

TEST(Allocation, COO) {
  failEachImport("COO", [](tsgu_pattern **p) {
    const void *coordinates[2] = {arrays.rows, arrays.sorted};
    return tsgu_pattern_from_coo(2, arrays.shape, TSGU_I32, coordinates, 5, p);
  });
}

TEST(Allocation, Layouts) {
  failEach("layout", [] {
    const int64_t limit = untilFailure;
    untilFailure = -1;
    tsgu_pattern *pattern = nullptr;
    EXPECT_EQ(fromCSR(arrays.sorted, &pattern), TSGU_OK);
    untilFailure = limit;
    const int32_t order[2] = {1, 0};
    tsgu_layout layout;
    const tsgu_status status = tsgu_pattern_layout(pattern, order, &layout);
    tsgu_pattern_release(pattern);
    return status;
  });
}

TEST(Allocation, Runs) {
  tsgu_set_threads(1);
  tsgu_pattern *pattern = nullptr;
  ASSERT_EQ(fromCSR(arrays.sorted, &pattern), TSGU_OK);
  for (const char *name : {"spmm", "spmm-transposed"}) {
    const FakeObject object(fakeManifest(name, {}), {});
    tsgu_program *program = nullptr;
    ASSERT_EQ(tsgu_program_from_object(&object.object(), &program), TSGU_OK);
    const int64_t five[] = {5}, unit[] = {1}, strides[] = {2, 1};
    const bool transposed = object.manifest.scratch.size() > 0;
    const int64_t in[] = {transposed ? 3 : 4, 2}, out[] = {7 - in[0], 2};
    double values[5] = {}, B[8] = {}, C[8];
    const tsgu_tensor operands[] = {{values, TSGU_F64, 1, five, unit},
                                    {B, TSGU_F64, 2, in, strides}};
    const tsgu_tensor result{C, TSGU_F64, 2, out, strides};
    failEach(name, [&] {
      return tsgu_program_run(program, &pattern, 1, operands, 2, &result,
                              nullptr);
    });
    // The hot path asks for no memory at all.
    untilFailure = 1;
    EXPECT_EQ(
        tsgu_program_run(program, &pattern, 1, operands, 2, &result, nullptr),
        TSGU_OK);
    EXPECT_EQ(untilFailure, 1);
    untilFailure = -1;
  }
  tsgu_pattern_release(pattern);
}

TEST(Allocation, RefusedOperands) {
  const FakeObject object(fakeManifest("spmm", {}), {});
  tsgu_program *program = nullptr;
  ASSERT_EQ(tsgu_program_from_object(&object.object(), &program), TSGU_OK);
  for (int64_t k = 1; k < 20; ++k) {
    untilFailure = k;
    const tsgu_status status =
        tsgu_program_infer(program, nullptr, 0, nullptr, 0, nullptr, nullptr);
    untilFailure = -1;
    EXPECT_TRUE(status == TSGU_INVALID_ARGUMENT ||
                status == TSGU_OUT_OF_MEMORY);
    EXPECT_STRNE(tsgu_last_error(), "");
  }
}

TEST(Allocation, ProgramsFromObjects) {
  const FakeObject object(fakeManifest("spmm-transposed", {}), {});
  for (int64_t k = 1;; ++k) {
    const int64_t before = live;
    tsgu_program *program = nullptr;
    untilFailure = k;
    const tsgu_status status =
        tsgu_program_from_object(&object.object(), &program);
    const bool failed = untilFailure == 0;
    untilFailure = -1;
    if (!failed) {
      EXPECT_EQ(status, TSGU_OK);
      break;
    }
    EXPECT_EQ(status, TSGU_OUT_OF_MEMORY) << tsgu_last_error();
    EXPECT_EQ(program, nullptr);
    EXPECT_LE(live, before + 2) << "allocation " << k;
  }
}

} // namespace
