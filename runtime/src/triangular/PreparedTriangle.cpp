//===- PreparedTriangle.cpp - A triangle with its values ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/PreparedTriangle.h"

namespace tsgu::runtime {

template <typename T>
PreparedTriangle<T>::PreparedTriangle(const Matrix<T> &A, Triangle triangle)
    : pattern(A.pattern), item(A.item), triangle(triangle),
      analysis(analysed(A, triangle)) {}

template <typename T>
PreparedTriangle<T>::PreparedTriangle(const Matrix<T> &A, Triangle triangle,
                                      ItemValues<T> own,
                                      const tsgu_executor &executor)
    : pattern(A.pattern), item(A.item), triangle(triangle),
      analysis(analysed(A, triangle)), values(std::move(own)) {
  if (!triangle.unit)
    requireDiagonal(executor);
}

template <typename T>
void PreparedTriangle<T>::requireDiagonal(const tsgu_executor &executor) const {
  const Matrix<T> A{pattern, item, values.data()};
  const bool upper = triangle.upper;
  std::atomic<bool> zero{false};
  withRows(A, [&]<typename I>(const I *positions, const I *) {
    const I *edges = static_cast<const I *>(analysis->edges());
    forRows(executor, A.rows(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const I diagonal = edges   ? edges[i] - I(upper)
                           : upper ? positions[i]
                                   : positions[i + 1] - 1;
        if (A.values[diagonal] == T(0))
          zero.store(true, std::memory_order_relaxed);
      }
    });
  });
  if (zero.load())
    failSingular(A, upper);
}

template <typename T>
const Packed<T> &
PreparedTriangle<T>::pack(bool transposed, const T *from,
                          const tsgu_executor &executor) const {
  if (ready[transposed].load(std::memory_order_acquire))
    return packed[transposed];
  const Sweep &sweep = analysis->sweep(transposed, executor);
  std::lock_guard lock(packing);
  if (!ready[transposed].load(std::memory_order_relaxed)) {
    Packed<T> made;
    if (made.fill(sweep, triangle.unit, from, executor))
      failSingular(Matrix<T>{pattern, item, from}, triangle.upper);
    packed[transposed] = std::move(made);
    ready[transposed].store(true, std::memory_order_release);
  }
  return packed[transposed];
}

template <typename T>
bool PreparedTriangle<T>::resembles(bool transposed, const T *from) const {
  constexpr uint32_t slices = 16, golden = 0x9e3779b9;
  const Sweep &sweep = analysis->sweep(transposed, {1, nullptr});
  uint32_t look = looks.fetch_add(slices, std::memory_order_relaxed);
  for (const uint32_t end = look + slices; look != end; ++look) {
    const uint32_t random = look * golden;
    const auto slice = static_cast<int64_t>(
        uint64_t{random} * static_cast<uint64_t>(sweep.sliceCount()) >> 32);
    if (!packed[transposed].resembles(sweep, sweep.slices[slice], look, from))
      return false;
  }
  return true;
}

template <typename T>
void PreparedTriangle<T>::sweep(const TriangleSolve<T> &solve) const {
  const bool transposed = solve.mode != Mode::N;
  solveBySweep(solve, analysis->sweep(transposed, solve.executor),
               &pack(transposed, solve.A.values, solve.executor));
}

template <typename T>
void PreparedTriangle<T>::apply(Mode mode, Vectors<const T> in, Vectors<T> out,
                                const tsgu_executor &executor) const {
  const Matrix<T> A{pattern, item, values.data()};
  if (A.rows() == 0 || in.count == 0)
    return;
  const TriangleSolve<T> solve{A, triangle, mode, in, out, executor};
  if (in.count >= tileWidth || analysis->narrow()) {
    solveByRows(solve, *analysis);
    return;
  }
  // All ways give the same bits.
  enum Way : int32_t { Threads, OneThread, Rows };
  const int32_t ways = sameBitsByRows(solve) ? 3 : 2;
  Choice &choice = choices[mode != Mode::N];
  const int32_t way = choice.next(ways, executor.threads, out);
  tsgu_executor chosen = executor;
  if (way != Threads)
    chosen.threads = 1;
  const TriangleSolve<T> attempt{A, triangle, mode, in, out, chosen};
  const Clock::time_point begin = Clock::now();
  if (way == Rows)
    solveByRows(attempt, *analysis);
  else
    sweep(attempt);
  choice.took(way, Clock::now() - begin);
}

template <typename T> int64_t PreparedTriangle<T>::bytes() const {
  int64_t sum = sizeof(*this);
  for (int k = 0; k < 2; ++k)
    if (ready[k].load(std::memory_order_acquire))
      sum += packed[k].bytes();
  return sum;
}

#define TSGU_INSTANTIATE(T) template class PreparedTriangle<T>;
TSGU_FOR_VALUE_TYPES(TSGU_INSTANTIATE)

} // namespace tsgu::runtime
