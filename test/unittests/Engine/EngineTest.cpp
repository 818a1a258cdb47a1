//===- EngineTest.cpp - Programs compiled, cached and linked --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/Engine.h"

#include "tsgu/tsgu.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

using tsgu::Engine;
namespace fs = std::filesystem;

namespace {

/// Specialised to f32 or f64, 32-bit indices and the given widths by symbol.
struct Specialization {
  std::vector<int64_t> widths;
  tsgu_specialization value;

  Specialization(tsgu_type type, std::vector<int64_t> widths)
      : widths(std::move(widths)),
        value{static_cast<uint8_t>(type),
              TSGU_I32,
              TSGU_I32,
              this->widths.data(),
              static_cast<uint32_t>(this->widths.size()),
              TSGU_TARGET_CPU,
              0,
              {},
              {}} {}
};

class EngineTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "tsgu-engine-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { fs::remove_all(directory); }

  const tsgu_object *get(Engine &engine, const char *path,
                         const Specialization &specialization) {
    auto object = engine.get(path, specialization.value);
    if (object)
      return *object;
    ADD_FAILURE() << llvm::toString(object.takeError());
    return nullptr;
  }
  std::string getError(Engine &engine, const char *path) {
    auto object = engine.get(path, Specialization(TSGU_F64, {}).value);
    return object ? "" : llvm::toString(object.takeError());
  }

  fs::path directory;
};

/// A random 40 x 30 matrix with an empty and a full row.
struct Matrix {
  static constexpr int64_t rows = 40, columns = 30;
  std::vector<int32_t> positions{0}, coordinates;
  std::vector<double> values;

  Matrix() {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> number(-1, 1);
    for (int64_t row = 0; row < rows; ++row) {
      for (int32_t column = 0; column < columns; ++column)
        if (row == 3 || (row != 5 && random() % 5 == 0)) {
          coordinates.push_back(column);
          values.push_back(number(random));
        }
      positions.push_back(static_cast<int32_t>(coordinates.size()));
    }
  }
  tsgu::Pattern pattern() const {
    return tsgu::Pattern::csr<int32_t>({rows, columns}, positions, coordinates);
  }
};

std::vector<double> makeNumbers(size_t count) {
  std::vector<double> numbers(count);
  for (size_t i = 0; i < count; ++i)
    numbers[i] = std::sin(1.0 + 0.37 * static_cast<double>(i));
  return numbers;
}

std::vector<double> multiply(const tsgu_object &object, const Matrix &A,
                             const std::vector<double> &B, int64_t width) {
  std::vector<double> C(A.rows * width, NAN);
  tsgu::Program(object).run({A.pattern()}, {A.values, {B, {A.columns, width}}},
                            {C.data(), {A.rows, width}});
  return C;
}

TEST_F(EngineTest, ComputesWhatALongDoubleLoopDoes) {
  Engine engine("");
  Matrix A;
  for (int64_t width : {1, 3, 8, 17}) {
    std::vector<double> B = makeNumbers(A.columns * width);
    const tsgu_object *object =
        get(engine, "spmm", {TSGU_F64, {0, 0, width, 0}});
    ASSERT_NE(object, nullptr);
    std::vector<double> C = multiply(*object, A, B, width);
    for (int64_t i = 0; i < A.rows; ++i)
      for (int64_t j = 0; j < width; ++j) {
        long double sum = 0, magnitude = 0;
        for (int32_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
          long double term = static_cast<long double>(A.values[k]) *
                             B[A.coordinates[k] * width + j];
          sum += term;
          magnitude += std::fabs(term);
        }
        int count = A.positions[i + 1] - A.positions[i] + 1;
        EXPECT_LE(std::fabs(C[i * width + j] - sum),
                  2 * count * 0x1p-52 * magnitude);
      }
  }
}

TEST_F(EngineTest, CompilesOnceForManyThreads) {
  Engine engine("");
  std::vector<std::thread> threads;
  std::vector<const tsgu_object *> found(16);
  for (int t = 0; t < 16; ++t)
    threads.emplace_back(
        [&, t] { found[t] = get(engine, "softmax", {TSGU_F32, {}}); });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(engine.getCompiled(), 1u);
  for (const tsgu_object *object : found)
    EXPECT_EQ(object, found[0]);
}

TEST_F(EngineTest, ReadsFromDiskWhatAnotherEngineCompiled) {
  Specialization to(TSGU_F64, {0, 0, 4, 0});
  Matrix A;
  std::vector<double> B = makeNumbers(A.columns * 4);
  Engine first(directory.string()), second(directory.string());
  std::vector<double> C = multiply(*get(first, "spmm", to), A, B, 4);
  EXPECT_EQ(first.getCompiled(), 1u);
  EXPECT_EQ(multiply(*get(second, "spmm", to), A, B, 4), C);
  EXPECT_EQ(second.getCompiled(), 0u);
  EXPECT_EQ(second.getLoaded(), 1u);
}

