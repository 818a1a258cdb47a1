//===- SelectedInverse.cpp - The inverse on a pattern ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takahashi's recurrence (1973) by fronts, from the root down. For columns J of
// a front and the rows R after them, Z = (L J L^H)^-1 has
//   Z_RJ = -Z_RR Y,  Z_JJ = V^H J V - Z_JR Y,  V = L_JJ^-1,  Y = L_RJ V,
// and Z_RR is part of what the parent's front has, all of it and both triangles
// while its children need it.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "direct/cholesky/Numeric.h"
#include "direct/cholesky/Stack.h"

namespace tsgu::runtime::cholesky {
namespace {

/// Both triangles of a front's part of Z, by columns as Tiles.h says.
template <typename T> struct Whole {
  Real<T> *at;
  int64_t rows; ///< Between real and imaginary parts.

  int64_t step() const { return partsOf<T> * rows; }
  Real<T> *column(int64_t j) const { return at + j * step(); }
  int64_t size() const { return step() * rows; }
};

/// Columns [begin, end) of a front: V above Y in packed strips, and V again by
/// rows.
template <typename T> struct Columns {
  const Front<T> &front;
  Whole<T> Z;
  int64_t begin, end;
  Real<T> *packed, *V;

  int64_t count() const { return end - begin; }
  bool isNegative(int64_t j) const {
    return front.sign && front.sign[begin + j] < 0;
  }
  /// Numbers that a row of V has.
  int64_t across() const { return padded<T>(count()); }
  int64_t step() const { return partsOf<T> * across(); }

  static int64_t sizeOf(int64_t width, int64_t height) {
    const int64_t most = padded<T>(std::min(width, blockColumns));
    return partsOf<T> * most * (padded<T>(height) + most);
  }
};

template <typename T, int level> struct Inversion : Tiles<T, level> {
  using Tile = Tiles<T, level>;
  using R = typename Tile::R;
  using Strip = typename Tile::Strip;
  static constexpr int64_t lanes = Tile::lanes, step = Tile::step;
  static constexpr int block = Tile::block, parts = Tile::parts;

  static TSGU_INLINE inline R *strip(const Columns<T> &of, int64_t s) {
    return of.packed + (s - of.begin / lanes) * step * of.across();
  }

  /// Of the identity above L.
  static TSGU_INLINE inline void loadColumn(Strip &to, const Columns<T> &of,
                                            int64_t s, int64_t j) {
    const R *const L = of.front.column(of.begin + j) + s * lanes;
    Tile::load(to, L, of.front.rows());
    if (s * lanes >= of.end)
      return;
    alignas(64) R places[lanes];
    for (int64_t lane = 0; lane < lanes; ++lane)
      places[lane] = R(s * lanes + lane - of.begin);
    Strip row;
    Tile::load(row, places, 0);
    const auto inside = row.part[0] < R(of.count());
    const auto diagonal = row.part[0] == R(j);
    const typename Tile::Vector zero{}, one = zero + R(1);
    to.part[0] = inside ? (diagonal ? one : zero) : to.part[0];
    if constexpr (parts == 2)
      to.part[1] = inside ? zero : to.part[1];
  }

  /// Some strips of V and Y.
  template <int n>
  static TSGU_INLINE inline void solve(const Columns<T> &of, int64_t s) {
    R *const packed = strip(of, s);
    const int64_t apart = step * of.across();
    const Front<T> &front = of.front;
    for (int64_t end = of.count(); end > 0;) {
      const int64_t j = (end - 1) / block * block, count = end - j;
      Strip acc[n][block];
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        TSGU_UNROLLED
      for (int i = 0; i < n; ++i)
        if (c < count)
          loadColumn(acc[i][c], of, s + i, j + c);
        else
          Tile::zero(acc[i][c]);
      const R *const L = front.column(of.begin + j) + of.begin;
      if (count == block)
        Tile::template subtractProducts<false>(
            acc, {packed + end * step, apart, step, lanes},
            {L + end, front.panelStep(), 1, front.rows()}, of.count() - end);
      TSGU_UNROLLED
      for (int c = block; c-- > 0;)
        if (c < count) {
          const R by = front.inverse[of.begin + j + c];
          TSGU_UNROLLED
          for (int i = 0; i < n; ++i) {
            TSGU_UNROLLED
            for (int p = 0; p < parts; ++p)
              acc[i][c].part[p] *= by;
            TSGU_UNROLLED
            for (int k = 0; k < c; ++k)
              Tile::template subtract<false>(acc[i][k], acc[i][c],
                                             L + k * front.panelStep() + j + c,
                                             front.rows());
            Tile::store(packed + i * apart + (j + c) * step, lanes, acc[i][c]);
          }
        }
      end = j;
    }
    for (int64_t i = s * lanes; i < std::min(of.end, (s + n) * lanes); ++i)
      for (int64_t j = 0; j < of.count(); ++j)
        for (int64_t p = 0; p < parts; ++p)
          of.V[(i - of.begin) * of.step() + p * of.across() + j] =
              strip(of, i / lanes)[j * step + p * lanes + i % lanes];
  }

  static TSGU_INLINE inline void solve(const Columns<T> &of, int64_t s,
                                       int64_t end) {
    constexpr int n = std::min(Tile::most, 2);
    for (; s + n <= end; s += n)
      solve<n>(of, s);
    if constexpr (n > 1)
      if (s < end)
        solve<1>(of, s);
  }

  /// The tile less columns k from `k` to `end` of Z, whose first of these is at
  /// `Z`, times rows k of Y.
  template <int n>
  static TSGU_INLINE inline void
  subtractByY(const Columns<T> &of, Strip (&acc)[n][block], int64_t j,
              const R *Z, int64_t k, int64_t end) {
    while (k < end) {
      const int64_t next = std::min(end, (k / lanes + 1) * lanes);
      Tile::template subtractProducts<false>(
          acc, {Z, lanes, of.Z.step(), of.Z.rows},
          {strip(of, k / lanes) + j * step + k % lanes, step, 1, lanes},
          next - k);
      Z += (next - k) * of.Z.step(), k = next;
    }
  }

  /// Columns of a tile as rows of the other triangle.
  template <int n>
  static TSGU_INLINE inline void mirror(const Columns<T> &of,
                                        const Strip (&acc)[n][block], int64_t s,
                                        int64_t j, int64_t count) {
    const int64_t first = std::max(of.end - s * lanes, int64_t{0});
    const int64_t last = std::min(of.front.height - s * lanes, n * lanes);
    alignas(64) R tile[block][n * step];
    TSGU_UNROLLED
    for (int c = 0; c < block; ++c)
      TSGU_UNROLLED
    for (int i = 0; i < n; ++i)
      Tile::store(tile[c] + i * lanes, n * lanes, acc[i][c]);
    for (int64_t i = first; i < last; ++i) {
      R *const to = of.Z.column(s * lanes + i) + of.begin + j;
      for (int64_t c = 0; c < count; ++c) {
        to[c] = tile[c][i];
        if constexpr (parts == 2)
          to[of.Z.rows + c] = -tile[c][n * lanes + i];
      }
    }
  }

  /// -Z_RR Y in some strips of rows.
  template <int n>
  static TSGU_INLINE inline void multiply(const Columns<T> &of, int64_t s) {
    const int64_t rows = of.Z.rows, height = of.front.height;
    for (int64_t k = of.end; k < height; k += blockColumns)
      for (int64_t j = 0; j < of.count(); j += block) {
        const int64_t count = std::min<int64_t>(block, of.count() - j);
        R *const to = of.Z.column(of.begin + j) + s * lanes;
        Strip acc[n][block];
        TSGU_UNROLLED
        for (int c = 0; c < block; ++c)
          TSGU_UNROLLED
        for (int i = 0; i < n; ++i)
          if (k > of.end && c < count)
            Tile::load(acc[i][c], to + c * of.Z.step() + i * lanes, rows);
          else
            Tile::zero(acc[i][c]);
        const int64_t next = std::min(k + blockColumns, height);
        subtractByY(of, acc, j, of.Z.column(k) + s * lanes, k, next);
        TSGU_UNROLLED
        for (int c = 0; c < block; ++c)
          if (c < count)
            TSGU_UNROLLED
        for (int i = 0; i < n; ++i)
          Tile::store(to + c * of.Z.step() + i * lanes, rows, acc[i][c]);
        if (next == height)
          mirror(of, acc, s, j, count);
      }
  }

  static TSGU_INLINE inline void multiply(const Columns<T> &of, int64_t s,
                                          int64_t end) {
    for (; s + Tile::most <= end; s += Tile::most)
      multiply<Tile::most>(of, s);
    for (; s < end; ++s)
      multiply<1>(of, s);
  }

  static TSGU_INLINE inline void negate(Strip (&acc)[1][block]) {
    TSGU_UNROLLED
    for (int c = 0; c < block; ++c)
      TSGU_UNROLLED
    for (int p = 0; p < parts; ++p)
      acc[0][c].part[p] = -acc[0][c].part[p];
  }

  /// V^H J V - Z_JR Y in a strip of rows.
  static TSGU_INLINE inline void square(const Columns<T> &of, int64_t s) {
    const int64_t rows = of.Z.rows, there = of.count() - s * lanes;
    for (int64_t j = 0; j < of.count(); j += block) {
      Strip acc[1][block];
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        Tile::zero(acc[0][c]);
      // Of the conjugate.
      for (int64_t k = 0; k < of.count();) {
        const int64_t begin = k;
        const bool isNegative = of.isNegative(k);
        while (k < of.count() && of.isNegative(k) == isNegative)
          ++k;
        const R *const V = of.V + begin * of.step();
        if (isNegative)
          negate(acc);
        Tile::subtractProducts(acc,
                               {V + s * lanes, lanes, of.step(), of.across()},
                               {V + j, 1, of.step(), of.across()}, k - begin);
        if (isNegative)
          negate(acc);
      }
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c)
        acc[0][c].part[0] = -acc[0][c].part[0];
      if (of.end < of.front.height)
        subtractByY(of, acc, j, of.Z.column(of.end) + of.begin + s * lanes,
                    of.end, of.front.height);
      TSGU_UNROLLED
      for (int c = 0; c < block; ++c) {
        if (j + c >= of.count())
          continue;
        R *const to = of.Z.column(of.begin + j + c) + of.begin + s * lanes;
        if (there >= lanes) {
          Tile::store(to, rows, acc[0][c]);
        } else {
          alignas(64) R copy[step];
          Tile::store(copy, lanes, acc[0][c]);
          for (int64_t p = 0; p < parts; ++p)
            std::copy_n(copy + p * lanes, there, to + p * rows);
        }
      }
    }
  }
};

template <typename T>
void invertColumns(const Columns<T> &of, const tsgu_executor &executor) {
  constexpr int64_t piece = 8; // Strips.
  int64_t lanes = 1;
  atLevel([&]<int level>() TSGU_INLINE { lanes = Tiles<T, level>::lanes; });
  const auto forPieces = [&](int64_t from, int64_t rows, auto &&function) {
    const int64_t first = from / lanes;
    const int64_t strips = (rows + lanes - 1) / lanes - first;
    parallelFor(executor, (strips + piece - 1) / piece,
                [&](int64_t begin, int64_t end) {
                  function(first + begin * piece,
                           first + std::min(end * piece, strips));
                });
  };
  forPieces(of.begin, of.front.rows(), [&](int64_t s, int64_t end) {
    atLevel([&]<int level>()
                TSGU_INLINE { Inversion<T, level>::solve(of, s, end); });
  });
  // A strip that begins in J reads rows that the others write.
  const int64_t inside = of.end / padding<T> * padding<T>;
  const int64_t after = std::min(padded<T>(of.end), of.front.rows());
  const auto multiply = [&](int64_t s, int64_t end) {
    atLevel([&]<int level>()
                TSGU_INLINE { Inversion<T, level>::multiply(of, s, end); });
  };
  if (of.end < of.front.height) {
    if (inside < after)
      multiply(inside / lanes, after / lanes);
    forPieces(after, of.front.rows(), multiply);
  }
  forPieces(0, of.count(), [&](int64_t s, int64_t end) {
    atLevel([&]<int level>() TSGU_INLINE {
      for (int64_t k = s; k < end; ++k)
        Inversion<T, level>::square(of, k);
    });
  });
}

/// Rows and columns from `from` on of one become those at `places` of the
/// other.
template <typename T>
void gather(Whole<T> to, int64_t from, Whole<T> of,
            std::span<const Index> places, std::vector<Run> &runs) {
  findRuns(places, from, runs);
  withVectors([&]() TSGU_INLINE {
    for (const Run &column : runs)
      for (int64_t j = 0; j < column.length; ++j)
        for (int64_t p = 0; p < partsOf<T>; ++p) {
          Real<T> *const target = to.column(column.from + j) + p * to.rows;
          const Real<T> *const source = of.column(column.to + j) + p * of.rows;
          for (const Run &run : runs)
            for (int64_t i = 0; i < run.length; ++i)
              target[run.from + i] = source[run.to + i];
        }
  });
}

template <typename T> class Selected {
public:
  Selected(const Factor<T> &factor, const std::vector<Real<T>> &scale,
           T *values)
      : factor(factor), symbolic(*factor.symbolic), scale(scale),
        values(values), parts(symbolic.supernodes()) {}

  void run(const tsgu_executor &executor) {
    const Index top = symbolic.taskStarts.back();
    int64_t waiting = 0;
    for (Index s = 0; s < top; ++s)
      if (symbolic.parent[s] >= top)
        waiting += below(s, nullptr).size();
    const Scratch forTasks(runtime::multiply(waiting, sizeof(Real<T>)));
    auto *to = reinterpret_cast<Real<T> *>(forTasks.data());
    for (Index s = 0; s < top; ++s)
      if (symbolic.parent[s] >= top)
        parts[s] = below(s, to), to += parts[s].size();
    invertAll(top, symbolic.supernodes(), executor);
    parallelFor(executor, symbolic.tasks(), [&](int64_t task, int64_t end) {
      for (; task < end; ++task)
        invertAll(symbolic.taskStarts[task], symbolic.taskStarts[task + 1],
                  {1, nullptr});
    });
  }

private:
  /// The part of Z below a supernode's columns, alone.
  Whole<T> below(Index s, Real<T> *at) const {
    return {at, padded<T>(symbolic.below(s))};
  }
  Whole<T> whole(Index s, Real<T> *at) const {
    return {at, padded<T>(symbolic.height(s))};
  }
  /// The child that is done last, by which the parent's part is not needed any
  /// more; -1: none.
  Index lastChild(Index s, Index begin) const {
    for (const Index c : symbolic.childrenOf(s))
      if (c >= begin)
        return c;
    return -1;
  }

  /// Supernodes [begin, end), of which each parent is among them or done.
  void invertAll(Index begin, Index end, const tsgu_executor &executor) {
    int64_t solved = 0, held = 0, most = 0;
    const auto sizeOf = [&](Index s) { return whole(s, nullptr).size(); };
    const auto frees = [&](Index s) {
      const Index p = symbolic.parent[s];
      return p >= 0 && p < end && lastChild(p, begin) == s;
    };
    for (Index s = end; s-- > begin;) {
      solved = std::max(
          solved, Columns<T>::sizeOf(symbolic.width(s), symbolic.height(s)));
      most = std::max(most, held += sizeOf(s));
      if (frees(s))
        held -= sizeOf(symbolic.parent[s]);
      if (lastChild(s, begin) < 0)
        held -= sizeOf(s);
    }
    const Scratch memory(runtime::multiply(add(solved, most), sizeof(Real<T>)));
    auto *const rows = reinterpret_cast<Real<T> *>(memory.data());
    Stack<T> stack(rows + solved, most);
    InterruptCheck check;
    std::vector<Index> same;
    std::vector<Run> runs;
    for (Index s = end; s-- > begin;) {
      const Whole<T> Z = whole(s, stack.push(symbolic.atEnd[s], sizeOf(s)));
      const Index p = symbolic.parent[s];
      if (p >= end) {
        for (Index i = 0; i < symbolic.below(s); ++i)
          same.push_back(i);
        gather(Z, symbolic.width(s), parts[s], std::span<const Index>(same),
               runs);
        same.clear();
      } else if (p >= 0) {
        gather(Z, symbolic.width(s), parts[p], symbolic.relativeOf(s), runs);
      }
      if (frees(s))
        stack.pop(symbolic.atEnd[p], sizeOf(p));
      parts[s] = Z;
      if (s > begin)
        prefetch(s - 1);
      invert(s, Z, rows, executor);
      for (const Index c : symbolic.childrenOf(s))
        if (c < begin)
          gather(parts[c], 0, Z, symbolic.relativeOf(c), runs);
      if (lastChild(s, begin) < 0)
        stack.pop(symbolic.atEnd[s], sizeOf(s));
      check.after(int64_t{symbolic.width(s)} * symbolic.height(s) * 2);
    }
  }

  /// Processors do not foresee panels that are read backwards.
  void prefetch(Index s) const {
    const auto *const panel = reinterpret_cast<const char *>(factor.panel(s));
    const Front<T> front = factor.front(s);
    const int64_t bytes = std::min<int64_t>(
        front.width * front.panelStep() * sizeof(Real<T>), 1 << 15);
    for (int64_t at = 0; at < bytes; at += 64)
      __builtin_prefetch(panel + at);
  }

  void invert(Index s, Whole<T> Z, Real<T> *solved,
              const tsgu_executor &executor) {
    const Front<T> front = factor.front(s);
    const bool small = front.width * front.height * front.height < 1 << 19;
    const tsgu_executor serial{1, nullptr};
    const int64_t last = (front.width - 1) / blockColumns * blockColumns;
    for (int64_t j = last; j >= 0; j -= blockColumns) {
      const int64_t end = std::min(j + blockColumns, front.width);
      // V has its place after the strips.
      invertColumns<T>(
          {front, Z, j, end, solved,
           solved + partsOf<T> * padded<T>(end - j) * padded<T>(front.height)},
          small ? serial : executor);
    }
    if (factor.isIndefinite() && factor.isTurned[s])
      turnBack(s, Z);
    write(s, Z);
  }

  /// Z <- Q Z Q^H for the supernode's own rows and columns.
  void turnBack(Index s, Whole<T> Z) const {
    const Index first = symbolic.first[s], width = symbolic.width(s);
    const Index *const source = factor.source.data() + first;
    const int64_t height = symbolic.height(s);
    for (Index k = 0; k < width; ++k)
      if (const T sine = factor.sine[first + k]; sine != T(0))
        turnBack(Z, k, height, factor.cosine[first + k], sine);
    std::vector<Real<T>> before(width * Z.step());
    std::copy_n(Z.column(0), width * Z.step(), before.data());
    for (Index k = 0; k < width; ++k)
      std::copy_n(before.data() + k * Z.step(), Z.step(), Z.column(source[k]));
    for (int64_t j = 0; j < height; ++j)
      for (int64_t p = 0; p < partsOf<T>; ++p) {
        Real<T> *const rows = Z.column(j) + p * Z.rows;
        std::copy_n(rows, width, before.data());
        for (Index k = 0; k < width; ++k)
          rows[source[k]] = before[k];
      }
  }

  /// Columns k and k + 1, then rows.
  static void turnBack(Whole<T> Z, Index k, int64_t height, Real<T> cosine,
                       T sine) {
    const auto get = [&](int64_t i, int64_t j) {
      const Real<T> *const at = Z.column(j) + i;
      if constexpr (isComplex<T>)
        return T(at[0], at[Z.rows]);
      else
        return *at;
    };
    const auto set = [&](int64_t i, int64_t j, T value) {
      Real<T> *const at = Z.column(j) + i;
      *at = std::real(value);
      if constexpr (isComplex<T>)
        at[Z.rows] = std::imag(value);
    };
    for (int64_t i = 0; i < height; ++i) {
      const T a = get(i, k), b = get(i, k + 1);
      set(i, k, a * cosine - times(b, sine));
      set(i, k + 1, times(a, conjugate(sine)) + b * cosine);
    }
    for (int64_t j = 0; j < height; ++j) {
      const T a = get(k, j), b = get(k + 1, j);
      set(k, j, a * cosine - times(conjugate(sine), b));
      set(k + 1, j, times(sine, a) + b * cosine);
    }
  }

  /// What A's pattern has of the front's columns.
  void write(Index s, Whole<T> Z) const {
    const Index first = symbolic.first[s], width = symbolic.width(s);
    const Index *const rows = symbolic.rowsOf(s).data() - width;
    for (Index k = 0; k < width; ++k) {
      const Real<T> *const column = Z.column(k);
      const Real<T> here = scale[symbolic.order[first + k]];
      for (int64_t e = symbolic.entryStarts[first + k];
           e < symbolic.entryStarts[first + k + 1]; ++e) {
        const Index row = symbolic.entryRows[e];
        const Real<T> by =
            here * scale[symbolic.order[row < width ? first + row : rows[row]]];
        T value;
        if constexpr (isComplex<T>)
          value = {column[row] * by, column[Z.rows + row] * by};
        else
          value = column[row] * by;
        const auto [entry, mirror] = symbolic.entries[e];
        if (mirror >= 0)
          values[mirror] = value;
        if (entry >= 0)
          values[entry] = conjugate(value);
      }
    }
  }

  const Factor<T> &factor;
  const Symbolic &symbolic;
  const std::vector<Real<T>> &scale; ///< By rows of A.
  T *const values;
  std::vector<Whole<T>> parts;
};

} // namespace

template <typename T>
void invertSelected(const Factor<T> &factor, const std::vector<Real<T>> &scale,
                    T *values, const tsgu_executor &executor) {
  Selected<T>(factor, scale, values).run(executor);
}

#define INSTANTIATE(T)                                                         \
  template void invertSelected(const Factor<T> &,                              \
                               const std::vector<Real<T>> &, T *,              \
                               const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
