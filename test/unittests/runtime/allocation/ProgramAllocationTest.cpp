//===- ProgramAllocationTest.cpp - Programs while memory runs out ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs are kept for the life of the process, so every attempt takes one of
// its own, and a failed one must leave nothing of it. The compiler here has
// memory of its own, which does not run out.
//
//===----------------------------------------------------------------------===//

#include "FailingAllocation.h"
#include "tsgu/CompilerInterface.h"
#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <string>

using namespace tsgu::test;

namespace {

/// `call(make(name))` with the k-th allocation of the call failing, for every k
/// and another name each time; then it succeeds.
template <typename M, typename F>
void failEachNamed(const std::string &prefix, M &&make, F &&call) {
  ASSERT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK)
      << tsgu_last_error();
  static int64_t names = 0; // Tests may be repeated.
  const auto fresh = [&] { return make(prefix + std::to_string(++names)); };
  ASSERT_EQ(call(fresh()), TSGU_OK) << tsgu_last_error();
  int64_t k = 1;
  for (;; ++k) {
    const auto made = fresh();
    const int64_t before = live;
    untilFailure = k;
    const tsgu_status status = call(made);
    const bool reached = untilFailure == 0;
    untilFailure = -1;
    if (!reached) {
      EXPECT_EQ(status, TSGU_OK) << tsgu_last_error();
      break;
    }
    ASSERT_EQ(status, TSGU_OUT_OF_MEMORY)
        << "allocation " << k << ": " << tsgu_last_error();
    EXPECT_STRNE(tsgu_last_error(), "");
    // The message may be kept.
    EXPECT_LE(live, before + 1) << "allocation " << k;
    ASSERT_EQ(call(made), TSGU_OK) << tsgu_last_error();
  }
  EXPECT_GT(k, 1) << "allocates nothing, so nothing was tested";
}

std::string named(const std::string &name) { return name; }

TEST(ProgramAllocation, Open) {
  failEachNamed("spmm!open", named, [](const std::string &name) {
    tsgu_program *program = nullptr;
    return tsgu_program_open(name.c_str(), &program);
  });
}

TEST(ProgramAllocation, Add) {
  failEachNamed("added with a long name, so that it takes memory ", named,
                [](const std::string &name) {
                  return tsgu_program_add(name.c_str(), "some text");
                });
}

tsgu_program *opened(const std::string &name) {
  tsgu_program *program = nullptr;
  EXPECT_EQ(tsgu_program_open(name.c_str(), &program), TSGU_OK)
      << tsgu_last_error();
  return program;
}

tsgu_status printed(tsgu_program *program) {
  const int64_t widths[] = {0, 0, 0, 0};
  const tsgu_specialization specialization{
      TSGU_F64, TSGU_I32, TSGU_I32, widths, 4, TSGU_TARGET_CPU, 0, {}, {}};
  char *text = nullptr;
  const tsgu_status status =
      tsgu_program_manifest(program, &specialization, &text);
  EXPECT_EQ(text != nullptr, status == TSGU_OK);
  tsgu_string_free(text);
  return status;
}

tsgu_program *compiled(const std::string &name) {
  tsgu_program *program = opened(name);
  EXPECT_EQ(printed(program), TSGU_OK) << tsgu_last_error();
  return program;
}

TEST(ProgramAllocation, Manifest) {
  failEachNamed("spmm!manifest", compiled, printed);
}

TEST(ProgramAllocation, FirstRun) {
  const int64_t shape[] = {2, 2}, two[] = {2}, unit[] = {1}, rows[] = {2, 1};
  const int32_t positions[] = {0, 1, 2}, coordinates[] = {1, 0};
  tsgu_pattern *pattern = nullptr;
  ASSERT_EQ(tsgu_pattern_from_csr(2, shape, TSGU_I32, positions, coordinates, 2,
                                  &pattern),
            TSGU_OK);
  tsgu_set_threads(1);
  failEachNamed("spmm!run", opened, [&](tsgu_program *program) {
    double values[] = {2, 3}, B[] = {1, 2, 3, 4}, C[4] = {};
    const tsgu_tensor operands[] = {{values, TSGU_F64, 1, two, unit},
                                    {B, TSGU_F64, 2, shape, rows}};
    const tsgu_tensor result{C, TSGU_F64, 2, shape, rows};
    const tsgu_status status =
        tsgu_program_run(program, &pattern, 1, operands, 2, &result, nullptr);
    if (status == TSGU_OK) {
      EXPECT_EQ(C[0], 6);
      EXPECT_EQ(C[3], 6);
    }
    return status;
  });
  tsgu_set_threads(0);
  tsgu_pattern_release(pattern);
}

TEST(ProgramAllocation, Signature) {
  ASSERT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK);
  tsgu_program *program = opened("spmm!signature");
  untilFailure = 1;
  EXPECT_STRNE(tsgu_program_signature(program), "");
  EXPECT_EQ(untilFailure, 1) << "asks for memory";
  untilFailure = -1;
}

TEST(ProgramAllocation, SetCompiler) {
  ASSERT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK);
  for (int64_t k = 1; k < 8; ++k) {
    untilFailure = k;
    const tsgu_status again = tsgu_set_compiler(TSGU_TEST_COMPILER);
    const bool reached = untilFailure == 0;
    untilFailure = -1;
    EXPECT_EQ(again, reached ? TSGU_OUT_OF_MEMORY : TSGU_OK);
    untilFailure = k;
    const tsgu_status other = tsgu_set_compiler("another-compiler-library.so");
    untilFailure = -1;
    EXPECT_TRUE(other == TSGU_INVALID_ARGUMENT || other == TSGU_OUT_OF_MEMORY);
    EXPECT_STRNE(tsgu_last_error(), "");
  }
}

} // namespace
