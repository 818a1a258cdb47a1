//===- LaunchTesting.h - Programs on every kind of thread -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Results are compared bit by bit between numbers of threads; outputs are
// poisoned before.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_LAUNCHTESTING_H
#define TSGU_TEST_LAUNCHTESTING_H

#include "FakePrograms.h"
#include "Matrices.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <thread>

namespace tsgu::test {

/// A buffer of its own behind every executor: threads that come and go.
inline void runOnFreshThreads(int64_t count, tsgu_task task, void *context) {
  std::vector<std::thread> workers;
  for (int64_t i = 0; i < count; ++i)
    workers.emplace_back([=] { task(context, i, i + 1); });
  for (std::thread &worker : workers)
    worker.join();
}

template <typename T> struct Dense {
  Dense(std::vector<int64_t> extents, int64_t padding, std::vector<T> from)
      : shape(std::move(extents)), strides(shape.size(), 1),
        data(std::move(from)) {
    for (size_t d = shape.size(); d-- > 1;)
      strides[d - 1] =
          strides[d] * shape[d] + (d + 1 == shape.size() ? padding : 0);
  }
  tsgu_tensor tensor() {
    return {data.data(), typeOf<T>(), static_cast<int32_t>(shape.size()),
            shape.data(), strides.data()};
  }
  int64_t length() const { return shape[0] * strides[0]; }
  std::vector<int64_t> shape, strides;
  std::vector<T> data;
};

template <typename T>
Dense<T> poisoned(std::vector<int64_t> shape, int64_t padding) {
  Dense<T> dense(std::move(shape), padding, {});
  int64_t length = dense.shape.empty() ? 1 : dense.length();
  dense.data.assign(length + 1, std::numeric_limits<T>::quiet_NaN());
  return dense;
}

inline tsgu_program *programOf(const FakeObject &object) {
  tsgu_program *program = nullptr;
  check(tsgu_program_from_object(&object.object(), &program));
  return program;
}

/// Runs with 1, 2 and 4 threads of the pool and on a foreign executor; gives
/// the result after checking that all of its bits agree.
template <typename T>
Dense<T> runEverywhere(tsgu_program *program, const Pattern &pattern,
                       std::vector<tsgu_tensor> operands,
                       std::vector<int64_t> shape, int64_t padding) {
  std::vector<Dense<T>> results;
  for (int threads : {1, 2, 4, 0}) {
    results.push_back(poisoned<T>(shape, padding));
    const tsgu_executor foreign{3, runOnFreshThreads};
    const tsgu_tensor result = results.back().tensor();
    tsgu_pattern *patterns[] = {pattern.get()};
    tsgu_set_threads(threads);
    check(tsgu_program_run(program, patterns, 1, operands.data(),
                           static_cast<int32_t>(operands.size()), &result,
                           threads ? nullptr : &foreign));
  }
  tsgu_set_threads(0);
  for (const Dense<T> &other : results)
    EXPECT_EQ(0, std::memcmp(other.data.data(), results[0].data.data(),
                             sizeof(T) * other.data.size()));
  return results[0];
}

template <typename T> double tolerance(int64_t terms) {
  return static_cast<double>(2 * (terms + 1)) *
         std::numeric_limits<T>::epsilon();
}

template <typename TypePair> class Launch : public testing::Test {
protected:
  using T = typename TypePair::first_type;
  using I = typename TypePair::second_type;
  Types types{sizeof(T) == 4 ? ElementType::F32 : ElementType::F64,
              sizeof(I) == 4 ? ElementType::I32 : ElementType::I64,
              ElementType::I32};
  FakeObject object(const char *name) {
    return FakeObject(fakeManifest(name, types), types);
  }

  std::mt19937 random{7};
};

/// Patterns that fit in a test's memory have int32 indices.
using TypePairs =
    testing::Types<std::pair<float, int32_t>, std::pair<double, int32_t>>;

} // namespace tsgu::test

#endif // TSGU_TEST_LAUNCHTESTING_H
