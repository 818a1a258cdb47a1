//===- ToyStepTest.cpp - One file and one line make a step ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ToyStep.cpp and its line of ToySteps.def, through bytes, check, print and
// launch.
//
//===----------------------------------------------------------------------===//

#include "ErrorTesting.h"
#include "device/Device.h"
#include "program/DeviceLaunch.h"
#include "program/LaunchTesting.h"

#include <cmath>

using namespace tsgu;
using namespace tsgu::test;

namespace {

/// C = A (3 B): the step makes a scratch buffer, the kernel reads it.
Manifest scaledProduct(const Types &types) {
  Manifest m = fakeManifest("spmm", types);
  const std::vector<int32_t> shape = m.operands[1].shape;
  m.scratch.push_back({types.value, shape});
  m.stages.insert(m.stages.begin(), Stage());
  m.stages[0].step = {
      "scale", -1, {{Buffer::Operand, 1}}, {{Buffer::Scratch, 0}}, {3}};
  m.stages[1].arguments[3].buffer = {Buffer::Scratch, 0};
  return m;
}

TYPED_TEST_SUITE(Launch, TypePairs);

TYPED_TEST(Launch, ToyStep) {
  using T = typename TestFixture::T;
  using I = typename TestFixture::I;
  FakeObject program(scaledProduct(this->types), this->types);
  const int64_t p = 5, columns = 40;
  for (auto [items, rows] : {std::pair<int64_t, int64_t>{1, 3000}, {300, 7}}) {
    auto A = randomMatrix<I>(this->random, 1, rows, columns, 6);
    auto values = randomValues<T>(this->random, A.stored());
    Dense<T> B({items, columns, p}, 2,
               randomValues<T>(this->random, items * columns * (p + 2)));
    const int64_t stored[] = {A.stored()}, unit[] = {1};
    auto C = runEverywhere<T>(
        programOf(program), A.pattern(),
        {{values.data(), typeOf<T>(), 1, stored, unit}, B.tensor()},
        {items, rows, p}, 0);
    for (int64_t item = 0; item < items; ++item)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t j = 0; j < p; ++j) {
          long double sum = 0, scale = 0;
          for (I k = A.positions[row]; k < A.positions[row + 1]; ++k) {
            const long double term =
                3.0L * values[k] *
                B.data[(item * columns + A.coordinates[k]) * (p + 2) + j];
            sum += term;
            scale += std::fabs(term);
          }
          ASSERT_LE(std::fabs(C.data[(item * rows + row) * p + j] - sum),
                    tolerance<T>(columns) * scale);
        }
  }
}

TEST(ToyStep, InAManifest) {
  Manifest m = scaledProduct({});
  const std::vector<uint8_t> bytes = m.serialize();
  const Manifest again = Manifest::parse(bytes.data(), bytes.size());
  EXPECT_EQ(again.serialize(), bytes);
  EXPECT_NE(again.print().find("\n  scale B by 3 to scratch 0\n"),
            std::string::npos);
  auto errorOf = [](const Manifest &changed) {
    const std::vector<uint8_t> bytes = changed.serialize();
    return test::errorOf(Status::CompileFailed,
                         [&] { Manifest::parse(bytes.data(), bytes.size()); });
  };
  m.stages[0].step.numbers = {};
  EXPECT_EQ(errorOf(m), "the manifest of spmm is inconsistent: scale is told 0 "
                        "numbers, not 1");
  m = scaledProduct({});
  m.scratch[0].shape = {0, 1};
  EXPECT_EQ(errorOf(m), "the manifest of spmm is inconsistent: scale takes "
                        "matrices that differ");
  m = scaledProduct({});
  m.stages[0].step.reads = {{Buffer::Operand, 0}};
  EXPECT_EQ(errorOf(m), "the manifest of spmm is inconsistent: scale reads A "
                        "as a dense tensor");
  m.stages[0].step.reads[0].index = 2;
  EXPECT_EQ(errorOf(m), "the manifest of spmm is inconsistent: "
                        "stages[0].step.reads[0] refers to buffer 2 that does "
                        "not exist");
  m.stages[0].step = scaledProduct({}).stages[0].step;
  m.stages[0].step.name = "scales";
  EXPECT_EQ(errorOf(m),
            "this runtime has no step 'scales'; compile the program "
            "again with the same release");
}

TEST(ToyStep, IsRefusedOnDevices) {
  Manifest m;
  m.program = "toy";
  m.symbols = {{"m"}, {"n"}};
  m.operands = {{"B", ElementType::F64, -1, {0, 1}}};
  m.result = m.operands[0];
  m.stages.emplace_back().step = {
      "scale", -1, {{Buffer::Operand, 0}}, {{Buffer::Result, 0}}, {2}};
  FakeObject object(m, {});
  const runtime::Plan plan(object.object());
  Dense<double> B({3, 2}, 0, std::vector<double>(6, 1)), C = B;
  const tsgu_tensor operand = B.tensor();
  const runtime::Arguments arguments{{}, {&operand, 1}};
  const runtime::Binding binding = runtime::Signature(m).bind(arguments);
  const tsgu_queue queue{};
  EXPECT_EQ(errorOf(Status::InvalidArgument,
                    [&] {
                      runtime::launchOn({runtime::Device::emulator(), queue},
                                        plan, binding, arguments, C.tensor());
                    }),
            "toy has a step, scale, that runs on the CPU: move its operands "
            "there");
}

} // namespace
