//===- Solve.cpp - Substitution with a factor -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Several columns are the lanes of vectors, rows of the factor go by the block.
// Of one column, the rows of the factor are the lanes, and threads share tasks
// of the tree and large fronts above them: what a task adds to rows above it is
// added apart first, whoever runs it, and so is summed in one order.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "direct/cholesky/Numeric.h"

#include <cstring>
#include <utility>

namespace tsgu::runtime::cholesky {
namespace {

/// What a sweep works on, see Substitution.
template <typename T> struct Work {
  Real<T> *y;
  int64_t width;
  Real<T> *memory, *above;
  Index top;
};

/// L and a block of `width` vectors: row k has the real parts, then the
/// imaginary ones.
template <typename T, int level> struct Substitution : Tiles<T, level> {
  using Tile = Tiles<T, level>;
  using R = typename Tile::R;
  using Strip = typename Tile::Strip;
  static constexpr int lanes = Tile::lanes, parts = Tile::parts;
  static constexpr int block = Tile::block;

  const Factor<T> &factor;
  const Symbolic &symbolic;
  R *const y;
  const int64_t width, step;
  R *const memory; ///< Rows of a front, and its columns.
  R *const above;  ///< Where a task adds to rows from `top` on.
  const Index top;

  Substitution(const Factor<T> &factor, const Work<T> &work)
      : factor(factor), symbolic(*factor.symbolic), y(work.y),
        width(work.width), step(width * parts), memory(work.memory),
        above(work.above), top(work.top) {}

  //===-- Several columns
  //---------------------------------------------------===//

  template <int n>
  TSGU_INLINE void loadRow(Strip (&acc)[n][block], int c, const R *row) const {
    TSGU_UNROLLED
    for (int i = 0; i < n; ++i)
      Tile::load(acc[i][c], row + i * lanes, width);
  }
  template <int n>
  TSGU_INLINE void storeRow(R *row, const Strip (&acc)[n][block], int c) const {
    TSGU_UNROLLED
    for (int i = 0; i < n; ++i)
      Tile::store(row + i * lanes, width, acc[i][c]);
  }

  /// Strips from `at` on, of conjugated vectors.
  template <int n> TSGU_INLINE void forward(Index s, int64_t at) const {
    const Front<T> front = factor.front(s);
    R *const own = y + symbolic.first[s] * step + at;
    const Index *const rows = symbolic.rowsOf(s).data() - front.width;
    const typename Tile::Left solved{own, lanes, step, width};
    const auto right = [&](int64_t i) TSGU_INLINE {
      return typename Tile::Right{front.panel + i, 1, front.panelStep(),
                                  front.rows()};
    };
    Strip acc[n][block];
    for (int64_t i = 0; i < front.width; i += block) {
      const int64_t count = std::min<int64_t>(block, front.width - i);
      R inverse[block];
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c) {
        inverse[c] = c < count ? front.inverse[i + c] : R(0);
        loadRow(acc, c, own + (i + (c < count ? c : 0)) * step);
      }
      auto L = right(i);
      Tile::subtractProducts(acc, solved, L, i);
      L.at += i * L.column;
      // A last block that is not whole has columns of what follows beside it.
      if (count == block)
        Tile::solve(acc, L, inverse);
      else
        TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        if (c < count) {
          TSGU_UNROLLED
          for (int p = 0; p < n; ++p)
            TSGU_UNROLLED
          for (int part = 0; part < parts; ++part)
            acc[p][c].part[part] *= inverse[c];
          TSGU_UNROLLED
          for (int j = c + 1; j < block; ++j)
            TSGU_UNROLLED
          for (int p = 0; p < n; ++p)
            Tile::subtract(acc[p][j], acc[p][c], L.at + c * L.column + j,
                           L.imaginary);
        }
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        if (c < count)
          storeRow(own + (i + c) * step, acc, c);
    }
    for (int64_t i = front.width; i < front.height; i += block) {
      const int64_t count = std::min<int64_t>(block, front.height - i);
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        loadRow(acc, c, y + int64_t{rows[i + (c < count ? c : 0)]} * step + at);
      Tile::subtractProducts(acc, solved, right(i), front.width);
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        if (c < count)
          storeRow(y + int64_t{rows[i + c]} * step + at, acc, c);
    }
  }

