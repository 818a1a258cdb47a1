//===- Front.cpp - Factorising a front ------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// By blocks of columns: the block's diagonal, then the strips below it, each on
// its own and packed as it is made, then what they take from the columns after
// it. The order of sums in an element depends on nothing but its place.
//
//===----------------------------------------------------------------------===//

#include "direct/cholesky/Front.h"
#include "base/Parallel.h"

#include <atomic>
#include <cmath>

namespace tsgu::runtime::cholesky {
namespace {

/// Columns [begin, begin + count) of a front, packed from row `begin` on.
template <typename T> struct Block {
  const Front<T> &front;
  int64_t begin, count;
  Real<T> *packed, *right; ///< L, and L J.

  /// By which column j of L is made.
  Real<T> factor(int64_t j) const {
    const Real<T> inverse = front.inverse[begin + j];
    return front.sign ? inverse * front.sign[begin + j] : inverse;
  }
  int64_t rows() const { return front.rows() - begin; }
  Real<T> *column(int64_t j) const { return front.column(begin + j) + begin; }
};

template <typename T, int level> struct Elimination : Tiles<T, level> {
  using Tile = Tiles<T, level>;
  using R = typename Tile::R;
  using Strip = typename Tile::Strip;
  static constexpr int64_t lanes = Tile::lanes, step = Tile::step;
  static constexpr int block = Tile::block, parts = Tile::parts;

  static TSGU_INLINE inline R *strip(const Block<T> &of, int64_t s) {
    return of.packed + s * step * of.count;
  }
  static TSGU_INLINE inline R *rightStrip(const Block<T> &of, int64_t s) {
    return of.right + s * step * of.count;
  }
  static TSGU_INLINE inline int64_t strips(int64_t rows) {
    return (rows + lanes - 1) / lanes;
  }

  template <int n, int columns>
  static TSGU_INLINE inline void
  subtractPacked(const Block<T> &of, Strip (&acc)[n][columns], int64_t s,
                 const R *other, int64_t count) {
    Tile::subtractProducts(acc, {strip(of, s), step * of.count, step, lanes},
                           {other, 1, step, lanes}, count);
  }

  static TSGU_INLINE inline void pack(const Block<T> &of, int64_t s, int64_t j,
                                      const Strip &values) {
    Tile::store(strip(of, s) + j * step, lanes, values);
    if (of.right == of.packed)
      return;
    Strip right = values;
    TSGU_UNROLLED
    for (int p = 0; p < parts; ++p)
      right.part[p] *= of.front.sign[of.begin + j];
    Tile::store(rightStrip(of, s) + j * step, lanes, right);
  }

  /// Makes L of columns [j, j + count) of some strips, which are packed up to
  /// column j. `triangle` has their rows of L J, `inverse` their factors.
  template <int n, int columns>
  static TSGU_INLINE inline void
  finish(const Block<T> &of, Strip (&acc)[n][columns], int64_t s, int64_t j,
         int64_t count, const R *triangle, const R *inverse) {
    Tile::solve(acc, {triangle, 1, step, lanes}, inverse);
    const int64_t imaginary = of.front.rows();
    TSGU_UNROLLED
    for (int c = 0; c < columns; ++c)
      if (c < count) {
        R *const to = of.column(j + c);
        TSGU_UNROLLED
        for (int i = 0; i < n; ++i) {
          Tile::store(to + (s + i) * lanes, imaginary, acc[i][c]);
          pack(of, s + i, j + c, acc[i][c]);
        }
      }
  }

  template <int n, int columns>
  static TSGU_INLINE inline void loadTile(Strip (&acc)[n][columns],
                                          const R *from, int64_t apart,
                                          int64_t imaginary, int64_t count) {
    TSGU_UNROLLED
    for (int c = 0; c < columns; ++c)
      TSGU_UNROLLED
    for (int i = 0; i < n; ++i)
      if (c < count)
        Tile::load(acc[i][c], from + c * apart + i * lanes, imaginary);
      else
        Tile::zero(acc[i][c]);
  }

  template <int n, int columns>
  static TSGU_INLINE inline void eliminateStrips(const Block<T> &of, int64_t s,
                                                 int64_t j, int64_t count) {
    Strip acc[n][columns];
    loadTile(acc, of.column(j) + s * lanes, of.front.panelStep(),
             of.front.rows(), count);
    const R *other = rightStrip(of, j / lanes) + j % lanes;
    subtractPacked(of, acc, s, other, j);
    R copy[columns];
    TSGU_UNROLLED
    for (int c = 0; c < columns; ++c)
      copy[c] = c < count ? of.factor(j + c) : R(0);
    finish(of, acc, s, j, count, other + j * step, copy);
  }

  /// L J of the square at row `at` of a strip's columns. `sign`: null unless
  /// pivots may be negative.
  static TSGU_INLINE inline Stop factorise(R *square, int64_t count, R *inverse,
                                           R *sign) {
    TSGU_ROLLED
    for (int64_t k = 0; k < count; ++k) {
      R *const column = square + k * step;
      const R pivot = column[k];
      R of = 1;
      if (sign)
        of = sign[k] = pivot < 0 ? R(-1) : R(1);
      if (!(of * pivot > 0))
        return {k, double(pivot)};
      const R by = R(1) / std::sqrt(of * pivot);
      inverse[k] = by;
      for (int64_t i = k; i < count; ++i)
        for (int64_t p = 0; p < parts; ++p)
          column[p * lanes + i] *= by;
      for (int64_t j = k + 1; j < count; ++j) {
        R *const to = square + j * step;
        const R re = of * column[j];
        for (int64_t i = j; i < count; ++i)
          to[i] -= column[i] * re;
        if constexpr (parts == 2) {
          const R im = of * column[lanes + j];
          for (int64_t i = j; i < count; ++i) {
            to[i] -= column[lanes + i] * im;
            to[lanes + i] -= column[lanes + i] * re;
            to[lanes + i] += column[i] * im;
          }
        }
      }
    }
    return {};
  }

  template <int columns>
  static TSGU_INLINE inline Stop diagonalTile(const Block<T> &of, int64_t j,
                                              int64_t count) {
    const int64_t s = j / lanes, at = j % lanes;
    R *const inverse = of.front.inverse + of.begin + j;
    Strip acc[1][columns];
    loadTile(acc, of.column(j) + s * lanes, of.front.panelStep(),
             of.front.rows(), count);
    subtractPacked(of, acc, s, rightStrip(of, s) + at, j);
    alignas(64) R square[columns * step], by[columns] = {};
    TSGU_UNROLLED
    for (int c = 0; c < columns; ++c)
      Tile::store(square + c * step, lanes, acc[0][c]);
    R *const sign = of.front.sign ? of.front.sign + of.begin + j : nullptr;
    const Stop stop = factorise(square + at, count, by, sign);
    if (stop.column >= 0)
      return {of.begin + j + stop.column, stop.pivot};
    std::copy_n(by, count, inverse);
    for (int64_t c = 0; c < count; ++c)
      by[c] = of.factor(j + c);
    finish(of, acc, s, j, count, square + at, by);
    return {};
  }

  static TSGU_INLINE inline Stop diagonal(const Block<T> &of) {
    const int64_t last = strips(of.count);
    Stop stop;
    for (int64_t j = 0; j < of.count && stop.column < 0; j += block) {
      const int64_t count = std::min<int64_t>(block, of.count - j);
      Tile::withColumns(count, [&]<int columns>() TSGU_INLINE {
        stop = diagonalTile<columns>(of, j, count);
        if (stop.column < 0)
          for (int64_t s = j / lanes + 1; s < last; ++s)
            eliminateStrips<1, columns>(of, s, j, count);
      });
    }
    return stop;
  }

  template <int n>
  static TSGU_INLINE inline void below(const Block<T> &of, int64_t s) {
    for (int64_t j = 0; j < of.count; j += block) {
      const int64_t count = std::min<int64_t>(block, of.count - j);
      Tile::withColumns(count, [&]<int columns>() TSGU_INLINE {
        eliminateStrips<n, columns>(of, s, j, count);
      });
    }
  }

  static TSGU_INLINE inline void below(const Block<T> &of, int64_t s,
                                       int64_t end) {
    constexpr int n = std::min(Tile::most, 2);
    for (; s + n <= end; s += n)
      below<n>(of, s);
    if constexpr (n > 1)
      if (s < end)
        below<1>(of, s);
  }

  /// Whether no number is larger than L's may be; none that is not one is.
  static TSGU_INLINE inline bool isSmall(const Block<T> &of, int64_t s,
                                         int64_t end) {
    int large = 0;
    for (const R *at = strip(of, s); at < strip(of, end); ++at)
      large |= !(std::abs(*at) <= R(mostOfL));
    return large == 0;
  }
  static TSGU_INLINE inline bool isSmallOnDiagonal(const Block<T> &of) {
    int large = 0;
    // With what of the rows below is in the last strip.
    const int64_t rows = strips(of.count) * lanes;
    for (int64_t j = 0; j < of.count; ++j)
      for (int64_t i = j; i < rows; ++i)
        for (int64_t p = 0; p < parts; ++p)
          large |= !(std::abs(strip(
                         of, i / lanes)[j * step + p * lanes + i % lanes]) <=
                     R(mostOfL));
    return large == 0;
  }

  static TSGU_INLINE inline void packAll(const Block<T> &of) {
    for (int64_t s = 0; s < of.rows() / lanes; ++s)
      for (int64_t j = 0; j < of.count; ++j) {
        Strip values;
        Tile::load(values, of.column(j) + s * lanes, of.front.rows());
        pack(of, s, j, values);
      }
  }

  /// One tile of columns from j on, of which `count` are there.
  template <int n>
  static TSGU_INLINE inline void
  updateTile(const Block<T> &of, int64_t s, int64_t j, int64_t count, R *to,
             int64_t apart, int64_t imaginary, bool fresh) {
    Strip acc[n][block];
    to += s * lanes;
    if (fresh)
      TSGU_UNROLLED
    for (int c = 0; c < block; ++c)
      TSGU_UNROLLED
    for (int i = 0; i < n; ++i)
      Tile::zero(acc[i][c]);
    else loadTile(acc, to, apart, imaginary, count);
    subtractPacked(of, acc, s, rightStrip(of, j / lanes) + j % lanes, of.count);
    TSGU_UNROLLED
    for (int c = 0; c < block; ++c)
      if (c < count)
        TSGU_UNROLLED
    for (int i = 0; i < n; ++i)
      Tile::store(to + c * apart + i * lanes, imaginary, acc[i][c]);
  }

  /// The tile that comes next; large fronts are not in the cache.
  template <int n>
  static TSGU_INLINE inline void prefetch(const R *from, int64_t apart) {
    TSGU_UNROLLED
    for (int c = 0; c < block; ++c)
      TSGU_UNROLLED
    for (int i = 0; i < n; ++i)
      __builtin_prefetch(from + c * apart + i * lanes, 1);
  }

  /// The lower triangle's part in columns [j, end) and strips [s, last), rows
  /// counted from the block's first.
  static TSGU_INLINE inline void update(const Block<T> &of, int64_t first,
                                        int64_t end, int64_t s, int64_t last,
                                        R *column, int64_t apart,
                                        int64_t imaginary, bool fresh) {
    for (; s < last; s += Tile::most) {
      const int64_t stop = std::min(s + Tile::most, last);
      for (int64_t j = first; j < std::min(end, stop * lanes); j += block) {
        const int64_t from = std::max(s, j / lanes);
        const int64_t count = std::min<int64_t>(block, end - j);
        R *const to = column + (j - first) * apart;
        if (of.count >= 32 && !fresh)
          prefetch<Tile::most>(to + block * apart + s * lanes, apart);
        if (stop - from == 1)
          updateTile<1>(of, from, j, count, to, apart, imaginary, fresh);
        else if (Tile::most == 2 || stop - from == 2)
          updateTile<std::min(Tile::most, 2)>(of, from, j, count, to, apart,
                                              imaginary, fresh);
        else
          updateTile<Tile::most>(of, from, j, count, to, apart, imaginary,
                                 fresh);
      }
    }
  }
};

/// Updates of the columns after a block, in pieces of fixed size.
template <typename T> struct Updates {
  const Block<T> &of;
  bool rest;  ///< In place of the panel.
  bool fresh; ///< Nothing is there yet.

  /// Columns [begin, end) of the front and rows below, or the part of them in
  /// rows [first, last).
  void run(int64_t begin, int64_t end, int64_t first, int64_t last) const {
    if (begin >= end || first >= last)
      return;
    const Front<T> &front = of.front;
    const int64_t apart = rest ? front.restStep() : front.panelStep();
    const int64_t imaginary = rest ? front.restRows() : front.rows();
    Real<T> *const column =
        of.begin +
        (rest ? front.rest + (begin - front.skipped()) * apart - front.skipped()
              : front.panel + begin * apart);
    atLevel([&]<int level>() TSGU_INLINE {
      constexpr int64_t lanes = Tiles<T, level>::lanes;
      Elimination<T, level>::update(
          of, begin - of.begin, end - of.begin, (first - of.begin) / lanes,
          (last - of.begin) / lanes, column, apart, imaginary, fresh);
    });
  }

  /// All of columns [begin, end), of the panel or of the rest.
  void all(int64_t begin, int64_t end, const tsgu_executor &executor) const {
    constexpr int64_t piece = 192;
    const int64_t rows = of.front.rows();
    const int64_t across = (end - begin + piece - 1) / piece;
    const int64_t down = (rows - begin + piece - 1) / piece;
    if (across * down <= 1)
      return run(begin, end, begin / padding<T> * padding<T>, rows);
    parallelFor(executor, across * down, [&](int64_t task, int64_t stop) {
      for (; task < stop; ++task) {
        const int64_t j = begin + task / down * piece;
        const int64_t i = begin / padding<T> * padding<T> + task % down * piece;
        run(j, std::min(j + piece, end), i, std::min(i + piece, rows));
      }
    });
  }
};

} // namespace

namespace {

/// L of a block's columns, packed; whether it is as small as it may be.
template <typename T>
Stop eliminateBlock(const Block<T> &of, bool &small,
                    const tsgu_executor &executor) {
  Stop stop;
  int64_t lanes = 1;
  const bool asked = of.front.sign;
  small = true;
  atLevel([&]<int level>() TSGU_INLINE {
    stop = Elimination<T, level>::diagonal(of);
    lanes = Elimination<T, level>::lanes;
    if (asked && stop.column < 0)
      small = Elimination<T, level>::isSmallOnDiagonal(of);
  });
  if (stop.column >= 0 || !small)
    return stop;
  const int64_t first = (of.count + lanes - 1) / lanes;
  const int64_t strips = of.rows() / lanes - first;
  constexpr int64_t piece = 24;
  std::atomic<bool> large{false};
  parallelFor(executor, (strips + piece - 1) / piece,
              [&](int64_t task, int64_t end) {
                const int64_t from = first + task * piece;
                const int64_t to = first + std::min(end * piece, strips);
                atLevel([&]<int level>() TSGU_INLINE {
                  Elimination<T, level>::below(of, from, to);
                  if (asked && !Elimination<T, level>::isSmall(of, from, to))
                    large.store(true, std::memory_order_relaxed);
                });
              });
  small = !large.load();
  return stop;
}

template <typename T>
void updateRest(const Block<T> &of, bool fresh, const tsgu_executor &executor) {
  const Front<T> &front = of.front;
  if (front.height > front.width)
    Updates<T>{of, true, fresh && of.begin == 0}.all(
        front.skipped(), front.skipped() + front.restRows(), executor);
}

/// What a block leaves of the columns after it.
template <typename T>
void updateAfter(const Block<T> &of, bool fresh,
                 const tsgu_executor &executor) {
  if (const int64_t next = of.begin + of.count; next < of.front.width)
    Updates<T>{of, false, false}.all(next, of.front.width, executor);
  updateRest(of, fresh, executor);
}

} // namespace

template <typename T>
Stop eliminate(const Front<T> &front, bool fresh, Real<T> *packed,
               const tsgu_executor &executor) {
  for (int64_t begin = 0; begin < front.width; begin += blockColumns) {
    const Block<T> of{front, begin, std::min(blockColumns, front.width - begin),
                      packed, packed};
    bool small;
    const Stop stop = eliminateBlock(of, small, executor);
    if (stop.column >= 0)
      return stop;
    updateAfter(of, fresh, executor);
  }
  return {};
}

template <typename T>
int64_t eliminateIndefinite(const Front<T> &front, Basis<T> basis, bool fresh,
                            Real<T> *packed, const tsgu_executor &executor) {
  const int64_t size = packedSize<T>(front.width, front.height);
  Real<T> *const right = packed + size, *const before = right + size;
  const int64_t step = front.panelStep();
  for (int64_t begin = 0; begin < front.width; begin += blockColumns) {
    const int64_t count = std::min(blockColumns, front.width - begin);
    const Block<T> of{front, begin, count, packed, right};
    std::copy_n(front.column(begin), count * step, before);
    bool small;
    if (eliminateBlock(of, small, executor).column < 0 && small) {
      updateAfter(of, fresh, executor);
      continue;
    }
    std::copy_n(before, count * step, front.column(begin));
    const int64_t left = eliminateByPivots(front, begin, basis);
    const int64_t end = front.width - left;
    for (int64_t b = begin; b < end; b += blockColumns) {
      const Block<T> made{front, b, std::min(blockColumns, end - b), packed,
                          right};
      atLevel([&]<int level>()
                  TSGU_INLINE { Elimination<T, level>::packAll(made); });
      updateRest(made, fresh, executor);
    }
    if (fresh && end == 0 && front.height > front.width)
      std::fill_n(front.rest, front.restSize(), Real<T>(0));
    std::fill_n(front.column(end), left * step, Real<T>(0));
    return left;
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// Children
//===----------------------------------------------------------------------===//

namespace {

template <typename R>
TSGU_INLINE inline void addColumn(R *to, const R *from, const Run *run,
                                  const Run *end, int64_t skip) {
  for (; run < end; ++run, skip = 0) {
    R *const target = to + run->to;
    const R *const source = from + run->from;
    for (int64_t i = skip; i < run->length; ++i)
      target[i] += source[i];
  }
}

template <typename T>
void addByRuns(const Front<T> &front, const Front<T> &child, const Run *runs,
               const Run *end) {
  withVectors([&]() TSGU_INLINE {
    for (const Run *run = runs; run < end; ++run)
      for (int64_t i = 0; i < run->length; ++i) {
        const Real<T> *from = child.column(run->from + i);
        Real<T> *to = front.column(run->to + i);
        addColumn(to, from, run, end, i);
        if constexpr (isComplex<T>)
          addColumn(to + front.imaginary(run->to + i),
                    from + child.imaginary(run->from + i), run, end, i);
      }
  });
}

template <typename T>
void addOneByOne(const Front<T> &front, const Front<T> &child,
                 std::span<const int32_t> places) {
  const auto count = static_cast<int64_t>(places.size());
  for (int64_t j = 0; j < count; ++j) {
    const Real<T> *from = child.column(child.width + j) + child.width;
    Real<T> *to = front.column(places[j]);
    for (int64_t i = j; i < count; ++i)
      to[places[i]] += from[i];
    if constexpr (isComplex<T>) {
      from += child.imaginary(child.width + j);
      to += front.imaginary(places[j]);
      for (int64_t i = j; i < count; ++i)
        to[places[i]] += from[i];
    }
  }
}

} // namespace

void findRuns(std::span<const int32_t> places, int64_t from,
              std::vector<Run> &runs) {
  runs.clear();
  for (size_t i = 0; i < places.size(); ++i)
    if (i > 0 && places[i] == places[i - 1] + 1)
      ++runs.back().length;
    else
      runs.push_back({from + static_cast<int64_t>(i), places[i], 1});
}

template <typename T>
void addChild(const Front<T> &front, const Front<T> &child,
              std::span<const int32_t> places, std::vector<Run> &runs) {
  findRuns(places, child.width, runs);
  if (runs.size() * 3 > places.size())
    return addOneByOne(front, child, places);
  addByRuns(front, child, runs.data(), runs.data() + runs.size());
}

#define INSTANTIATE(T)                                                         \
  template void addChild(const Front<T> &, const Front<T> &,                   \
                         std::span<const int32_t>, std::vector<Run> &);        \
  template Stop eliminate(const Front<T> &, bool, Real<T> *,                   \
                          const tsgu_executor &);                              \
  template int64_t eliminateIndefinite(const Front<T> &, Basis<T>, bool,       \
                                       Real<T> *, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
