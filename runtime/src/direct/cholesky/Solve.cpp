//===- Solve.cpp - Substitution with a factor -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Threads share tasks of the tree, and of one column large fronts above them:
// what a task adds to rows above it is added apart first, whoever runs it, and
// so is summed in one order.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "direct/cholesky/OneColumn.h"
#include "direct/cholesky/SeveralColumns.h"

#include <utility>

namespace tsgu::runtime::cholesky {
namespace {

/// Supernodes of a factor, on the threads of an executor.
template <typename T> class Sweep {
public:
  using R = Real<T>;
  Sweep(const Factor<T> &factor, R *y, int64_t width,
        const tsgu_executor &executor)
      : factor(factor), symbolic(*factor.symbolic), executor(executor),
        first(symbolic.taskStarts.back()), last(symbolic.supernodes()) {
    int64_t most = 0;
    for (Index s = 0; s < last; ++s)
      most = std::max<int64_t>(most, factor.front(s).rows() +
                                         padded<T>(symbolic.width(s)));
    room = multiply(most, partsOf<T> * width);
    work = {y, width, nullptr, nullptr, symbolic.columns()};
  }

  void forward() {
    if (work.width > 1 || first == 0)
      return run(true, 0, last);
    const Index top = symbolic.first[first];
    std::vector<int64_t> starts(first + 1);
    for (Index s = 0; s < first; ++s)
      starts[s + 1] =
          starts[s] + (symbolic.parent[s] >= first ? symbolic.below(s) : 0);
    const Scratch sums(multiply(starts.back() * partsOf<T>, sizeof(R)));
    R *const sum = reinterpret_cast<R *>(sums.data());
    forTasks(multiply(symbolic.columns() - top, partsOf<T>),
             [&](Index begin, Index end, const Work<T> &with) {
               forAbove(starts, begin, end, with, top,
                        [](R &at, int64_t) { at = 0; });
               Work<T> task = with;
               task.top = top;
               run(true, begin, end, task);
               forAbove(starts, begin, end, with, top, [&](R &at, int64_t to) {
                 sum[to] = std::exchange(at, R(0));
               });
             });
    const Work<T> all{work.y, 1, nullptr, work.y + int64_t{top} * partsOf<T>,
                      top};
    forAbove(starts, 0, first, all, top,
             [&](R &at, int64_t from) { at += sum[from]; });
    overTop(true);
  }

  void backward() {
    if (first == 0)
      return run(false, 0, last);
    if (work.width == 1)
      overTop(false);
    else
      run(false, first, last);
    forTasks(0, [&](Index begin, Index end, const Work<T> &with) {
      run(false, begin, end, with);
    });
  }

private:
  void run(bool isForward, Index begin, Index end, const Work<T> &with) const {
    atLevel([&]<int level>() TSGU_INLINE {
      if (with.width == 1)
        runAll(OneColumn<T, level>(factor, with), isForward, begin, end);
      else
        runAll(SeveralColumns<T, level>(factor, with), isForward, begin, end);
    });
  }
  /// Supernodes [begin, end), backward from the last.
  template <typename By>
  TSGU_INLINE void runAll(const By &by, bool isForward, Index begin,
                          Index end) const {
    InterruptCheck check;
    for (Index k = begin; k < end; ++k) {
      const Index s = isForward ? k : end - 1 - (k - begin);
      by.run(s, isForward);
      check.after(int64_t{symbolic.width(s)} * symbolic.height(s) * by.width);
    }
  }
  void run(bool isForward, Index begin, Index end) const {
    const Scratch memory(multiply(room, sizeof(R)));
    Work<T> with = work;
    with.memory = reinterpret_cast<R *>(memory.data());
    run(isForward, begin, end, with);
  }

  /// function(begin, end, work) for the supernodes of each task; `more`:
  /// numbers for rows above them.
  template <typename F> void forTasks(int64_t more, F &&function) const {
    parallelFor(executor, symbolic.tasks(), [&](int64_t task, int64_t end) {
      const Scratch memory(multiply(add(room, more), sizeof(R)));
      Work<T> with = work;
      with.memory = reinterpret_cast<R *>(memory.data());
      with.above = with.memory + room;
      for (; task < end; ++task)
        function(symbolic.taskStarts[task], symbolic.taskStarts[task + 1],
                 with);
    });
  }

  /// function(number above, place among the sums) for all rows above the roots
  /// among supernodes [begin, end).
  template <typename F>
  void forAbove(const std::vector<int64_t> &starts, Index begin, Index end,
                const Work<T> &with, Index top, F &&function) const {
    constexpr int64_t parts = partsOf<T>;
    for (Index s = begin; s < end; ++s) {
      int64_t at = starts[s] * parts;
      if (starts[s + 1] > starts[s])
        for (const Index row : symbolic.rowsOf(s))
          for (int64_t p = 0; p < parts; ++p)
            function(with.above[int64_t{row - top} * parts + p], at++);
    }
  }

  /// The supernodes above the tasks, one after the other.
  void overTop(bool isForward) const {
    const Scratch memory(multiply(room, sizeof(R)));
    Work<T> with = work;
    with.memory = reinterpret_cast<R *>(memory.data());
    InterruptCheck check;
    for (Index k = first; k < last; ++k) {
      const Index s = isForward ? k : last - 1 - (k - first);
      const int64_t size = int64_t{symbolic.width(s)} * symbolic.below(s);
      if (size < large)
        run(isForward, s, s + 1, with);
      else
        isForward ? forwardLarge(s, with) : backwardLarge(s, with);
      check.after(int64_t{symbolic.width(s)} * symbolic.height(s));
    }
  }

  /// A front's entries below its columns that threads share out.
  static constexpr int64_t large = 1 << 16;
  static constexpr int64_t piece = 512; ///< Of its rows.

  void forwardLarge(Index s, const Work<T> &with) const {
    const Front<T> front = factor.front(s);
    int64_t own = 0;
    atLevel([&]<int level>() TSGU_INLINE {
      const OneColumn<T, level> by(factor, with);
      own = by.ownRows(front);
      by.turnIf(s, true, true);
      by.forwardOwn(s, own);
    });
    const int64_t rows = front.rows() - own;
    parallelFor(executor, (rows + piece - 1) / piece,
                [&](int64_t begin, int64_t end) {
                  atLevel([&]<int level>() TSGU_INLINE {
                    OneColumn<T, level>(factor, with)
                        .forwardBelow(s, own + begin * piece,
                                      own + std::min(end * piece, rows));
                  });
                });
    atLevel([&]<int level>()
                TSGU_INLINE { OneColumn<T, level>(factor, with).addBelow(s); });
  }

  void backwardLarge(Index s, const Work<T> &with) const {
    const Front<T> front = factor.front(s);
    int64_t blocks = 0;
    atLevel([&]<int level>() TSGU_INLINE {
      const OneColumn<T, level> by(factor, with);
      blocks = (front.width + by.block - 1) / by.block;
      by.gatherBelow(s);
    });
    parallelFor(executor, blocks, [&](int64_t begin, int64_t end) {
      atLevel([&]<int level>() TSGU_INLINE {
        OneColumn<T, level>(factor, with).backwardBelow(s, begin, end);
      });
    });
    atLevel([&]<int level>() TSGU_INLINE {
      const OneColumn<T, level> by(factor, with);
      by.backwardOwn(s, by.ownRows(front));
      by.turnIf(s, true, false);
    });
  }

  const Factor<T> &factor;
  const Symbolic &symbolic;
  const tsgu_executor &executor;
  const Index first, last; ///< Of the supernodes above the tasks.
  int64_t room; ///< Numbers for one of a front's columns, and its rows.
  Work<T> work;
};

} // namespace

template <typename T>
void substitute(const Factor<T> &factor, bool forward, Real<T> *y,
                int64_t width, const tsgu_executor &executor) {
  Sweep<T> sweep(factor, y, width, executor);
  forward ? sweep.forward() : sweep.backward();
}

#define INSTANTIATE(T)                                                         \
  template void substitute(const Factor<T> &, bool, Real<T> *, int64_t,        \
                           const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
