//===- DeviceRunTest.cpp - What runs ask of the driver --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceRuns.h"

#include <bit>
#include <cmath>

using namespace tsgu;
using namespace tsgu::test;

namespace {

/// Rows and columns of the test's matrices have 2 or 3 entries on average, and
/// are cut at 32 times the next power of two: one row of 320 entries, and one
/// column of 400.
constexpr int64_t splitLength = 128, rowChunks = 3, columnChunks = 4;

//===----------------------------------------------------------------------===//
// What a manifest says about launches
//===----------------------------------------------------------------------===//

struct ExpectedLaunches {
  const TestMatrix &matrix;
  const Operation &operation;
  const DeviceMemory &memory;
  int64_t width; ///< Of dense operands.
  int64_t items; ///< Of a batch on one pattern.
  int64_t cut;   ///< Long rows: 1, or 0 where kernels do not run.
  Manifest manifest;

  ExpectedLaunches(const TestMatrix &matrix, const Operation &operation,
                   const DeviceMemory &memory, int64_t width, int64_t items,
                   int64_t cut)
      : matrix(matrix), operation(operation), memory(memory), width(width),
        items(items), cut(cut) {
    const tsgu_object &object = objectFor(operation.path, width, deviceTarget);
    manifest = Manifest::parse(object.manifest, object.manifest_size);
  }

  bool isCSR(int32_t layout) const {
    const std::vector<int32_t> &order = manifest.layouts[layout].order;
    return std::is_sorted(order.begin(), order.end());
  }

  int64_t sizeOf(int32_t symbol) const {
    const Symbol &s = manifest.symbols[symbol];
    if (s.storedOf >= 0)
      return matrix.stored();
    if (s.chunksOf >= 0)
      return cut * matrix.items *
             (isCSR(s.chunksOf) ? rowChunks : columnChunks);
    if (s.longRowsOf >= 0)
      return cut * matrix.items;
    const std::vector<int32_t> &shape = manifest.patterns[0].shape;
    const int64_t extents[] = {matrix.items, matrix.rows, matrix.columns};
    for (size_t d = 0; d < shape.size(); ++d)
      if (shape[d] == symbol)
        return extents[d + 3 - shape.size()];
    return width;
  }

  const DeviceTensor *tensorOf(const Buffer &buffer) const {
    return buffer.kind == Buffer::Operand  ? &operation.operands[buffer.index]
           : buffer.kind == Buffer::Result ? &operation.result
                                           : nullptr;
  }

  void expectPointer(const Argument &argument, uint64_t word,
                     uint64_t itemBytes) const {
    if (argument.role != Argument::Values && argument.role != Argument::Dense) {
      EXPECT_EQ(itemBytes, 0u);
      return;
    }
    const DeviceTensor *tensor = tensorOf(argument.buffer);
    if (!tensor) { // Scratch, of all items in one piece.
      EXPECT_TRUE(memory.contains(word) || cut);
      EXPECT_EQ(word % 16, 0u);
      EXPECT_EQ(itemBytes == 0, items == 1);
      return;
    }
    EXPECT_EQ(word, reinterpret_cast<uint64_t>(tensor->data));
    EXPECT_EQ(itemBytes,
              items == 1 ? 0 : static_cast<uint64_t>(tensor->strides[0]) * 4);
  }

  int64_t lanesOf(const Stage &stage) const {
    const auto most = static_cast<uint64_t>(stage.device.entryLanes);
    if (stage.partition.weightLayout < 0)
      return std::bit_width(most) - 1;
    const int64_t rows =
        isCSR(stage.partition.weightLayout) ? matrix.rows : matrix.columns;
    const auto mean =
        static_cast<uint64_t>(matrix.stored() / (rows * matrix.items));
    return std::bit_width(std::clamp<uint64_t>(mean / 2, 1, most)) - 1;
  }

  int64_t strideOf(const Argument &argument, int32_t dim) const {
    int64_t stride = 1;
    for (size_t d = static_cast<size_t>(dim) + 1; d < argument.shape.size();
         ++d)
      stride *= sizeOf(argument.shape[d]);
    return stride;
  }

  int64_t wordOf(const Stage &stage, const SizeRef &size) const {
    switch (size.kind) {
    case SizeRef::Extent:
      return sizeOf(size.index);
    case SizeRef::Range:
      return sizeOf(stage.partition.loops[size.index]);
    case SizeRef::Stride:
      return strideOf(stage.arguments[size.index], size.dim);
    case SizeRef::EntryLanes:
      return lanesOf(stage);
    case SizeRef::SplitLength:
      return splitLength;
    }
    return -1;
  }