  template <int n> TSGU_INLINE void backward(Index s, int64_t at) const {
    const Front<T> front = factor.front(s);
    R *const own = y + symbolic.first[s] * step + at;
    const Index *const rows = symbolic.rowsOf(s).data() - front.width;
    for (int64_t i = front.width; i < front.height; ++i) {
      const R *const from = y + int64_t{rows[i]} * step + at;
      R *const to = memory + (i - front.width) * step;
      for (int part = 0; part < parts; ++part)
        std::memcpy(to + part * width, from + part * width,
                    n * lanes * sizeof(R));
    }
    Strip acc[n][block];
    for (int64_t end = front.width; end > 0;) {
      const int64_t i = (end - 1) / block * block, count = end - i;
      const R *const L = front.column(i);
      const auto from = [&](int64_t row) TSGU_INLINE {
        return
            typename Tile::Right{L + row, front.panelStep(), 1, front.rows()};
      };
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        loadRow(acc, c, own + (i + (c < count ? c : 0)) * step);
      // A last block that is not whole has columns of what follows beside it.
      if (count == block) {
        Tile::subtractProducts(acc, {own + end * step, lanes, step, width},
                               from(end), front.width - end);
        Tile::subtractProducts(acc, {memory, lanes, step, width},
                               from(front.width), front.height - front.width);
      } else {
        auto some = from(front.width);
        for (int64_t k = front.width; k < front.height; ++k) {
          TSGU_UNROLLED
          for (int c = 0; c < block; ++c)
            if (c < count)
              TSGU_UNROLLED
          for (int p = 0; p < n; ++p) {
            Strip left;
            Tile::load(left, memory + (k - front.width) * step + p * lanes,
                       width);
            Tile::subtract(acc[p][c], left, some.at + c * some.row,
                           some.imaginary);
          }
          ++some.at;
        }
      }
      TSGU_UNROLLED
      for (int c = block; c-- > 0;)
        if (c < count) {
          const R by = front.inverse[i + c];
          TSGU_UNROLLED
          for (int p = 0; p < n; ++p)
            TSGU_UNROLLED
          for (int part = 0; part < parts; ++part)
            acc[p][c].part[part] *= by;
          storeRow(own + (i + c) * step, acc, c);
          TSGU_UNROLLED
          for (int j = 0; j < c; ++j)
            TSGU_UNROLLED
          for (int p = 0; p < n; ++p)
            Tile::subtract(acc[p][j], acc[p][c],
                           L + j * front.panelStep() + i + c, front.rows());
        }
      end = i;
    }
  }

  //===-- One column
  //--------------------------------------------------------===//

  /// Strips that rows of the front's own columns are in.
  static int64_t ownRows(const Front<T> &front) {
    return std::min((front.width + lanes - 1) / lanes * lanes, front.rows());
  }

  /// Columns [j, j + count) of L times what they were solved to, from rows
  /// [begin, end).
  TSGU_INLINE void subtractColumns(const Front<T> &front, const R *own,
                                   int64_t j, int64_t count, int64_t begin,
                                   int64_t end) const {
    const int64_t rows = front.rows();
    R x[block][parts] = {}; // Conjugated.
    for (int64_t c = 0; c < count; ++c)
      for (int p = 0; p < parts; ++p) {
        const R value = own[(j + c) * parts + p];
        x[c][p] = p ? -value : value;
      }
    Tile::withColumns(count, [&]<int columns>() TSGU_INLINE {
      for (int64_t i = begin; i < end; i += lanes) {
        Strip acc;
        Tile::load(acc, memory + i, rows);
        TSGU_UNROLLED
        for (int c = 0; c < columns; ++c)
          if (c < count) {
            Strip L;
            Tile::load(L, front.column(j + c) + i, rows);
            Tile::subtract(acc, L, x[c], 1);
          }
        Tile::store(memory + i, rows, acc);
      }
    });
  }

