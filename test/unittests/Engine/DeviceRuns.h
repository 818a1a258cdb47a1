//===- DeviceRuns.h - Programs on a device that is not there ----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Through the C API and the driver's functions, as on a GPU. The stand-in
// records kernels; where a test asks for it, it has the emulator run what the
// same program is compiled to for it.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_DEVICERUNS_H
#define TSGU_TEST_DEVICERUNS_H

#include "../runtime/device/StandInCuda.h"
#include "base/CompilerLibrary.h"
#include "device/Device.h"
#include "pattern/Pattern.h"
#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>

namespace tsgu::test {

constexpr tsgu_target deviceTarget = TSGU_TARGET_SM90;

inline const StandIn &standIn() {
  static const StandIn &table = *[] {
    setenv("TSGU_LIBCUDA", TSGU_TEST_CUDA, 1);
    EXPECT_EQ(tsgu_set_compiler(TSGU_TEST_COMPILER), TSGU_OK);
    void *library = dlopen(TSGU_TEST_CUDA, RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(library, nullptr) << dlerror();
    using Table = const StandIn *();
    return reinterpret_cast<Table *>(dlsym(library, "tsguStandIn"))();
  }();
  return table;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Arrays that nobody but a device's kernels may touch while they are hidden:
/// the process dies of it.
class DeviceMemory {
public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory &) = delete;
  ~DeviceMemory() {
    for (auto [data, bytes] : pages)
      munmap(data, bytes);
  }

  void *room(int64_t bytes) {
    const size_t length = (static_cast<size_t>(bytes) / 4096 + 1) * 4096;
    void *data = mmap(nullptr, length, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(data, MAP_FAILED);
    if (hidden)
      EXPECT_EQ(mprotect(data, length, PROT_NONE), 0);
    std::lock_guard lock(mutex);
    pages.emplace_back(data, length);
    return data;
  }
  template <typename T> T *put(const std::vector<T> &values) {
    void *data = room(static_cast<int64_t>(values.size() * sizeof(T)));
    if (!values.empty())
      std::memcpy(data, values.data(), values.size() * sizeof(T));
    return static_cast<T *>(data);
  }
  void hide() {
    hidden = true;
    for (auto [data, bytes] : pages)
      EXPECT_EQ(mprotect(data, bytes, PROT_NONE), 0);
  }
  bool contains(uint64_t address) const {
    for (auto [data, bytes] : pages)
      if (address - reinterpret_cast<uint64_t>(data) < bytes)
        return true;
    return false;
  }

private:
  std::mutex mutex;
  bool hidden = false;
  std::vector<std::pair<void *, size_t>> pages;
};

/// A queue whose scratch is counted.
class Queue {
public:
  explicit Queue(DeviceMemory &memory, void *stream, int32_t device = 0)
      : memory(memory), c{device, stream, allocate, this} {}
  Queue(const Queue &) = delete;

  const tsgu_queue *get() const { return &c; }
  int allocations = 0;
  bool refuses = false;

private:
  static void *allocate(void *context, int64_t bytes) {
    auto &self = *static_cast<Queue *>(context);
    ++self.allocations;
    return self.refuses ? nullptr : self.memory.room(bytes);
  }
  DeviceMemory &memory;
  tsgu_queue c;
};

//===----------------------------------------------------------------------===//
// Matrices and operations
//===----------------------------------------------------------------------===//

/// One matrix, or items of equally many entries, with a long row and a long
/// column: at 256 entries those of this size are cut.
struct TestMatrix {
  int64_t items, rows = 400, columns = 320;
  std::vector<int32_t> positions, coordinates; ///< Each item from 0.

  explicit TestMatrix(int64_t items = 1) : items(items) {
    for (int64_t item = 0; item < items; ++item) {
      positions.push_back(0);
      int32_t count = 0;
      for (int64_t row = 0; row < rows; ++row) {
        for (int32_t column = 0; column < columns; ++column)
          if (row == 17 + item || column == 5 ||
              column == (row * 7 + 11) % columns) {
            coordinates.push_back(column);
            ++count;
          }
        positions.push_back(count);
      }
    }
  }

  int64_t stored() const { return static_cast<int64_t>(coordinates.size()); }
  /// The item, row and column of all entries.
  template <typename F> void forEach(F &&body) const {
    int64_t k = 0;
    for (int64_t item = 0; item < items; ++item)
      for (int64_t row = 0; row < rows; ++row) {
        const int32_t *range = &positions[item * (rows + 1) + row];
        for (int32_t i = range[0]; i < range[1]; ++i, ++k)
          body(item, row, coordinates[k], k);
      }
  }
};

/// A contiguous tensor in a device's memory.
struct DeviceTensor {
  std::vector<int64_t> shape, strides;
  float *data;

  DeviceTensor(std::vector<int64_t> extents, float *data)
      : shape(std::move(extents)), strides(shape.size(), 1), data(data) {
    for (size_t d = shape.size(); d-- > 1;)
      strides[d - 1] = strides[d] * shape[d];
  }
  int64_t elements() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                           std::multiplies<>());
  }
  tsgu_tensor tensor() const {
    return {data, TSGU_F32, static_cast<int32_t>(shape.size()), shape.data(),
            strides.data()};
  }
};

/// Small whole numbers: sums of products are exact.
inline std::vector<float> wholeNumbers(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float &value : values)
    value = static_cast<float>(random() % 7) - 3;
  return values;
}