  void expectKernel(const Stage &stage, const StandInLaunch &launch) const {
    SCOPED_TRACE(stage.name);
    EXPECT_EQ(launch.kernel, stage.name);
    const auto threads = static_cast<unsigned>(stage.device.blockThreads);
    EXPECT_EQ(launch.block[0], threads);
    const int64_t perBlock =
        threads / (stage.device.denseLanes << lanesOf(stage));
    EXPECT_EQ(launch.grid[0], (rowsOf(stage) + perBlock - 1) / perBlock);
    EXPECT_EQ(launch.grid[1], items);
    const size_t pointers = stage.arguments.size();
    ASSERT_EQ(launch.words.size(), 2 * pointers + stage.sizes.size());
    for (size_t i = 0; i < pointers; ++i)
      expectPointer(stage.arguments[i], launch.words[i],
                    launch.words[pointers + i]);
    for (size_t i = 0; i < stage.sizes.size(); ++i)
      EXPECT_EQ(static_cast<int64_t>(launch.words[2 * pointers + i]),
                wordOf(stage, stage.sizes[i]))
          << "size " << i;
  }

  int64_t rowsOf(const Stage &stage) const {
    int64_t rows = 1;
    for (int32_t loop : stage.partition.loops)
      rows *= sizeOf(loop);
    return rows;
  }

  void expect(const std::vector<StandInLaunch> &launches) const {
    size_t next = 0;
    for (const Stage &stage : manifest.stages) {
      if (stage.kind == Stage::Kernel && rowsOf(stage) == 0)
        continue;
      ASSERT_LT(next, launches.size()) << stage.name;
      const StandInLaunch &launch = launches[next++];
      if (stage.kind == Stage::Kernel) {
        expectKernel(stage, launch);
        continue;
      }
      ASSERT_EQ(stage.kind, Stage::PermuteValues);
      EXPECT_EQ(launch.kernel, "permute4");
      EXPECT_EQ(launch.grid[0], (matrix.stored() + 255) / 256);
      EXPECT_EQ(launch.grid[1], items);
    }
    EXPECT_EQ(next, launches.size());
  }
};

//===----------------------------------------------------------------------===//
// The second run
//===----------------------------------------------------------------------===//

class SecondRun : public DeviceRuns {
protected:
  void expectSuccess(const Operation &operation) {
    ASSERT_EQ(operation.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
  }

  /// Launches, and what tells the context they are made in, and nothing else.
  std::vector<StandInLaunch> secondRun(const Operation &operation) {
    SCOPED_TRACE(operation.path);
    EXPECT_EQ(operation.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
    const size_t before = cuda.launches().size();
    queue.allocations = 0;
    cuda.failAt(0, 0);
    EXPECT_EQ(operation.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
    EXPECT_LE(queue.allocations, 1);
    size_t started = 0;
    for (const std::string &call : cuda.callNames()) {
      started += call == "cuLaunchKernel";
      EXPECT_TRUE(call == "cuLaunchKernel" || call == "cuCtxGetCurrent" ||
                  call == "cuCtxGetId" || call == "cuCtxSetCurrent")
          << call;
    }
    std::vector<StandInLaunch> launches = cuda.launches();
    launches.erase(launches.begin(),
                   launches.begin() + static_cast<ptrdiff_t>(before));
    EXPECT_EQ(launches.size(), started);
    EXPECT_GT(started, 0u);
    for (const StandInLaunch &launch : launches) {
      EXPECT_EQ(launch.stream, stream);
      EXPECT_EQ(launch.grid[2], 1u);
      EXPECT_EQ(launch.block[1] * launch.block[2], 1u);
    }
    return launches;
  }

  void expectAsManifest(const Operation &operation, const TestMatrix &matrix,
                        int64_t width, int64_t items = 1, int64_t cut = 0) {
    SCOPED_TRACE(operation.path);
    ExpectedLaunches(matrix, operation, memory, width, items, cut)
        .expect(secondRun(operation));
  }
};

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
  for (int i : {0, 1})
    EXPECT_TRUE(memory.contains(launch.words[i]));
  tsgu_pattern_release(pattern);
}

//===----------------------------------------------------------------------===//
// Values, by kernels that the emulator runs
//===----------------------------------------------------------------------===//

class DeviceValues : public SecondRun {
protected:
  void SetUp() override {
    SecondRun::SetUp();
    runKernels();
  }

  std::vector<float> ran(const Operation &operation, const TestMatrix &matrix,
                         int64_t width, int64_t items = 1) {
    emulateProgram(operation.path, width);
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

//===----------------------------------------------------------------------===//
// While a stream records
//===----------------------------------------------------------------------===//

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
