//===- DeviceRunRefusalTest.cpp - What devices do not do ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceRuns.h"

#include <csignal>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace tsgu;
using namespace tsgu::test;

namespace {

class Refusals : public DeviceRuns {
protected:
  static void expect(tsgu_status status, tsgu_status expected,
                     const char *text) {
    EXPECT_EQ(status, expected);
    EXPECT_NE(std::strstr(tsgu_last_error(), text), nullptr)
        << tsgu_last_error();
  }
  static void expectOnDevice(tsgu_status status) {
    expect(status, TSGU_INVALID_ARGUMENT, "in the memory of device 0");
  }
};

/// A host's 2 x 2 matrix, by which the CPU computes while devices do not.
struct HostRun {
  int32_t positions[3] = {0, 1, 2}, coordinates[2] = {0, 1};
  int64_t shape[2] = {2, 2}, strides[2] = {2, 1}, stored[1] = {2}, one[1] = {1};
  float values[2] = {2, 3}, b[4] = {1, 2, 3, 4}, c[4] = {};
  tsgu_pattern *pattern = nullptr;
  tsgu_program *program = nullptr;
  tsgu_tensor operands[2] = {{values, TSGU_F32, 1, stored, one},
                             {b, TSGU_F32, 2, shape, strides}};
  tsgu_tensor result = {c, TSGU_F32, 2, shape, strides};

  HostRun() {
    EXPECT_EQ(tsgu_pattern_from_csr(2, shape, TSGU_I32, positions, coordinates,
                                    2, &pattern),
              TSGU_OK);
    EXPECT_EQ(tsgu_program_open("spmm", &program), TSGU_OK);
  }
  ~HostRun() { tsgu_pattern_release(pattern); }
  bool works() {
    std::fill_n(c, 4, -1.0f);
    const tsgu_executor here{1, nullptr};
    const tsgu_status status =
        tsgu_program_run(program, &pattern, 1, operands, 2, &result, &here);
    return status == TSGU_OK && c[0] == 2 && c[1] == 4 && c[2] == 9 &&
           c[3] == 12;
  }
  tsgu_status runOn(const tsgu_queue *queue) {
    return tsgu_program_run_on(program, &pattern, 1, operands, 2, &result,
                               queue);
  }
};

TEST_F(Refusals, OfQueues) {
  HostRun host;
  tsgu_pattern *none = nullptr;
  const void *coordinates[] = {host.coordinates, host.coordinates};
  auto csr = [&](const tsgu_queue *queue) {
    return tsgu_pattern_from_csr_on(2, host.shape, TSGU_I32, host.positions,
                                    host.coordinates, 2, queue, &none);
  };
  auto coo = [&](const tsgu_queue *queue) {
    return tsgu_pattern_from_coo_on(2, host.shape, TSGU_I32, coordinates, 2,
                                    queue, &none);
  };
  expect(csr(nullptr), TSGU_INVALID_ARGUMENT, "queue is NULL");
  expect(coo(nullptr), TSGU_INVALID_ARGUMENT, "queue is NULL");
  expect(host.runOn(nullptr), TSGU_INVALID_ARGUMENT, "queue is NULL");
  expect(tsgu_values_spread_on(host.pattern, host.operands, host.operands,
                               nullptr),
         TSGU_INVALID_ARGUMENT, "queue is NULL");
  for (int32_t device : {-1, 250, 256, INT32_MIN, INT32_MAX}) {
    Queue nowhere(memory, stream, device);
    const std::string text =
        "there is no CUDA device " + std::to_string(device);
    expect(csr(nowhere.get()), TSGU_DEVICE_ERROR, text.c_str());
    expect(coo(nowhere.get()), TSGU_DEVICE_ERROR, text.c_str());
    expect(host.runOn(nowhere.get()), TSGU_DEVICE_ERROR, text.c_str());
    expect(tsgu_values_sum_on(host.pattern, host.operands, host.operands,
                              nowhere.get()),
           TSGU_DEVICE_ERROR, text.c_str());
  }
  EXPECT_EQ(none, nullptr);
  EXPECT_TRUE(host.works());
}

/// No function touches a device's arrays on the host: that would be the end of
/// the process.
TEST_F(Refusals, OfDevicePatternsOnTheHost) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = softmax(pattern, matrix);
  const tsgu_tensor values = operation.operands[0].tensor();
  const DeviceTensor right = numbers({matrix.rows, 2});
  const DeviceTensor left = numbers({matrix.columns, 2});
  const tsgu_tensor b = right.tensor(), x = left.tensor();
  const std::vector<Operation> operations{
      spmm(pattern, matrix, 2), spmmVJP0(pattern, matrix, 2),
      spmmVJP1(pattern, matrix, 2), softmax(pattern, matrix)};
  memory.hide();