/// A program with all that it is called with.
struct Operation {
  std::string path;
  tsgu_program *program = nullptr;
  tsgu_pattern *pattern = nullptr;
  std::vector<DeviceTensor> operands;
  DeviceTensor result;

  Operation(std::string path, tsgu_pattern *pattern,
            std::vector<DeviceTensor> operands, DeviceTensor result)
      : path(std::move(path)), pattern(pattern), operands(std::move(operands)),
        result(std::move(result)) {
    EXPECT_EQ(tsgu_program_open(this->path.c_str(), &program), TSGU_OK)
        << tsgu_last_error();
  }

  tsgu_status runOn(const tsgu_queue *queue) const {
    std::vector<tsgu_tensor> given;
    for (const DeviceTensor &operand : operands)
      given.push_back(operand.tensor());
    const tsgu_tensor to = result.tensor();
    return tsgu_program_run_on(program, &pattern, 1, given.data(),
                               static_cast<int32_t>(given.size()), &to, queue);
  }
};

/// What the runtime has compiled for an operation: `width` is that of the
/// dense operands, by which kernels are specialised up to 256.
inline const tsgu_object &objectFor(const std::string &path, int64_t width,
                                    tsgu_target target, tsgu_pattern *pattern) {
  tsgu_program *program = nullptr;
  EXPECT_EQ(tsgu_program_open(path.c_str(), &program), TSGU_OK);
  const Manifest signature = runtime::signatureOf(path);
  std::vector<int64_t> widths(signature.symbols.size());
  uint64_t alignment = 16;
  for (const TensorInfo &operand : signature.operands)
    if (operand.pattern < 0) {
      widths[operand.shape.back()] = width <= 256 ? width : 0;
      alignment = std::min(alignment, (16 | 4 * uint64_t(width)) &
                                          -(16 | 4 * uint64_t(width)));
    }
  return runtime::compile(
      path, {TSGU_F32,
             TSGU_I32,
             TSGU_I32,
             widths.data(),
             static_cast<uint32_t>(widths.size()),
             static_cast<uint8_t>(target),
             static_cast<uint8_t>(alignment),
             {reinterpret_cast<runtime::Pattern *>(pattern)->hollow()},
             {}});
}

//===----------------------------------------------------------------------===//
// Kernels that run
//===----------------------------------------------------------------------===//

/// What a kernel's image is when compiled for the emulator.
inline std::map<const void *, const tsgu_object *> &emulated() {
  static auto &table = *new std::map<const void *, const tsgu_object *>;
  return table;
}

inline void emulateProgram(const std::string &path, int64_t width,
                           tsgu_pattern *pattern) {
  emulated()[objectFor(path, width, deviceTarget, pattern).image] =
      &objectFor(path, width, TSGU_TARGET_EMULATOR, pattern);
}

inline void emulateLibraries() {
  for (const char *path :
       {"device/check", "device/copy", "device/fill", "device/permute",
        "device/rows", "device/scan", "device/sort", "device/split"}) {
    auto compiled = [&](tsgu_target target) -> const tsgu_object & {
      return runtime::compile(path, {TSGU_F32,
                                     TSGU_I32,
                                     TSGU_I32,
                                     nullptr,
                                     0,
                                     static_cast<uint8_t>(target),
                                     0,
                                     {},
                                     {}});
    };
    emulated()[compiled(deviceTarget).image] = &compiled(TSGU_TARGET_EMULATOR);
  }
}

inline void runEmulated(const StandInLaunch &launch) {
  auto found = emulated().find(launch.image);
  ASSERT_NE(found, emulated().end()) << launch.kernel;
  const tsgu_object &object = *found->second;
  for (uint32_t i = 0; i < object.kernel_count; ++i)
    if (launch.kernel == object.device_kernels[i].name) {
      ASSERT_EQ(launch.block[0], object.device_kernels[i].block_threads);
      return runtime::Device::emulator().launch(
          object, i, {launch.grid[0], launch.grid[1]}, launch.words, nullptr);
    }
  FAIL() << "the emulator has no kernel " << launch.kernel;
}

