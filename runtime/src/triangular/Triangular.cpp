//===- Triangular.cpp - Triangular solves ---------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Triangular.h"
#include "base/Scratch.h"
#include "pattern/Rows.h"
#include "triangular/Analysis.h"
#include "triangular/Choice.h"
#include "triangular/Kernels.h"
#include "triangular/Scalars.h"
#include "triangular/Steps.h"

#include <algorithm>

namespace tsgu::runtime {
namespace {

/// A solve with less work than this, in blocks, is not worth other threads.
constexpr int64_t smallWork = 2048;
/// Threads that together gather values as fast as one reads them in order.
constexpr int32_t gatheringThreads = 4;

template <typename T> struct Solve {
  const Matrix<T> &A;
  Triangle triangle;
  Mode mode;
  Vectors<const T> b;
  Vectors<T> x;
  const tsgu_executor &executor;
};

/// Throws: there is a row whose diagonal is missing or zero.
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

/// Rows in their own order; each thread has some of the right-hand sides.
template <typename T>
bool solveByRows(const Solve<T> &solve, const Analysis &analysis) {
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

/// function(begin, end) over ranges of work that is small for each element.
template <typename F>
void forElements(const tsgu_executor &executor, int64_t count, F &&function) {
  constexpr int64_t range = 1 << 15;
  const int64_t parts = (count + range - 1) / range;
  parallelFor(executor, parts, [&](int64_t begin, int64_t end) {
    function(begin * range, std::min(count, end * range));
  });
}

/// Values in the order of a sweep.
template <typename T> struct Packed {
  Block values, diagonal;
  bool inverted = false; ///< `diagonal` holds reciprocals.

  int64_t bytes() const { return values.bytes() + diagonal.bytes(); }

  void fill(const Sweep &sweep, bool unit, const T *from,
            const tsgu_executor &executor) {
    if (!values.data() && !diagonal.data()) {
      Block entries = blockOf<T>(multiply(sweep.blocks, lanes));
      diagonal = blockOf<T>(unit ? 0 : sweep.places);
      values = std::move(entries); // Both or none.
    }
    const int64_t parts =
        std::clamp<int64_t>(sweep.blocks / smallWork, 1, 4 * executor.threads);
    parallelFor(executor, parts, [&](int64_t begin, int64_t end) {
      const int64_t count = sweep.sliceCount();
      for (int64_t s = count * begin / parts, last = count * end / parts;
           s < last; ++s)
        fillSlice(sweep, sweep.slices[s], from);
    });
    if (!unit)
      fillDiagonal(sweep, from, executor);
  }

private:
  void fillSlice(const Sweep &sweep, const Slice &slice, const T *from) {
    const int64_t begin = int64_t{slice.block} * lanes;
    const int64_t count = int64_t{slice.blocks()} * lanes;
    T *to = values.as<T>() + begin;
    if (const int32_t *entries = sweep.entries()) {
      for (int64_t k = 0; k < count; ++k)
        to[k] = entries[begin + k] < 0 ? T(0) : from[entries[begin + k]];
      return;
    }
    const int32_t *first = sweep.first() + slice.place;
    const int64_t step = sweep.entryStep;
    if (slice.rows == 0) {
      for (int64_t k = 0; k < slice.length; ++k)
        to[k] = from[*first + step * k];
      std::fill(to + slice.length, to + count, T(0));
      return;
    }
    const int32_t *coordinates = sweep.coordinates() + slice.coordinate;
    const bool run = slice.kind == Slice::Run;
    for (int64_t k = 0; k < slice.length; ++k, to += lanes)
      for (int32_t lane = 0; lane < lanes; ++lane)
        to[lane] = run || coordinates[k * lanes + lane] < sweep.ring
                       ? from[first[lane] + step * k]
                       : T(0);
  }

  void fillDiagonal(const Sweep &sweep, const T *from,
                    const tsgu_executor &executor) {
    T *to = diagonal.as<T>();
    std::atomic<bool> moderate{true};
    forElements(executor, sweep.places, [&](int64_t begin, int64_t end) {
      bool all = true;
      for (int64_t place = begin; place < end; ++place) {
        const int32_t entry = sweep.diagonal()[place];
        to[place] = entry < 0 ? T(1) : from[entry];
        all &= isModerate(to[place]);
      }
      if (!all)
        moderate.store(false, std::memory_order_relaxed);
    });
    inverted = moderate.load();
    if (inverted)
      forElements(executor, sweep.places, [&](int64_t begin, int64_t end) {
        withVectors([&]() TSGU_INLINE { // The kernels' instructions and bits.
          for (int64_t place = begin; place < end; ++place)
            to[place] = reciprocal(to[place]);
        });
      });
  }
};

/// Level by level. `packed` NULL: from the pattern's values.
template <typename T>
bool solveBySweep(const Solve<T> &solve, const Sweep &sweep,
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

/// Many right-hand sides fill the vectors by themselves.
bool byRows(const Analysis &analysis, int64_t count) {
  return analysis.narrow() || count >= tileWidth;
}

/// Whether sums are formed alike by rows and in a sweep.
template <typename T> bool sameBitsByRows(const Solve<T> &solve) {
  return solve.mode == Mode::N && solve.b.count == 1;
}

/// Values that a sweep would have to gather are better read in their own order
/// by few threads.
template <typename T>
bool byRows(const Solve<T> &solve, const Analysis &analysis) {
  const bool inOrder = solve.executor.threads < gatheringThreads ||
                       solve.A.pattern->stored() < smallWork * lanes;
  return byRows(analysis, solve.b.count) || (inOrder && sameBitsByRows(solve));
}

} // namespace

template <typename T>
void triangularSolve(const Matrix<T> &A, Triangle triangle, Mode mode,
                     Vectors<const T> b, Vectors<T> x,
                     const tsgu_executor &executor) {
  const std::shared_ptr<Analysis> analysis = analysed(A, triangle);
  if (A.rows() == 0 || b.count == 0)
    return;
  const Solve<T> solve{A, triangle, mode, b, x, executor};
  const bool zero =
      byRows(solve, *analysis)
          ? solveByRows(solve, *analysis)
          : solveBySweep<T>(
                solve,
                analysis->sweep(*A.pattern, A.item, mode != Mode::N, executor),
                nullptr);
  if (zero)
    failSingular(A, triangle.upper);
}

//===----------------------------------------------------------------------===//
// Values that stay
//===----------------------------------------------------------------------===//

template <typename T> struct PreparedTriangle<T>::State {
  Pattern *pattern;
  int64_t item;
  Triangle triangle;
  std::shared_ptr<Analysis> analysis;
  Block valueBlock; ///< Those of the item, in the pattern's order.
  int64_t firstEntry = 0;
  ForkSafeMutex packing;
  Packed<T> packed[2];
  std::atomic<bool> ready[2]{};
  Choice choices[2];

  Matrix<T> matrix() const {
    return {pattern, item, valueBlock.as<T>() - firstEntry};
  }

  const Packed<T> &packedFor(const Sweep &sweep, bool transposed,
                             const tsgu_executor &executor) {
    if (!ready[transposed].load(std::memory_order_acquire)) {
      std::lock_guard lock(packing);
      if (!ready[transposed].load(std::memory_order_relaxed)) {
        packed[transposed].fill(sweep, triangle.unit, matrix().values,
                                executor);
        ready[transposed].store(true, std::memory_order_release);
      }
    }
    return packed[transposed];
  }
};

template <typename T>
PreparedTriangle<T>::PreparedTriangle(const Matrix<T> &A, Triangle triangle,
                                      const tsgu_executor &executor)
    : state(std::make_unique<State>()) {
  state->pattern = A.pattern;
  state->item = A.item;
  state->triangle = triangle;
  state->analysis = analysed(A, triangle);
  const Layout &csr = A.pattern->csr();
  state->firstEntry = csr.position(A.firstRow());
  state->valueBlock =
      blockOf<T>(csr.position(A.firstRow() + A.rows()) - state->firstEntry);
  update(A.values, executor);
}

template <typename T> PreparedTriangle<T>::~PreparedTriangle() = default;
template <typename T>
PreparedTriangle<T>::PreparedTriangle(PreparedTriangle &&) noexcept = default;

template <typename T>
void PreparedTriangle<T>::update(const T *values,
                                 const tsgu_executor &executor) {
  State &s = *state;
  const int64_t count = s.valueBlock.bytes() / static_cast<int64_t>(sizeof(T));
  forElements(executor, count, [&](int64_t begin, int64_t end) {
    std::copy(values + s.firstEntry + begin, values + s.firstEntry + end,
              s.valueBlock.template as<T>() + begin);
  });
  s.ready[0].store(false), s.ready[1].store(false);
  if (s.triangle.unit)
    return;
  const Layout &csr = s.pattern->csr();
  withIndexType(csr.indexType, [&]<typename I>(I) {
    const I *positions =
        static_cast<const I *>(csr.positions) + s.item * s.pattern->rows();
    const I *edges = static_cast<const I *>(s.analysis->edges());
    const bool upper = s.triangle.upper;
    std::atomic<bool> zero{false};
    forElements(executor, s.pattern->rows(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const I diagonal = edges   ? edges[i] - I(upper)
                           : upper ? positions[i]
                                   : positions[i + 1] - 1;
        if (values[diagonal] == T(0))
          zero.store(true, std::memory_order_relaxed);
      }
    });
    if (zero.load())
      failSingular(s.matrix(), upper);
  });
}

template <typename T>
void PreparedTriangle<T>::solve(Mode mode, Vectors<const T> b, Vectors<T> x,
                                const tsgu_executor &executor) const {
  State &s = *state;
  const Matrix<T> A = s.matrix();
  if (A.rows() == 0 || b.count == 0)
    return;
  const Solve<T> solve{A, s.triangle, mode, b, x, executor};
  if (byRows(*s.analysis, b.count)) {
    solveByRows(solve, *s.analysis);
    return;
  }
  const bool transposed = mode != Mode::N;
  const Sweep &sweep =
      s.analysis->sweep(*A.pattern, A.item, transposed, executor);
  const Packed<T> &packed = s.packedFor(sweep, transposed, executor);
  // All ways give the same bits.
  enum Way : int32_t { Threads, OneThread, Rows };
  const int32_t ways = sameBitsByRows(solve) ? 3 : 2;
  Choice &choice = s.choices[transposed];
  const int32_t way = choice.next(ways, executor.threads);
  tsgu_executor chosen = executor;
  if (way != Threads)
    chosen.threads = 1;
  const Solve<T> attempt{A, s.triangle, mode, b, x, chosen};
  const Clock::time_point begin = Clock::now();
  if (way == Rows)
    solveByRows(attempt, *s.analysis);
  else
    solveBySweep(attempt, sweep, &packed);
  choice.took(way, Clock::now() - begin);
}

template <typename T> int64_t PreparedTriangle<T>::bytes() const {
  int64_t sum = static_cast<int64_t>(sizeof(State)) + state->valueBlock.bytes();
  for (int k = 0; k < 2; ++k)
    if (state->ready[k].load(std::memory_order_acquire))
      sum += state->packed[k].bytes();
  return sum;
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
  template void triangularSolve(const Matrix<T> &, Triangle, Mode,             \
                                Vectors<const T>, Vectors<T>,                  \
                                const tsgu_executor &);                        \
  template class PreparedTriangle<T>;
TSGU_FOR_VALUE_TYPES(TSGU_INSTANTIATE)

} // namespace tsgu::runtime