  tsgu_layout layout;
  const int32_t orders[2][2] = {{0, 1}, {1, 0}};
  // But for its own layout, whose arrays are given where they are.
  EXPECT_EQ(tsgu_pattern_layout(pattern, nullptr, &layout), TSGU_OK);
  for (const int32_t *order : orders)
    expectOnDevice(tsgu_pattern_layout(pattern, order, &layout));
  tsgu_pattern_info info;
  tsgu_pattern_describe(pattern, &info);
  EXPECT_EQ(info.stored, matrix.stored());
  EXPECT_EQ(info.entry_map, nullptr);

  for (const Operation &other : operations) {
    std::vector<tsgu_tensor> operands;
    for (const DeviceTensor &operand : other.operands)
      operands.push_back(operand.tensor());
    const tsgu_tensor to = other.result.tensor();
    int64_t shape[8];
    int32_t rank;
    EXPECT_EQ(tsgu_program_infer(other.program, &pattern, 1, operands.data(),
                                 static_cast<int32_t>(operands.size()), shape,
                                 &rank),
              TSGU_OK)
        << tsgu_last_error();
    expectOnDevice(tsgu_program_run(other.program, &pattern, 1, operands.data(),
                                    static_cast<int32_t>(operands.size()), &to,
                                    nullptr));
  }

  for (int32_t method = TSGU_TRIANGULAR; method <= TSGU_CHOLESKY; ++method)
    for (int32_t mode : {TSGU_N, TSGU_T, TSGU_C}) {
      tsgu_solver solver{};
      solver.method = static_cast<decltype(solver.method)>(method);
      expectOnDevice(tsgu_solve(&solver, static_cast<tsgu_mode>(mode), pattern,
                                &values, &b, &x, 0, nullptr));
    }
  tsgu_triangular *triangular = nullptr;
  expectOnDevice(tsgu_triangular_create(pattern, 0, 0, &values, &triangular));
  EXPECT_EQ(triangular, nullptr);
  tsgu_pattern_release(pattern);
}

TEST_F(Refusals, OfProgramsWithSolvers) {
  // Square, so that all but the place is right.
  const std::vector<int32_t> positions{0, 1, 2}, coordinates{0, 1};
  const int64_t shape[] = {2, 2};
  tsgu_pattern *pattern = nullptr;
  ASSERT_EQ(tsgu_pattern_from_csr_on(2, shape, TSGU_I32, memory.put(positions),
                                     memory.put(coordinates), 2, queue.get(),
                                     &pattern),
            TSGU_OK);
  alignas(16) tsgu_solver solver{};
  solver.method = TSGU_CG;
  const int64_t words[] = {16}, one[] = {1};
  const DeviceTensor values = numbers({2}), b = numbers({2, 3}),
                     x = numbers({2, 3});
  tsgu_program *program = nullptr;
  ASSERT_EQ(tsgu_program_open("solve", &program), TSGU_OK);
  const tsgu_tensor handle{&solver, TSGU_I64, 1, words, one};
  std::vector<tsgu_tensor> operands{handle, values.tensor(), b.tensor()};
  const tsgu_tensor result = x.tensor();
  memory.hide();
  expect(tsgu_program_run_on(program, &pattern, 1, operands.data(), 3, &result,
                             queue.get()),
         TSGU_INVALID_ARGUMENT, "steps, such as solvers, that run on the CPU");
  expectOnDevice(tsgu_program_run(program, &pattern, 1, operands.data(), 3,
                                  &result, nullptr));
  tsgu_pattern_release(pattern);
}

