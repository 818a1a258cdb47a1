//===- TriangularTesting.h - Every way to solve with a triangle -*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_TRIANGULARTESTING_H
#define TSGU_TEST_TRIANGULARTESTING_H

#include "TriangularMatrices.h"

#include "base/Parallel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

namespace tsgu::test {

using runtime::PreparedTriangle;
using runtime::triangularSolve;

/// Runs every task of a region on a thread of its own, the last one first.
inline void onThreads(int64_t count, tsgu_task task, void *context) {
  std::vector<std::thread> threads;
  for (int64_t k = count; k-- > 0;)
    threads.emplace_back(task, context, k, k + 1);
  for (std::thread &thread : threads)
    thread.join();
}

/// One after the other on the calling thread, as some pools do when nested.
inline void oneByOne(int64_t count, tsgu_task task, void *context) {
  for (int64_t k = 0; k < count; ++k)
    task(context, k, k + 1);
}

inline void atOnce(int64_t count, tsgu_task task, void *context) {
  task(context, 0, count);
}

inline const tsgu_executor serial{1, nullptr};

template <typename T> class Block {
public:
  Block(int64_t length, int64_t count, int64_t stride)
      : data(length * stride, T(std::numeric_limits<Real<T>>::quiet_NaN())),
        length(length), count(count), stride(stride) {}
  Block(int64_t length, int64_t count, int64_t stride,
        const std::vector<T> &from)
      : Block(length, count, stride) {
    for (int64_t i = 0; i < length; ++i)
      for (int64_t j = 0; j < count; ++j)
        data[i * stride + j] = from[i * count + j];
  }
  Vectors<T> vectors() { return {data.data(), length, count, stride}; }
  Vectors<const T> constant() const {
    return {data.data(), length, count, stride};
  }
  std::vector<T> dense() const {
    std::vector<T> result(length * count);
    for (int64_t i = 0; i < length; ++i)
      for (int64_t j = 0; j < count; ++j)
        result[i * count + j] = data[i * stride + j];
    return result;
  }

private:
  std::vector<T> data;
  int64_t length, count, stride;
};

template <typename T>
void expectNear(const std::vector<T> &found, const std::vector<T> &expected,
                const std::string &what) {
  ASSERT_EQ(found.size(), expected.size());
  // Rows are diagonally dominant: errors do not grow along the solve.
  const Real<T> bound = 64 * std::numeric_limits<Real<T>>::epsilon();
  for (size_t k = 0; k < found.size(); ++k)
    ASSERT_LE(std::abs(found[k] - expected[k]),
              bound * (1 + std::abs(expected[k])))
        << what << ", element " << k << " is " << found[k] << ", expected "
        << expected[k];
}

template <typename T>
void expectSame(const std::vector<T> &found, const std::vector<T> &expected,
                const std::string &what) {
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_TRUE(found.empty() || std::memcmp(found.data(), expected.data(),
                                           found.size() * sizeof(T)) == 0)
      << what;
}

inline std::string describe(const std::string &pattern, Triangle triangle,
                            Mode mode, int64_t count) {
  return pattern + (triangle.upper ? " upper" : " lower") +
         (triangle.unit ? " unit" : "") + " mode " + "NTC"[int(mode)] +
         " p = " + std::to_string(count);
}

template <typename T, typename I>
void solveEachWay(const std::string &name, const Batch<I> &batch,
                  const std::vector<T> &values, int64_t item, Triangle triangle,
                  Mode mode, int64_t count, std::mt19937 &engine) {
  const std::string what = describe(name, triangle, mode, count);
  const int64_t n = batch.rows;
  std::vector<T> right(n * count);
  for (T &value : right)
    value = random<T>(engine);
  const std::vector<T> expected =
      oracle(batch, item, values, triangle, mode, right, count);
  const runtime::Matrix<T> A{batch.pattern, item, values.data()};
  const Block<T> b(n, count, count + 3, right);

  std::vector<T> first, firstPrepared;
  const PreparedTriangle<T> prepared(A, triangle, {A, serial}, serial);
  for (tsgu_executor executor :
       {serial, tsgu_executor{2, onThreads}, tsgu_executor{3, oneByOne},
        tsgu_executor{16, atOnce}, runtime::executorOr(nullptr)}) {
    Block<T> x(n, count, count + 1);
    triangularSolve<T>(A, triangle, mode, b.constant(), x.vectors(), executor);
    expectNear(x.dense(), expected, what);
    if (first.empty())
      first = x.dense();
    expectSame(x.dense(), first, what + ": threads");

    // As often as there are ways to try.
    for (int repeat = 0; repeat < 3; ++repeat) {
      Block<T> y(n, count, count);
      prepared.apply(mode, b.constant(), y.vectors(), executor);
      expectNear(y.dense(), expected, what + " prepared");
      if (firstPrepared.empty())
        firstPrepared = y.dense();
      expectSame(y.dense(), firstPrepared, what + " prepared: threads");
    }
  }

  expectSame(firstPrepared, first, what + ": prepared or not");

  Block<T> inPlace(n, count, count, right);
  const Vectors<T> both = inPlace.vectors();
  triangularSolve<T>(A, triangle, mode, {both.data, n, count, count}, both,
                     runtime::executorOr(nullptr));
  expectSame(inPlace.dense(), first, what + ": in place");
}

inline constexpr Triangle triangles[] = {
    {false, false}, {false, true}, {true, false}, {true, true}};
inline constexpr Mode modes[] = {Mode::N, Mode::T, Mode::C};

template <typename T> class TriangularTypes : public testing::Test {};
using ValueTypes =
    testing::Types<float, double, std::complex<float>, std::complex<double>>;

} // namespace tsgu::test

#endif // TSGU_TEST_TRIANGULARTESTING_H
