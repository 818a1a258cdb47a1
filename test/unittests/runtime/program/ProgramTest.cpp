//===- ProgramTest.cpp - Programs, specialisations, refused operands ------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ErrorTesting.h"
#include "Matrices.h"
#include "tsgu/CompilerInterface.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace tsgu;
using namespace tsgu::test;

namespace {

class CompilerLibrary : public testing::Environment {
public:
  void SetUp() override {
    if (std::exchange(opened, true))
      return; // Tests repeated in one process.
    // In this order: the first that can be used stays.
    EXPECT_EQ(tsgu_set_compiler(nullptr), TSGU_INVALID_ARGUMENT);
    EXPECT_EQ(tsgu_set_compiler("/nowhere/libnone.so"), TSGU_COMPILE_FAILED);
    says("/nowhere/libnone.so");
    EXPECT_EQ(tsgu_set_compiler(TSGU_TEST_NO_COMPILER), TSGU_COMPILE_FAILED);
    says("no compiler of tsgu");
    EXPECT_EQ(tsgu_set_compiler(TSGU_TEST_OLD_COMPILER), TSGU_COMPILE_FAILED);
    says("interface " + std::to_string(TSGU_COMPILER_ABI + 41) +
         " instead of " + std::to_string(TSGU_COMPILER_ABI));
    tsgu_program *program = nullptr;
    setenv("TSGU_COMPILER", "/nowhere/libother.so", 1);
    EXPECT_EQ(tsgu_program_open("spmm", &program), TSGU_COMPILE_FAILED);
    says("/nowhere/libother.so");
    says("tsgu_set_compiler");
    ASSERT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK)
        << tsgu_last_error();
    EXPECT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK);
    EXPECT_EQ(tsgu_set_compiler("/nowhere/libother.so"), TSGU_INVALID_ARGUMENT);
    says("in use already");
  }

private:
  static inline bool opened = false;

  static void says(const std::string &text) {
    EXPECT_NE(std::string(tsgu_last_error()).find(text), std::string::npos)
        << tsgu_last_error();
  }
};

const auto *const environment =
    testing::AddGlobalTestEnvironment(new CompilerLibrary);

/// A name under which nothing was compiled yet.
std::string freshSpmm() {
  static int number = 0;
  return "spmm!" + std::to_string(number++);
}

uint64_t compiled() {
  tsgu_counters counters;
  tsgu_get_counters(&counters);
  return counters.compiled;
}

::testing::AssertionResult contains(const std::string &text,
                                    std::initializer_list<const char *> parts) {
  for (const char *part : parts)
    if (text.find(part) == std::string::npos)
      return ::testing::AssertionFailure()
             << '\'' << part << "' is not in: " << text;
  return ::testing::AssertionSuccess();
}

class ProgramTest : public testing::Test {
protected:
  // [1 2 0; 0 0 3]
  Pattern A = Pattern::csr<int32_t>({2, 3}, {0, 2, 3}, {0, 1, 2});
  std::vector<double> values{1, 2, 3}, B{1, 10, 100, 1000, 1e4, 1e5};
  std::vector<float> valuesF{1, 2, 3}, BF{1, 10, 100, 1000, 1e4, 1e5};
};

