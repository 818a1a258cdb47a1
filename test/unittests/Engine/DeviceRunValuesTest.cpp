//===- DeviceRunValuesTest.cpp - Values, by kernels on the emulator -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SecondRun.h"

#include <cmath>

using namespace tsgu;
using namespace tsgu::test;

namespace {

class DeviceValues : public SecondRun {
protected:
  void SetUp() override {
    SecondRun::SetUp();
    runKernels();
  }

  std::vector<float> ran(const Operation &operation, const TestMatrix &matrix,
                         int64_t width, int64_t items = 1) {
    emulateProgram(operation.path, width, operation.pattern);
    expectAsManifest(operation, matrix, width, items, 1);
    const float *data = operation.result.data;
    return {data, data + operation.result.elements()};
  }
};

std::vector<float> productOf(const TestMatrix &m, const Operation &operation,
                             int64_t width, int64_t items) {
  std::vector<float> result(static_cast<size_t>(operation.result.elements()));
  for (int64_t i = 0; i < items; ++i) {
    const float *a = operation.operands[0].data + i * m.stored();
    const float *b =
        operation.operands[1].data + i * m.items * m.columns * width;
    float *c = result.data() + i * m.items * m.rows * width;
    m.forEach([&](int64_t item, int64_t row, int64_t column, int64_t k) {
      for (int64_t j = 0; j < width; ++j)
        c[(item * m.rows + row) * width + j] +=
            a[k] * b[(item * m.columns + column) * width + j];
    });
  }
  return result;
}

std::vector<float> transposedProductOf(const TestMatrix &m,
                                       const Operation &operation,
                                       int64_t width, int64_t items) {
  std::vector<float> result(static_cast<size_t>(operation.result.elements()));
  for (int64_t i = 0; i < items; ++i) {
    const float *a = operation.operands[0].data + i * m.stored();
    const float *g = operation.operands[2].data + i * m.rows * width;
    float *to = result.data() + i * m.columns * width;
    m.forEach([&](int64_t, int64_t row, int64_t column, int64_t k) {
      for (int64_t j = 0; j < width; ++j)
        to[column * width + j] += a[k] * g[row * width + j];
    });
  }
  return result;
}

TEST_F(DeviceValues, OfProducts) {
  const TestMatrix matrix, batch(3);
  tsgu_pattern *csr = patternOf(matrix), *coo = patternFromCOO(matrix);
  tsgu_pattern *batched = patternOf(batch);
  for (tsgu_pattern *pattern : {csr, coo}) {
    const Operation one = spmm(pattern, matrix, 4);
    EXPECT_EQ(ran(one, matrix, 4), productOf(matrix, one, 4, 1));
    const Operation many = manySpmm(pattern, matrix, 4);
    EXPECT_EQ(ran(many, matrix, 4, 3), productOf(matrix, many, 4, 3));
  }
  const Operation items = batchedSpmm(batched, batch, 4);
  EXPECT_EQ(ran(items, batch, 4), productOf(batch, items, 4, 1));
  for (tsgu_pattern *pattern : {csr, coo, batched})
    tsgu_pattern_release(pattern);
}

TEST_F(DeviceValues, OfProductsWithTheTranspose) {
  const TestMatrix matrix;
  tsgu_pattern *csr = patternOf(matrix), *coo = patternFromCOO(matrix);
  for (tsgu_pattern *pattern : {csr, coo}) {
    const Operation one = spmmVJP1(pattern, matrix, 4);
    EXPECT_EQ(ran(one, matrix, 4), transposedProductOf(matrix, one, 4, 1));
    const Operation many = manySpmmVJP1(pattern, matrix, 4);
    EXPECT_EQ(ran(many, matrix, 4, 3), transposedProductOf(matrix, many, 4, 3));
    tsgu_pattern_release(pattern);
  }
}

TEST_F(DeviceValues, OfMostlyEmptyRows) {
  TestMatrix matrix;
  matrix.rows = 4000;
  matrix.positions.resize(4001, matrix.positions.back());
  tsgu_pattern *pattern = patternOf(matrix);
  auto ran = [&](const Operation &operation) {
    emulateProgram(operation.path, 4, pattern);
    std::fill_n(operation.result.data, operation.result.elements(), 7.0f);
    expectSuccess(operation);
    const float *data = operation.result.data;
    return std::vector<float>(data, data + operation.result.elements());
  };
  const Operation one = spmm(pattern, matrix, 4);
  EXPECT_EQ(ran(one), productOf(matrix, one, 4, 1));
  EXPECT_EQ(cuda.launches().back().kernel, "spmm_k0") << "rows are not cut";
  const Operation many = manySpmm(pattern, matrix, 4);
  EXPECT_EQ(ran(many), productOf(matrix, many, 4, 3));
  const Operation transposed = spmmVJP1(pattern, matrix, 4);
  EXPECT_EQ(ran(transposed), transposedProductOf(matrix, transposed, 4, 1));
  tsgu_pattern_release(pattern);
}

TEST_F(DeviceValues, OfProductsAtStoredEntries) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = spmmVJP0(pattern, matrix, 4);
  std::vector<float> expected(static_cast<size_t>(matrix.stored()));
  const float *b = operation.operands[1].data, *g = operation.operands[2].data;
  matrix.forEach([&](int64_t, int64_t row, int64_t column, int64_t k) {
    for (int64_t j = 0; j < 4; ++j)
      expected[k] += g[row * 4 + j] * b[column * 4 + j];
  });
  EXPECT_EQ(ran(operation, matrix, 4), expected);
  tsgu_pattern_release(pattern);
}

/// Sums of at most 400 positive numbers are off by 400 roundings at most, and
/// the logarithm, exponential and differences by a few of numbers below 16.
constexpr double softmaxError = (400 + 8 * 16) * 0x1p-24;

TEST_F(DeviceValues, OfSoftmax) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = softmax(pattern, matrix);
  const float *a = operation.operands[0].data;
  std::vector<double> sums(static_cast<size_t>(matrix.rows));
  matrix.forEach([&](int64_t, int64_t row, int64_t, int64_t k) {
    sums[row] += std::exp(double(a[k]));
  });
  const std::vector<float> result = ran(operation, matrix, 4);
  matrix.forEach([&](int64_t, int64_t row, int64_t, int64_t k) {
    const double expected = std::exp(double(a[k])) / sums[row];
    EXPECT_NEAR(result[k], expected, softmaxError * expected);
  });
  tsgu_pattern_release(pattern);
}

/// Of whole numbers, whatever they come from.
TEST_F(DeviceValues, OfSoftmaxVJP) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = softmaxVJP0(pattern, matrix);
  const float *y = operation.operands[1].data, *g = operation.operands[2].data;
  std::vector<float> sums(static_cast<size_t>(matrix.rows));
  matrix.forEach([&](int64_t, int64_t row, int64_t, int64_t k) {
    sums[row] += y[k] * g[k];
  });
  std::vector<float> expected(static_cast<size_t>(matrix.stored()));
  matrix.forEach([&](int64_t, int64_t row, int64_t, int64_t k) {
    expected[k] = y[k] * (g[k] - sums[row]);
  });
  EXPECT_EQ(ran(operation, matrix, 4), expected);
  tsgu_pattern_release(pattern);
}

} // namespace