//===----------------------------------------------------------------------===//
// The fixture
//===----------------------------------------------------------------------===//

class DeviceRuns : public testing::Test {
protected:
  const StandIn &cuda = standIn();
  DeviceMemory memory;
  void *const stream = reinterpret_cast<void *>(0x5150);
  Queue queue{memory, stream};
  size_t unfreed = cuda.books().memory; ///< For the driver did not free it.

  void SetUp() override { cuda.reset(); }
  void TearDown() override {
    cuda.reset();
    EXPECT_EQ(cuda.books().memory, unfreed);
  }

  void runKernels() {
    emulateLibraries();
    cuda.setRunner(runEmulated);
  }

  tsgu_status makePattern(const TestMatrix &matrix, tsgu_pattern **pattern) {
    const int64_t shape[] = {matrix.items, matrix.rows, matrix.columns};
    return tsgu_pattern_from_csr_on(
        matrix.items > 1 ? 3 : 2, shape + (matrix.items == 1), TSGU_I32,
        memory.put(matrix.positions), memory.put(matrix.coordinates),
        matrix.stored(), queue.get(), pattern);
  }
  tsgu_pattern *patternOf(const TestMatrix &matrix) {
    tsgu_pattern *pattern = nullptr;
    EXPECT_EQ(makePattern(matrix, &pattern), TSGU_OK) << tsgu_last_error();
    return pattern;
  }
  tsgu_pattern *patternFromCOO(const TestMatrix &matrix) {
    std::vector<int32_t> rows;
    matrix.forEach([&](int64_t, int64_t row, int64_t, int64_t) {
      rows.push_back(static_cast<int32_t>(row));
    });
    const void *coordinates[] = {memory.put(rows),
                                 memory.put(matrix.coordinates)};
    const int64_t shape[] = {matrix.rows, matrix.columns};
    tsgu_pattern *pattern = nullptr;
    EXPECT_EQ(tsgu_pattern_from_coo_on(2, shape, TSGU_I32, coordinates,
                                       matrix.stored(), queue.get(), &pattern),
              TSGU_OK)
        << tsgu_last_error();
    return pattern;
  }

  /// Elements of whole numbers, in the device's memory.
  DeviceTensor numbers(std::vector<int64_t> shape, unsigned seed = 1) {
    DeviceTensor made(std::move(shape), nullptr);
    made.data = memory.put(wholeNumbers(made.elements(), seed));
    return made;
  }

  Operation spmm(tsgu_pattern *p, const TestMatrix &m, int64_t width) {
    return {"spmm",
            p,
            {numbers({m.stored()}), numbers({m.columns, width})},
            numbers({m.rows, width})};
  }
  Operation spmmVJP0(tsgu_pattern *p, const TestMatrix &m, int64_t width) {
    return {"spmm/vjp0",
            p,
            {numbers({m.stored()}), numbers({m.columns, width}, 2),
             numbers({m.rows, width}, 3)},
            numbers({m.stored()})};
  }
  Operation spmmVJP1(tsgu_pattern *p, const TestMatrix &m, int64_t width) {
    return {"spmm/vjp1",
            p,
            {numbers({m.stored()}), numbers({m.columns, width}, 2),
             numbers({m.rows, width}, 3)},
            numbers({m.columns, width})};
  }
  Operation softmax(tsgu_pattern *p, const TestMatrix &m) {
    return {"softmax", p, {numbers({m.stored()})}, numbers({m.stored()})};
  }
  Operation softmaxVJP0(tsgu_pattern *p, const TestMatrix &m) {
    return {"softmax/vjp0",
            p,
            {numbers({m.stored()}), numbers({m.stored()}, 2),
             numbers({m.stored()}, 3)},
            numbers({m.stored()})};
  }
  /// Three dense operands, and values, on one pattern.
  Operation manySpmm(tsgu_pattern *p, const TestMatrix &m, int64_t width) {
    return {"spmm",
            p,
            {numbers({3, m.stored()}), numbers({3, m.columns, width})},
            numbers({3, m.rows, width})};
  }
  Operation manySpmmVJP1(tsgu_pattern *p, const TestMatrix &m, int64_t width) {
    return {"spmm/vjp1",
            p,
            {numbers({3, m.stored()}), numbers({3, m.columns, width}, 2),
             numbers({3, m.rows, width}, 3)},
            numbers({3, m.columns, width})};
  }
  /// On a pattern of rank 3.
  Operation batchedSpmm(tsgu_pattern *p, const TestMatrix &m, int64_t width) {
    return {"spmm/batch",
            p,
            {numbers({m.stored()}), numbers({m.items, m.columns, width})},
            numbers({m.items, m.rows, width})};
  }
};

} // namespace tsgu::test

#endif // TSGU_TEST_DEVICERUNS_H