  /// Solves for the front's own columns; from rows up to `end` their products.
  TSGU_INLINE void forwardOwn(Index s, int64_t end) const {
    const Front<T> front = factor.front(s);
    const int64_t rows = front.rows();
    R *const own = y + int64_t{symbolic.first[s]} * parts;
    for (int64_t i = 0; i < front.width; ++i)
      for (int p = 0; p < parts; ++p)
        memory[p * rows + i] = own[i * parts + p];
    for (int p = 0; p < parts; ++p)
      std::fill(memory + p * rows + front.width, memory + (p + 1) * rows, R(0));
    for (int64_t j = 0; j < front.width; j += block) {
      const int64_t count = std::min<int64_t>(block, front.width - j);
      for (int64_t c = 0; c < count; ++c) {
        R value[parts];
        for (int p = 0; p < parts; ++p)
          value[p] = memory[p * rows + j + c];
        for (int64_t k = 0; k < c; ++k) {
          const R *const L = front.column(j + k) + j + c;
          const R *const x = own + (j + k) * parts;
          value[0] -= L[0] * x[0];
          if constexpr (parts == 2) {
            value[0] += L[rows] * x[1];
            value[1] -= L[rows] * x[0];
            value[1] -= L[0] * x[1];
          }
        }
        for (int p = 0; p < parts; ++p)
          own[(j + c) * parts + p] = value[p] * front.inverse[j + c];
      }
      subtractColumns(front, own, j, count, (j + count) / lanes * lanes, end);
    }
  }

  /// The products of the front's columns from its rows [begin, end).
  TSGU_INLINE void forwardBelow(Index s, int64_t begin, int64_t end) const {
    const Front<T> front = factor.front(s);
    for (int64_t j = 0; j < front.width; j += block)
      subtractColumns(front, y + int64_t{symbolic.first[s]} * parts, j,
                      std::min<int64_t>(block, front.width - j), begin, end);
  }

  void addBelow(Index s) const {
    const Front<T> front = factor.front(s);
    const auto places = symbolic.rowsOf(s);
    const auto within = std::lower_bound(places.begin(), places.end(), top);
    for (int p = 0; p < parts; ++p) {
      const R *from = memory + p * front.rows() + front.width;
      for (auto row = places.begin(); row < within; ++row)
        y[int64_t{*row} * parts + p] += *from++;
      for (auto row = within; row < places.end(); ++row)
        above[int64_t{*row - top} * parts + p] += *from++;
    }
  }

  /// Rows below the front's own as one column.
  void gatherBelow(Index s) const {
    const Front<T> front = factor.front(s);
    const Index *const places = symbolic.rowsOf(s).data() - front.width;
    for (int64_t i = 0; i < front.rows(); ++i)
      for (int p = 0; p < parts; ++p)
        memory[p * front.rows() + i] = i < front.width || i >= front.height
                                           ? R(0)
                                           : y[int64_t{places[i]} * parts + p];
  }