TEST_F(ProgramTest, Computes) {
  Program spmm("spmm");
  View dense(B, {3, 2});
  EXPECT_EQ(spmm.inferShape({A}, {values, dense}),
            (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(spmm.compute<double>({A}, {values, dense}),
            (std::vector<double>{201, 2010, 3e4, 3e5}));
  EXPECT_EQ(spmm.compute<float>({A}, {valuesF, {BF, {3, 2}}}),
            (std::vector<float>{201, 2010, 3e4, 3e5}));
  EXPECT_NE(std::string(spmm.signature()).find("\"P0\""), std::string::npos);
}

TEST_F(ProgramTest, CompilesOnceForEachWidthUpTo256) {
  Program spmm(freshSpmm());
  std::vector<double> wide(3 * 1000, 1);
  auto compilesFor = [&](int64_t p) {
    uint64_t before = compiled();
    spmm.compute<double>({A}, {values, View(wide.data(), {3, p})});
    return compiled() - before;
  };
  for (int64_t p : {1, 2, 255, 256, 257}) {
    EXPECT_EQ(compilesFor(p), 1u) << p;
    EXPECT_EQ(compilesFor(p), 0u) << p;
  }
  EXPECT_EQ(compilesFor(700), 0u); // As 257: not specialised.
  EXPECT_EQ(compilesFor(0), 0u);   // Nothing to compute.
}

TEST_F(ProgramTest, SpecialisesToTypes) {
  Program spmm(freshSpmm());
  uint64_t before = compiled();
  spmm.compute<double>({A}, {values, {B, {3, 2}}});
  spmm.compute<float>({A}, {valuesF, {BF, {3, 2}}});
  Pattern wide = Pattern::csr<int64_t>({2, 3}, {0, 2, 3}, {0, 1, 2});
  EXPECT_EQ(spmm.compute<float>({wide}, {valuesF, {BF, {3, 2}}}),
            (std::vector<float>{201, 2010, 3e4, 3e5}));
  // Indices that were given as int64 are int32 in the pattern.
  EXPECT_EQ(compiled() - before, 2u);
}

TEST_F(ProgramTest, ManyThreadsCompileOnce) {
  const std::string name = freshSpmm();
  uint64_t before = compiled();
  std::atomic<bool> go{false};
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&] {
      while (!go)
        std::this_thread::yield();
      Program mine(name);
      right += mine.compute<double>({A}, {values, {B, {3, 2}}}) ==
               std::vector<double>{201, 2010, 3e4, 3e5};
    });
  go = true;
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(right, 16);
  EXPECT_EQ(compiled() - before, 1u);
}