TEST_F(EngineTest, CompilesAgainWhenTheCacheIsDamaged) {
  Specialization to(TSGU_F64, {0, 0, 4, 0});
  Engine first(directory.string());
  ASSERT_NE(get(first, "spmm", to), nullptr);
  for (const auto &file : fs::directory_iterator(directory))
    if (file.path().filename().string().starts_with("llvmcache-"))
      fs::resize_file(file.path(), fs::file_size(file.path()) - 1);
  Engine second(directory.string());
  ASSERT_NE(get(second, "spmm", to), nullptr);
  EXPECT_EQ(second.getCompiled(), 1u);
}

TEST_F(EngineTest, LinksAheadOfTimeToTheSameBits) {
  Engine engine("");
  Matrix A;
  std::vector<double> B = makeNumbers(A.columns * 20);
  Specialization to(TSGU_F64, {0, 0, 20, 0});
  auto object =
      engine.getCompiler().compile("spmm", to.value, tsgu::Target::host());
  ASSERT_TRUE(static_cast<bool>(object));
  fs::path file = directory / "spmm.o", library = directory / "libspmm.so";
  std::ofstream(file, std::ios::binary) << (*object)->getBuffer().str();
  std::string link = std::string(TSGU_LINKER) + " -shared -o " +
                     library.string() + " " + file.string();
  ASSERT_EQ(std::system(link.c_str()), 0);
  void *handle = ::dlopen(library.c_str(), RTLD_NOW);
  ASSERT_NE(handle, nullptr) << ::dlerror();
  auto *linked = static_cast<const tsgu_object *>(::dlsym(handle, "spmm"));
  ASSERT_NE(linked, nullptr);
  std::vector<double> expected = multiply(*get(engine, "spmm", to), A, B, 20);
  std::vector<double> actual = multiply(*linked, A, B, 20);
  EXPECT_EQ(std::memcmp(actual.data(), expected.data(),
                        expected.size() * sizeof(double)),
            0);
}

TEST_F(EngineTest, KnowsProcessorsByName) {
  const std::pair<const char *, unsigned> known[] = {
      {"x86-64", 128}, {"x86-64-v3", 256}, {"x86-64-v4", 512}, {"znver5", 512}};
  for (auto [cpu, bits] : known) {
    llvm::Expected<tsgu::Target> target = tsgu::Target::named(cpu);
    ASSERT_TRUE(static_cast<bool>(target)) << cpu;
    EXPECT_EQ(target->vectorBits, bits) << cpu;
  }
  for (const char *cpu : {"", "i686", "z80"})
    EXPECT_NE(toString(tsgu::Target::named(cpu).takeError()).find("x86-64-v3"),
              std::string::npos);
}

TEST_F(EngineTest, SaysWhatIsWrongWithAPath) {
  Engine engine("");
  EXPECT_EQ(getError(engine, "nonsense"), "there is no program 'nonsense'");
  EXPECT_EQ(getError(engine, "spmm/"),
            "'spmm/': no derivation ''; there are batch, transpose, "
            "jvp<operand>, vjp<operand> and vjp<operand>given<operand>");
  EXPECT_NE(getError(engine, "spmm/vjp2").find("has no operand 2"),
            std::string::npos);
  EXPECT_NE(getError(engine, "softmax/vjp0/vjp1")
                .find("operand 1 holds the result of @softmax"),
            std::string::npos);
  EXPECT_NE(getError(engine, "spmm/batch/batch").find("batched already"),
            std::string::npos);
}

TEST_F(EngineTest, SaysWhatIsWrongWithAProgram) {
  tsgu::Compiler compiler;
  auto add = [&](const char *name, const char *text) {
    return llvm::toString(compiler.addProgram(name, text));
  };
  EXPECT_NE(add("broken", "func.func @f( {").find("line 1, column"),
            std::string::npos);
  EXPECT_NE(add("empty", "").find("no public function"), std::string::npos);
  EXPECT_NE(add("effects", R"(
      func.func private @g()
      func.func @f(%x: tensor<?xf64>) -> tensor<?xf64> {
        call @g() : () -> ()
        return %x : tensor<?xf64>
      })")
                .find("line 4, column 9: has no place in a program"),
            std::string::npos);
  EXPECT_NE(add("bad name", "").find("letters, digits and '_'"),
            std::string::npos);
  EXPECT_NE(
      add("spmm", "another text").find("a program 'spmm' with another text"),
      std::string::npos);
  EXPECT_EQ(add("spmm", compiler.getText("spmm")->c_str()), "");
}

} // namespace