  /// Columns [j, j + count) of L^H times rows [begin, end) of what is gathered.
  TSGU_INLINE void sumRows(const Front<T> &front, int64_t j, int64_t count,
                           int64_t begin, int64_t end,
                           R (&sum)[block][parts]) const {
    const int64_t rows = front.rows();
    Tile::withColumns(count, [&]<int columns>() TSGU_INLINE {
      Strip acc[columns];
      TSGU_UNROLLED
      for (int c = 0; c < columns; ++c)
        Tile::zero(acc[c]);
      for (int64_t i = begin; i < end; i += lanes) {
        Strip t;
        Tile::load(t, memory + i, rows);
        TSGU_UNROLLED
        for (int c = 0; c < columns; ++c)
          if (c < count) {
            Strip L;
            Tile::load(L, front.column(j + c) + i, rows);
            acc[c].part[0] += L.part[0] * t.part[0];
            if constexpr (parts == 2) {
              acc[c].part[0] += L.part[1] * t.part[1];
              acc[c].part[1] += L.part[0] * t.part[1];
              acc[c].part[1] -= L.part[1] * t.part[0];
            }
          }
      }
      TSGU_UNROLLED
      for (int c = 0; c < columns; ++c)
        for (int p = 0; p < parts; ++p)
          for (int lane = 0; lane < lanes; ++lane)
            sum[c][p] += acc[c].part[p][lane];
    });
  }

  /// Columns of blocks [begin, end) times the rows below the front's own.
  TSGU_INLINE void backwardBelow(Index s, int64_t begin, int64_t end) const {
    const Front<T> front = factor.front(s);
    R *const below = memory + front.rows() * parts;
    for (int64_t j = begin * block; j < std::min(end * block, front.width);
         j += block) {
      const int64_t count = std::min<int64_t>(block, front.width - j);
      R sum[block][parts] = {};
      sumRows(front, j, count, ownRows(front), front.rows(), sum);
      for (int64_t c = 0; c < count; ++c)
        std::copy_n(sum[c], parts, below + (j + c) * parts);
    }
  }

  /// Solves for the front's own columns, of which backwardBelow() has summed
  /// the rows from `summed` on.
  TSGU_INLINE void backwardOwn(Index s, int64_t summed) const {
    const Front<T> front = factor.front(s);
    const int64_t rows = front.rows();
    R *const own = y + int64_t{symbolic.first[s]} * parts;
    const R *const below = memory + rows * parts;
    for (int64_t end = front.width; end > 0;) {
      const int64_t j = (end - 1) / block * block, count = end - j;
      R sum[block][parts] = {};
      if (summed < rows)
        for (int64_t c = 0; c < count; ++c)
          std::copy_n(below + (j + c) * parts, parts, sum[c]);
      // What is not solved yet is 0.
      sumRows(front, j, count, end / lanes * lanes, summed, sum);
      for (int64_t c = count; c-- > 0;) {
        const R *const L = front.column(j + c) + j;
        R value[parts];
        for (int p = 0; p < parts; ++p)
          value[p] = own[(j + c) * parts + p] - sum[c][p];
        for (int64_t k = c + 1; k < count; ++k) {
          const R *const x = own + (j + k) * parts;
          value[0] -= L[k] * x[0];
          if constexpr (parts == 2) {
            value[0] -= L[rows + k] * x[1];
            value[1] -= L[k] * x[1];
            value[1] += L[rows + k] * x[0];
          }
        }
        for (int p = 0; p < parts; ++p) {
          value[p] *= front.inverse[j + c];
          own[(j + c) * parts + p] = memory[p * rows + j + c] = value[p];
        }
      }
      end = j;
    }
  }

  //===-- Pivots that were not taken in order
  //-----------------------------------------------===//

  /// Rows k and k + 1 by Q^H, or by Q: of conjugated vectors, where it is
  /// forward, if there are several.
  TSGU_INLINE void turnRows(R *row, R cosine, T sine, bool isForward) const {
    const R re = isForward ? -std::real(sine) : std::real(sine);
    const R im = (isForward ? -std::imag(sine) : std::imag(sine)) *
                 (isForward && width > 1 ? R(-1) : R(1));
    R *const next = row + step;
    for (int64_t j = 0; j < width; ++j) {
      const R a = row[j], b = next[j];
      if constexpr (parts == 1) {
        row[j] = a * cosine - b * re, next[j] = b * cosine + a * re;
      } else {
        const R ai = row[width + j], bi = next[width + j];
        row[j] = a * cosine - (b * re + bi * im);
        row[width + j] = ai * cosine - (bi * re - b * im);
        next[j] = b * cosine + (a * re - ai * im);
        next[width + j] = bi * cosine + (a * im + ai * re);
      }
    }
  }

