//===- Triangular.cpp - Triangular solves ---------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Triangular.h"
#include "base/Scratch.h"
#include "pattern/Rows.h"
#include "triangular/Solves.h"
#include "triangular/Steps.h"

#include <algorithm>

namespace tsgu::runtime {

/// A solve with less work than this, in blocks, is not worth other threads.
static constexpr int64_t smallWork = 2048;
/// Threads that together gather values as fast as one reads them in order.
static constexpr int32_t gatheringThreads = 4;

template <typename T>
[[noreturn]] void failSingular(const Matrix<T> &A, bool upper) {
  const Layout &csr = A.pattern->csr();
  auto coordinate = [&](int64_t k) -> int64_t {
    return csr.indexType == ElementType::I32
               ? static_cast<const int32_t *>(csr.coordinates)[k]
               : static_cast<const int64_t *>(csr.coordinates)[k];
  };
  for (int64_t i = 0; i < A.rows(); ++i) {
    int64_t k = csr.position(A.firstRow() + i);
    const int64_t end = csr.position(A.firstRow() + i + 1);
    while (k < end && coordinate(k) != i)
      ++k;
    if (k < end && A.values[k] != T(0))
      continue;
    fail(Status::Singular, "the ", upper ? "upper" : "lower", " triangle",
         ofItem(*A.pattern, A.item), " is singular: the diagonal of row ", i,
         k < end ? " is 0; store a nonzero value there"
                 : " is not stored; store a nonzero value there, or ask for a "
                   "unit diagonal");
  }
  fail(Status::Internal, "no diagonal is zero any more: the values changed "
                         "during the solve");
}

template <typename T>
std::shared_ptr<Analysis> analysed(const Matrix<T> &A, Triangle triangle) {
  if (A.rows() != A.columns())
    fail(Status::InvalidArgument, "a triangular solve takes a square matrix, ",
         "not one of ", A.rows(), " x ", A.columns());
  std::shared_ptr<Analysis> analysis =
      analysisOf(*A.pattern, A.item, triangle.upper);
  if (!triangle.unit && analysis->firstMissing() >= 0)
    failSingular(A, triangle.upper);
  return analysis;
}

template <typename T>
bool solveByRows(const TriangleSolve<T> &solve, const Analysis &analysis) {
  const Layout &csr = solve.A.pattern->csr();
  const int64_t count = solve.b.count;
  const int64_t tiles = (count + tileWidth - 1) / tileWidth;
  const int64_t parts = std::clamp<int64_t>(solve.executor.threads, 1,
                                            std::max<int64_t>(1, tiles));
  std::atomic<bool> zero{false};
  withIndexType(csr.indexType, [&]<typename I>(I) {
    const RowArguments<T, I> arguments{static_cast<const I *>(csr.positions) +
                                           solve.A.firstRow(),
                                       static_cast<const I *>(csr.coordinates),
                                       static_cast<const I *>(analysis.edges()),
                                       solve.A.values,
                                       csr.stored - 1,
                                       solve.A.rows(),
                                       solve.triangle.upper,
                                       solve.triangle.unit,
                                       solve.mode == Mode::C,
                                       solve.mode != Mode::N,
                                       solve.b,
                                       solve.x};
    parallelFor(solve.executor, parts, [&](int64_t begin, int64_t end) {
      const int64_t first = tileWidth * (tiles * begin / parts);
      const int64_t last = tileWidth * (tiles * end / parts);
      if (solveRows(arguments, first, std::min(last, count)))
        zero.store(true, std::memory_order_relaxed);
    });
  });
  return zero.load();
}

template <typename T>
bool solveBySweep(const TriangleSolve<T> &solve, const Sweep &sweep,
                  const Packed<T> *packed) {
  SweepArguments<T> arguments{sweep.slices.data(),
                              sweep.rows(),
                              sweep.diagonal(),
                              sweep.first(),
                              sweep.coordinates(),
                              sweep.entries(),
                              sweep.ring,
                              sweep.entryStep,
                              packed ? nullptr : solve.A.values,
                              nullptr,
                              nullptr,
                              nullptr,
                              solve.triangle.unit,
                              solve.mode == Mode::C,
                              solve.b,
                              solve.x,
                              nullptr};
  if (packed) {
    arguments.packed = packed->values.template as<T>();
    (packed->inverted ? arguments.inverse : arguments.divisor) =
        packed->diagonal.template as<T>();
  }
  const Scratch scratch(
      multiply(arguments.ringStride(),
               multiply(solve.b.count, static_cast<int64_t>(sizeof(T)))));
  arguments.solved = reinterpret_cast<T *>(scratch.data());
  for (int64_t column = 0; column < solve.b.count; ++column)
    arguments.solved[column * arguments.ringStride() + sweep.ring] = T(0);
  std::atomic<bool> zero{false};
  tsgu_executor executor = solve.executor;
  if (sweep.blocks + sweep.sliceCount() < smallWork)
    executor.threads = 1;
  const auto steps = static_cast<int64_t>(sweep.steps.size());
  runSteps(executor, steps, [&](int64_t s, int32_t member, int32_t members) {
    const SweepStep &step = sweep.steps[s];
    if (step.serial && member != 0)
      return;
    const int32_t parts = step.serial ? 1 : members;
    if (solveSlices(arguments, partOf(sweep, step, member, parts),
                    partOf(sweep, step, member + 1, parts)))
      zero.store(true, std::memory_order_relaxed);
  });
  return zero.load();
}

namespace {

/// Many right-hand sides fill the vectors by themselves.
bool byRows(Analysis &analysis, int64_t count) {
  return count >= tileWidth || analysis.narrow();
}

/// Values that a sweep would have to gather are better read in their own order
/// by few threads.
template <typename T>
bool byRows(const TriangleSolve<T> &solve, Analysis &analysis) {
  const bool inOrder = solve.executor.threads < gatheringThreads ||
                       solve.A.pattern->stored() < smallWork * lanes;
  return (inOrder && sameBitsByRows(solve)) || byRows(analysis, solve.b.count);
}

} // namespace

template <typename T>
void triangularSolve(const Matrix<T> &A, Triangle triangle, Mode mode,
                     Vectors<const T> b, Vectors<T> x,
                     const tsgu_executor &executor) {
  const std::shared_ptr<Analysis> analysis = analysed(A, triangle);
  if (A.rows() == 0 || b.count == 0)
    return;
  const TriangleSolve<T> solve{A, triangle, mode, b, x, executor};
  const bool zero =
      byRows(solve, *analysis)
          ? solveByRows(solve, *analysis)
          : solveBySweep<T>(solve, analysis->sweep(mode != Mode::N, executor),
                            nullptr);
  if (zero)
    failSingular(A, triangle.upper);
}

void requireStrict(Pattern &pattern, int64_t item, bool upper) {
  const int64_t row = analysisOf(pattern, item, upper)->firstStored();
  if (row < 0)
    return;
  fail(Status::InvalidArgument,
       "First input should be strictly triangular (i.e. unit diagonals is "
       "implicit): the diagonal of row ",
       row, ofItem(pattern, item),
       " is stored; leave the diagonal out, or solve with the stored one, "
       "unitriangular=False");
}

#define TSGU_INSTANTIATE(T)                                                    \
  template std::shared_ptr<Analysis> analysed(const Matrix<T> &, Triangle);    \
  template void failSingular(const Matrix<T> &, bool);                         \
  template bool solveByRows(const TriangleSolve<T> &, const Analysis &);       \
  template bool solveBySweep(const TriangleSolve<T> &, const Sweep &,          \
                             const Packed<T> *);                               \
  template void triangularSolve(const Matrix<T> &, Triangle, Mode,             \
                                Vectors<const T>, Vectors<T>,                  \
                                const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(TSGU_INSTANTIATE)

} // namespace tsgu::runtime