TEST_F(Refusals, OfHostPatternsOnDevices) {
  HostRun host;
  expect(host.runOn(queue.get()), TSGU_INVALID_ARGUMENT,
         "the pattern is in the memory of the host, the program runs on device "
         "0: build the pattern from arrays of that device");
  expect(tsgu_values_spread_on(host.pattern, host.operands, host.operands,
                               queue.get()),
         TSGU_INVALID_ARGUMENT, "no entry map on device 0");
  expect(tsgu_values_sum_on(host.pattern, host.operands, host.operands,
                            queue.get()),
         TSGU_INVALID_ARGUMENT, "no entry map on device 0");
  EXPECT_TRUE(host.works());
}

TEST_F(Refusals, OfPatternsOfOtherDevices) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  Queue elsewhere(memory, stream, 1);
  expect(softmax(pattern, matrix).runOn(elsewhere.get()), TSGU_INVALID_ARGUMENT,
         "in the memory of another device");
  tsgu_pattern_release(pattern);
}

TEST_F(Refusals, OfComplexValues) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  for (tsgu_type type : {TSGU_C64, TSGU_C128}) {
    const Operation operation = softmax(pattern, matrix);
    tsgu_tensor values = operation.operands[0].tensor();
    tsgu_tensor result = operation.result.tensor();
    values.data = memory.room(16 * matrix.stored());
    result.data = memory.room(16 * matrix.stored());
    values.type = result.type = type;
    expect(tsgu_program_run_on(operation.program, &pattern, 1, &values, 1,
                               &result, queue.get()),
           TSGU_INVALID_ARGUMENT, "values there are f32 or f64");
  }
  tsgu_pattern_release(pattern);
}

/// Values by entry: on a pattern that has a map, and of tensors of every kind
/// that does not fit.
TEST_F(Refusals, OfValuesByEntry) {
  const std::vector<int32_t> positions{0, 2, 3}, coordinates{1, 1, 0};
  const int64_t shape[] = {2, 2}, three[] = {3}, two[] = {2}, one[] = {1};
  runKernels(); // So that the device finds the order.
  tsgu_pattern *pattern = nullptr;
  ASSERT_EQ(tsgu_pattern_from_csr_on(2, shape, TSGU_I32, memory.put(positions),
                                     memory.put(coordinates), 3, queue.get(),
                                     &pattern),
            TSGU_OK)
      << tsgu_last_error();
  tsgu_pattern_info info;
  tsgu_pattern_describe(pattern, &info);
  ASSERT_EQ(info.stored, 2);
  ASSERT_NE(info.entry_map, nullptr);
  cuda.setRunner(nullptr);
  void *data = memory.room(64), *other = memory.room(64);
  const tsgu_tensor entries{data, TSGU_F32, 1, three, one};
  const tsgu_tensor stored{other, TSGU_F32, 1, two, one};
  memory.hide();
  EXPECT_EQ(tsgu_values_sum_on(pattern, &entries, &stored, queue.get()),
            TSGU_OK)
      << tsgu_last_error();
  EXPECT_EQ(tsgu_values_spread_on(pattern, &stored, &entries, queue.get()),
            TSGU_OK)
      << tsgu_last_error();
  for (int which = 0; which < 8; ++which) {
    tsgu_tensor wrong = entries;
    wrong.data = which == 0 ? nullptr : wrong.data;
    wrong.shape = which == 1 ? nullptr : which == 2 ? two : wrong.shape;
    wrong.strides = which == 3 ? nullptr : wrong.strides;
    wrong.rank = which == 4 ? 0 : which == 5 ? 3 : wrong.rank;
    wrong.type = which == 6   ? TSGU_C64
                 : which == 7 ? static_cast<tsgu_type>(99)
                              : wrong.type;
    EXPECT_EQ(tsgu_values_sum_on(pattern, &wrong, &stored, queue.get()),
              TSGU_INVALID_ARGUMENT)
        << which;
    EXPECT_EQ(tsgu_values_spread_on(pattern, &stored, &wrong, queue.get()),
              TSGU_INVALID_ARGUMENT)
        << which;
  }
  // Nothing to do, and no strides.
  const int64_t noItems[] = {0, 3}, noStored[] = {0, 2};
  const tsgu_tensor none{nullptr, TSGU_F32, 2, noItems, nullptr};
  const tsgu_tensor noSums{nullptr, TSGU_F32, 2, noStored, nullptr};
  EXPECT_EQ(tsgu_values_sum_on(pattern, &none, &noSums, queue.get()), TSGU_OK)
      << tsgu_last_error();
  expect(tsgu_values_sum_on(nullptr, &entries, &stored, queue.get()),
         TSGU_INVALID_ARGUMENT, "pattern is NULL");
  expect(tsgu_values_sum_on(pattern, nullptr, &stored, queue.get()),
         TSGU_INVALID_ARGUMENT, "from is NULL");
  tsgu_pattern_release(pattern);
}