  void turn(Index s, bool isForward) const {
    const Index first = symbolic.first[s], count = symbolic.width(s);
    R *const own = y + first * step;
    if (isForward)
      permute(s, own, isForward);
    for (Index k = 0; k < count; ++k)
      if (factor.sine[first + k] != T(0))
        turnRows(own + k * step, factor.cosine[first + k],
                 factor.sine[first + k], isForward);
    if (!isForward)
      permute(s, own, isForward);
  }

  void permute(Index s, R *own, bool isForward) const {
    const Index count = symbolic.width(s);
    const Index *const source = factor.source.data() + symbolic.first[s];
    std::copy_n(own, count * step, memory);
    for (Index k = 0; k < count; ++k)
      std::copy_n(memory + (isForward ? source[k] : k) * step, step,
                  own + (isForward ? k : source[k]) * step);
  }

  void turnIf(Index s, bool when, bool isForward) const {
    if (when && factor.isIndefinite() && factor.isTurned[s])
      turn(s, isForward);
  }

  /// Supernode s, of one column.
  TSGU_INLINE void one(Index s, bool isForward) const {
    const int64_t rows = factor.front(s).rows();
    turnIf(s, isForward, isForward);
    if (isForward) {
      forwardOwn(s, rows);
      addBelow(s);
    } else {
      gatherBelow(s);
      backwardOwn(s, rows);
    }
    turnIf(s, !isForward, isForward);
  }

  TSGU_INLINE void several(Index s, bool isForward) const {
    turnIf(s, isForward, isForward);
    int64_t at = 0;
    for (; at + 2 * lanes <= width; at += 2 * lanes)
      isForward ? forward<2>(s, at) : backward<2>(s, at);
    for (; at < width; at += lanes)
      isForward ? forward<1>(s, at) : backward<1>(s, at);
    turnIf(s, !isForward, isForward);
  }

  /// Supernodes [begin, end), backward from the last.
  TSGU_INLINE void run(bool isForward, Index begin, Index end) const {
    InterruptCheck check;
    for (Index k = begin; k < end; ++k) {
      const Index s = isForward ? k : end - 1 - (k - begin);
      width == 1 ? one(s, isForward) : several(s, isForward);
      check.after(int64_t{symbolic.width(s)} * symbolic.height(s) * width);
    }
  }
};

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
      Substitution<T, level>(factor, with).run(isForward, begin, end);
    });
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
      const Substitution<T, level> by(factor, with);
      own = by.ownRows(front);
      by.turnIf(s, true, true);
      by.forwardOwn(s, own);
    });
    const int64_t rows = front.rows() - own;
    parallelFor(executor, (rows + piece - 1) / piece,
                [&](int64_t begin, int64_t end) {
                  atLevel([&]<int level>() TSGU_INLINE {
                    Substitution<T, level>(factor, with)
                        .forwardBelow(s, own + begin * piece,
                                      own + std::min(end * piece, rows));
                  });
                });
    atLevel([&]<int level>() TSGU_INLINE {
      Substitution<T, level>(factor, with).addBelow(s);
    });
  }

  void backwardLarge(Index s, const Work<T> &with) const {
    const Front<T> front = factor.front(s);
    int64_t blocks = 0;
    atLevel([&]<int level>() TSGU_INLINE {
      const Substitution<T, level> by(factor, with);
      blocks = (front.width + by.block - 1) / by.block;
      by.gatherBelow(s);
    });
    parallelFor(executor, blocks, [&](int64_t begin, int64_t end) {
      atLevel([&]<int level>() TSGU_INLINE {
        Substitution<T, level>(factor, with).backwardBelow(s, begin, end);
      });
    });
    atLevel([&]<int level>() TSGU_INLINE {
      const Substitution<T, level> by(factor, with);
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