TEST_F(ProgramTest, ForkWhileOthersCompile) {
  const std::string name = freshSpmm();
  std::thread compiling([&] {
    for (int64_t p = 1; p < 12; ++p) {
      std::vector<double> dense(3 * p, 1);
      Program(name).compute<double>({A}, {values, {dense, {3, p}}});
    }
  });
  for (int repeat = 0; repeat < 5; ++repeat) {
    pid_t child = fork();
    if (child == 0) {
      alarm(30);
      std::vector<double> result(4);
      const View dense(B, {3, 2});
      tsgu_program *program = nullptr;
      tsgu_pattern *pattern = A.get();
      const View sparse(values);
      const tsgu_tensor operands[] = {sparse.tensor(), dense.tensor()};
      const View view(result.data(), {2, 2});
      const tsgu_tensor output = view.tensor();
      bool fine = tsgu_program_open(name.c_str(), &program) == TSGU_OK &&
                  tsgu_program_run(program, &pattern, 1, operands, 2, &output,
                                   nullptr) == TSGU_OK;
      _exit(fine ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << status;
  }
  compiling.join();
}

TEST_F(ProgramTest, PrintsManifests) {
  tsgu_program *program = nullptr;
  check(tsgu_program_open("spmm", &program));
  const int64_t widths[4] = {0, 0, 32, 0};
  tsgu_specialization wanted{TSGU_F32,        TSGU_I64, TSGU_I32, widths, 4,
                             TSGU_TARGET_CPU, 0,        {},       {}};
  char *text = nullptr;
  check(tsgu_program_manifest(program, &wanted, &text));
  EXPECT_TRUE(contains(text, {"size p = 32", "operand A: f32", "i64"})) << text;
  tsgu_string_free(text);
  EXPECT_EQ(tsgu_program_manifest(program, nullptr, &text),
            TSGU_INVALID_ARGUMENT);
  wanted.width_count = 3;
  EXPECT_EQ(tsgu_program_manifest(program, &wanted, &text),
            TSGU_INVALID_ARGUMENT);
  wanted = {TSGU_I32,        TSGU_I64, TSGU_I32, widths, 4,
            TSGU_TARGET_CPU, 0,        {},       {}};
  EXPECT_EQ(tsgu_program_manifest(program, &wanted, &text),
            TSGU_INVALID_ARGUMENT);
  const int64_t tooWide[4] = {0, 0, 257, 0};
  wanted = {TSGU_F32,        TSGU_I64, TSGU_I32, tooWide, 4,
            TSGU_TARGET_CPU, 0,        {},       {}};
  EXPECT_EQ(tsgu_program_manifest(program, &wanted, &text),
            TSGU_INVALID_ARGUMENT);
}

TEST_F(ProgramTest, RefusesToEmitWhereTheCompilerCannot) {
  tsgu_program *program = nullptr;
  check(tsgu_program_open("spmm", &program));
  const int64_t widths[4] = {};
  tsgu_specialization wanted{TSGU_F32,        TSGU_I32, TSGU_I32, widths, 4,
                             TSGU_TARGET_CPU, 0,        {},       {}};
  char *object = nullptr;
  uint64_t size = 0;
  EXPECT_EQ(tsgu_program_emit(program, &wanted, nullptr, &object, &size),
            TSGU_COMPILE_FAILED);
  EXPECT_TRUE(contains(tsgu_last_error(), {"makes no object files"}));
  const int64_t rows[4] = {7, 0, 0, 0};
  wanted.widths = rows;
  EXPECT_EQ(tsgu_program_emit(program, &wanted, nullptr, &object, &size),
            TSGU_INVALID_ARGUMENT);
  EXPECT_TRUE(contains(tsgu_last_error(), {"cannot be fixed"}));
  EXPECT_EQ(tsgu_program_emit(program, nullptr, nullptr, &object, &size),
            TSGU_INVALID_ARGUMENT);
  const char *version = nullptr;
  check(tsgu_compiler_llvm(&version));
  EXPECT_STREQ(version, "none");
  EXPECT_EQ(tsgu_compiler_llvm(nullptr), TSGU_INVALID_ARGUMENT);
}

TEST_F(ProgramTest, PrintsNoManifestOfOtherBytes) {
  char *text = nullptr;
  const std::string magic = TSGU_MANIFEST_MAGIC;
  const std::string huge(8, '\xff');
  for (const std::string &bytes :
       {std::string("x"), std::string(100, 'x'), magic,
        magic + std::string("\5\0\0\0", 4) + huge + std::string(50, '\0'),
        magic + std::string(100, '\0')})
    EXPECT_EQ(tsgu_manifest_print(bytes.data(), bytes.size(), &text),
              TSGU_COMPILE_FAILED)
        << bytes;
  EXPECT_EQ(tsgu_manifest_print(nullptr, 8, &text), TSGU_INVALID_ARGUMENT);
}

TEST_F(ProgramTest, AddsPrograms) {
  Program::add("mine", "some text");
  Program::add("mine", "some text");
  EXPECT_TRUE(contains(
      errorOf(Status::CompileFailed, [] { Program::add("mine", "other"); }),
      {"mine", "another program has this name"}));
  for (const char *bad : {"", "a/b"})
    errorOf(Status::InvalidArgument, [&] { Program::add(bad, "text"); });
}

TEST_F(ProgramTest, MissingPrograms) {
  EXPECT_TRUE(
      contains(errorOf(Status::CompileFailed, [] { Program("nonexistent"); }),
               {"nonexistent", "no program has this name", "the library has"}));
  EXPECT_TRUE(
      contains(errorOf(Status::CompileFailed, [] { Program("silent"); }),
               {"gave no reason"}));
  errorOf(Status::CompileFailed, [] { Program("garbage"); });
}

TEST_F(ProgramTest, BrokenCompilers) {
  for (auto [how, status, text] :
       {std::tuple{"fails", Status::CompileFailed, "this cannot be compiled"},
        {"nothing", Status::Internal, "no object"},
        {"fewer", Status::CompileFailed, "no kernel 0"},
        {"null", Status::CompileFailed, "no kernel 0"},
        {"cut", Status::CompileFailed, "bytes"},
        {"swapped", Status::CompileFailed, ""},
        {"weights", Status::CompileFailed, "weighs its work by rows"},
        {"rank", Status::CompileFailed, ""}})
    EXPECT_TRUE(contains(errorOf(status,
                                 [&] {
                                   Program broken(std::string("spmm!") + how);
                                   broken.compute<double>(
                                       {A}, {values, {B, {3, 2}}});
                                 }),
                         {text}))
        << how;
}

//===----------------------------------------------------------------------===//
// Operands that do not fit
//===----------------------------------------------------------------------===//

class Refused : public ProgramTest {
protected:
  std::string run(const std::vector<Pattern> &patterns,
                  const std::vector<View> &operands) {
    return errorOf(Status::InvalidArgument,
                   [&] { spmm.compute<double>(patterns, operands); });
  }

  /// One call with everything spelled out.
  std::string raw(tsgu_tensor a, tsgu_tensor b, tsgu_tensor c) {
    const tsgu_tensor operands[] = {a, b};
    tsgu_pattern *pattern = A.get();
    return errorOf(Status::InvalidArgument, [&] {
      check(tsgu_program_run(program(), &pattern, 1, operands, 2, &c, nullptr));
    });
  }
  static tsgu_program *program() {
    tsgu_program *found = nullptr;
    check(tsgu_program_open("spmm", &found));
    return found;
  }

  Program spmm{"spmm"};
  std::vector<double> C = std::vector<double>(4);
  const int64_t three[1] = {3}, unit[1] = {1};
  const int64_t shapeB[2] = {3, 2}, shapeC[2] = {2, 2}, strides[2] = {2, 1};
  tsgu_tensor a{values.data(), TSGU_F64, 1, three, unit};
  tsgu_tensor b{B.data(), TSGU_F64, 2, shapeB, strides};
  tsgu_tensor c{C.data(), TSGU_F64, 2, shapeC, strides};
};

TEST_F(Refused, Counts) {
  EXPECT_TRUE(contains(run({}, {values, {B, {3, 2}}}), {"1 patterns, not 0"}));
  EXPECT_TRUE(contains(run({A}, {values}), {"2 operands, not 1"}));
  tsgu_pattern *none = nullptr;
  EXPECT_EQ(tsgu_program_run(program(), &none, 1, &a, 2, &c, nullptr),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_run(program(), nullptr, 1, &a, 2, &c, nullptr),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_run(program(), &none, -1, &a, 2, &c, nullptr),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_run(nullptr, &none, 1, &a, 2, &c, nullptr),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_run(program(), &none, 1, &a, 2, nullptr, nullptr),
            TSGU_INVALID_ARGUMENT);
  const tsgu_executor broken{4, nullptr};
  EXPECT_EQ(tsgu_program_run(program(), &none, 1, &a, 2, &c, &broken),
            TSGU_INVALID_ARGUMENT);
}

TEST_F(Refused, Shapes) {
  EXPECT_TRUE(contains(run({A}, {values, {B, {2, 3}}}),
                       {"operand B of spmm", "dimension 0 is 2", "n is 3",
                        "dimension 1 of pattern P0"}));
  std::vector<double> two{1, 2};
  EXPECT_TRUE(contains(run({A}, {two, {B, {3, 2}}}),
                       {"operand A", "dimension 0 is 2", "3", "stored"}));
  EXPECT_TRUE(contains(run({A}, {values, B}), {"B", "rank 1", "must be 2"}));
  EXPECT_TRUE(contains(run({A}, {{values, {1, 1, 3}}, {B, {3, 2}}}),
                       {"A", "rank 3", "must be 1", "values"}));
  EXPECT_TRUE(contains(run({A}, {{values, {1, 3}}, {B, {2, 3, 1}}}),
                       {"B", "batch of 2", "one of 1"}));
  Pattern batched = Pattern::csr<int32_t>({1, 2, 3}, {0, 2, 3}, {0, 1, 2});
  EXPECT_TRUE(contains(run({batched}, {values, {B, {3, 2}}}),
                       {"P0", "rank 3", "must be 2"}));
}

TEST_F(Refused, Types) {
  EXPECT_TRUE(contains(run({A}, {values, {BF, {3, 2}}}),
                       {"operand B", "f32", "A is f64"}));
  std::vector<int64_t> integers(6);
  EXPECT_TRUE(
      contains(run({A}, {values, {integers, {3, 2}}}),
               {"operand B", "i64", "f32, f64, f16, bf16, c64 or c128"}));
  tsgu_tensor odd = b;
  odd.type = static_cast<tsgu_type>(9);
  EXPECT_TRUE(contains(raw(a, odd, c), {"operand B", "unknown type 9"}));
  odd = c;
  odd.type = TSGU_F32;
  EXPECT_TRUE(contains(raw(a, b, odd), {"result of spmm is f64"}));
}

TEST_F(Refused, Memory) {
  tsgu_tensor odd = b;
  odd.data = nullptr;
  EXPECT_TRUE(contains(raw(a, odd, c), {"operand B", "no data"}));
  odd = b;
  odd.data = reinterpret_cast<char *>(B.data()) + 4;
  EXPECT_TRUE(contains(raw(a, odd, c), {"operand B", "aligned", "8-byte"}));
  odd = b;
  odd.shape = nullptr;
  EXPECT_TRUE(contains(raw(a, odd, c), {"operand B", "no shape"}));
  odd = b;
  odd.strides = nullptr;
  EXPECT_TRUE(contains(raw(a, odd, c), {"operand B", "no strides"}));
  const int64_t columnMajor[2] = {1, 3}, negative[2] = {-2, 1};
  odd = b;
  odd.strides = columnMajor;
  EXPECT_TRUE(
      contains(raw(a, odd, c),
               {"operand B", "stride of dimension 1 is 3", "contiguous copy"}));
  odd.strides = negative;
  EXPECT_TRUE(contains(raw(a, odd, c), {"stride of dimension 0 is -2"}));
  const int64_t farAway[2] = {INT64_MAX / 2, 1};
  odd.strides = farAway;
  tsgu_pattern *pattern = A.get();
  const tsgu_tensor beyond[] = {a, odd};
  EXPECT_EQ(tsgu_program_run(program(), &pattern, 1, beyond, 2, &c, nullptr),
            TSGU_OUT_OF_MEMORY);
  const int64_t overlapping[2] = {1, 1};
  odd = c;
  odd.strides = overlapping;
  EXPECT_TRUE(contains(raw(a, b, odd), {"result", "overlap", "at least 2"}));
  odd = c;
  odd.data = B.data() + 1;
  EXPECT_TRUE(contains(raw(a, b, odd), {"operand B", "overlaps the result"}));
  odd.data = nullptr;
  EXPECT_TRUE(contains(raw(a, b, odd), {"result", "no data"}));
}

TEST_F(Refused, ResultShapes) {
  const int64_t wrong[2] = {2, 3};
  tsgu_tensor odd = c;
  odd.shape = wrong;
  EXPECT_TRUE(contains(raw(a, b, odd), {"shape [2, 2]", "[2, 3]"}));
  odd = c;
  odd.rank = 1;
  EXPECT_TRUE(contains(raw(a, b, odd), {"shape [2, 2]", "another rank"}));
  odd.rank = 1000000;
  EXPECT_TRUE(contains(raw(a, b, odd), {"another rank"}));
  odd = c;
  odd.shape = nullptr;
  EXPECT_TRUE(contains(raw(a, b, odd), {"no shape"}));
}

TEST_F(Refused, NegativeExtents) {
  const int64_t negative[2] = {3, -2}, negativeBatch[2] = {-1, 3};
  tsgu_tensor odd = b;
  odd.shape = negative;
  EXPECT_TRUE(contains(raw(a, odd, c), {"operand B", "dimension 1 is -2"}));
  odd = a;
  odd.rank = 2;
  odd.shape = negativeBatch;
  EXPECT_TRUE(contains(raw(odd, b, c), {"operand A", "batch of -1"}));
}

TEST_F(Refused, NullArgumentsOfAllFunctions) {
  tsgu_program *program = nullptr;
  int64_t shape[8];
  int32_t rank;
  EXPECT_EQ(tsgu_program_open(nullptr, &program), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_open("spmm", nullptr), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_add(nullptr, ""), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_add("x", nullptr), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_from_object(nullptr, &program), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_program_infer(nullptr, nullptr, 0, nullptr, 0, shape, &rank),
            TSGU_INVALID_ARGUMENT);
  EXPECT_STREQ(tsgu_program_signature(nullptr), "null");
  tsgu_pattern_retain(nullptr);
  tsgu_pattern_release(nullptr);
  tsgu_pattern_describe(nullptr, nullptr);
  tsgu_get_counters(nullptr);
  tsgu_string_free(nullptr);
  tsgu_advise_huge(nullptr, 1 << 30);
  EXPECT_STRNE(tsgu_version(), "");
}

TEST_F(ProgramTest, StridesAreFree) {
  Program spmm("spmm");
  // A broadcast B (stride 0) and a result with padding.
  const int64_t three[] = {3}, unit[] = {1}, shapeB[] = {3, 2}, zero[] = {0, 1};
  const int64_t shapeC[] = {2, 2}, padded[] = {5, 1};
  std::vector<double> C(7, std::numeric_limits<double>::quiet_NaN());
  const tsgu_tensor operands[] = {{values.data(), TSGU_F64, 1, three, unit},
                                  {B.data(), TSGU_F64, 2, shapeB, zero}};
  const tsgu_tensor result{C.data(), TSGU_F64, 2, shapeC, padded};
  tsgu_program *program = nullptr;
  check(tsgu_program_open("spmm", &program));
  tsgu_pattern *pattern = A.get();
  check(tsgu_program_run(program, &pattern, 1, operands, 2, &result, nullptr));
  EXPECT_EQ(C[0], 3);
  EXPECT_EQ(C[1], 30);
  EXPECT_EQ(C[5], 3);
  EXPECT_EQ(C[6], 30);
  EXPECT_TRUE(std::isnan(C[2]) && std::isnan(C[3]) && std::isnan(C[4]));
}

} // namespace