//===----------------------------------------------------------------------===//
// Forks
//===----------------------------------------------------------------------===//

/// What the child returns; 98: it hung.
template <typename F> int inChild(F &&body) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGALRM, [](int) { _exit(98); });
    alarm(20);
    _exit(body());
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

bool saysSpawn(tsgu_status status) {
  return status == TSGU_DEVICE_ERROR &&
         std::strstr(tsgu_last_error(), "spawn it instead");
}

TEST_F(Refusals, OfForkedProcesses) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation done = softmax(pattern, matrix);
  const Operation todo = spmmVJP1(pattern, matrix, 4);
  ASSERT_EQ(done.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
  HostRun host;
  const int child = inChild([&] {
    tsgu_pattern *another = nullptr;
    if (!saysSpawn(done.runOn(queue.get())))
      return 1;
    if (!saysSpawn(todo.runOn(queue.get())))
      return 2;
    if (!saysSpawn(makePattern(matrix, &another)))
      return 3;
    tsgu_pattern_release(pattern);
    return host.works() ? 0 : 4;
  });
  EXPECT_EQ(child, 0);
  EXPECT_EQ(todo.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
  tsgu_pattern_release(pattern);
}

std::atomic<bool> isTransposing{false}, mayGoOn{false};

TEST_F(Refusals, OfProcessesForkedWhileAPatternIsTransposed) {
  const TestMatrix matrix;
  tsgu_pattern *pattern = patternOf(matrix);
  const Operation operation = spmmVJP1(pattern, matrix, 4);
  emulateLibraries();
  emulateProgram("spmm/vjp1", 4, pattern);
  cuda.setRunner([](const StandInLaunch &launch) {
    if (launch.kernel == "make_keys") {
      isTransposing = true;
      while (!mayGoOn)
        std::this_thread::yield();
    }
    runEmulated(launch);
  });
  std::thread other([&] {
    EXPECT_EQ(operation.runOn(queue.get()), TSGU_OK) << tsgu_last_error();
  });
  while (!isTransposing)
    std::this_thread::yield();
  Queue second(memory, stream);
  EXPECT_EQ(inChild([&] { return !saysSpawn(operation.runOn(second.get())); }),
            0);
  mayGoOn = true;
  other.join();
  tsgu_pattern_release(pattern);
}

} // namespace
