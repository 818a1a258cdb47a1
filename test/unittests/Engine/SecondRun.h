//===- SecondRun.h - What a run asks of the driver --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_ENGINE_SECONDRUN_H
#define TSGU_TEST_ENGINE_SECONDRUN_H

#include "DeviceRuns.h"

#include <bit>

namespace tsgu::test {

/// Rows and columns of the test's matrices have 2 or 3 entries on average, and
/// are cut at 32 times the next power of two: one row of 320 entries, and one
/// column of 400.
inline constexpr int64_t splitLength = 128, rowChunks = 3, columnChunks = 4;

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
    const tsgu_object &object =
        objectFor(operation.path, width, deviceTarget, operation.pattern);
    manifest = Manifest::parse(object.manifest, object.manifest_size);
  }

  bool isCSR(int32_t layout) const {
    return isCanonical(manifest.layouts[layout].levels);
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
    const uint64_t each = stage.device.denseLanes > 1 ? 8 : 4;
    return std::bit_width(std::clamp<uint64_t>(mean / each, 1, most)) - 1;
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
      if (stage.isKernel() && rowsOf(stage) == 0)
        continue;
      ASSERT_LT(next, launches.size()) << stage.name;
      const StandInLaunch &launch = launches[next++];
      if (stage.isKernel()) {
        expectKernel(stage, launch);
        continue;
      }
      ASSERT_EQ(stage.step.name, StepInfo::permuteValues);
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

/// Runs an operation twice, and looks at the second run.
class SecondRun : public DeviceRuns {
protected:
  void expectSuccess(const Operation &operation) {
    ASSERT_EQ(operation.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
  }

  /// Launches, and what tells the context they are made in and whether they
  /// are recorded, and nothing else.
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
                  call == "cuCtxGetId" || call == "cuCtxSetCurrent" ||
                  call == "cuStreamIsCapturing")
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

} // namespace tsgu::test

#endif // TSGU_TEST_ENGINE_SECONDRUN_H
