//===- Solve.cpp - Substitution with a factor -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Several columns are the lanes of vectors, rows of the factor go by the block.
// Of one column, the rows of the factor are the lanes.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Scratch.h"
#include "direct/cholesky/Numeric.h"

#include <cstring>

namespace tsgu::runtime::cholesky {
namespace {

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
  R *const memory; ///< Rows of a front.

  Substitution(const Factor<T> &factor, R *y, int64_t width, R *memory)
      : factor(factor), symbolic(*factor.symbolic), y(y), width(width),
        step(width * parts), memory(memory) {}

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

  TSGU_INLINE void forwardOne(Index s) const {
    const Front<T> front = factor.front(s);
    const int64_t rows = front.rows();
    R *const own = y + int64_t{symbolic.first[s]} * parts;
    const Index *const places = symbolic.rowsOf(s).data() - front.width;
    for (int64_t i = 0; i < front.width; ++i)
      for (int p = 0; p < parts; ++p)
        memory[p * rows + i] = own[i * parts + p];
    for (int p = 0; p < parts; ++p)
      std::fill(memory + p * rows + front.width, memory + (p + 1) * rows, R(0));
    for (int64_t j = 0; j < front.width; j += block) {
      const int64_t count = std::min<int64_t>(block, front.width - j);
      R x[block][parts] = {}; // Conjugated.
      for (int64_t c = 0; c < count; ++c) {
        R value[parts];
        for (int p = 0; p < parts; ++p)
          value[p] = memory[p * rows + j + c];
        for (int64_t k = 0; k < c; ++k) {
          const R *const L = front.column(j + k) + j + c;
          value[0] -= L[0] * x[k][0];
          if constexpr (parts == 2) {
            value[0] -= L[rows] * x[k][1];
            value[1] -= L[rows] * x[k][0];
            value[1] += L[0] * x[k][1];
          }
        }
        for (int p = 0; p < parts; ++p)
          value[p] *= front.inverse[j + c];
        for (int p = 0; p < parts; ++p)
          own[(j + c) * parts + p] = value[p],
                                x[c][p] = p ? -value[p] : value[p];
      }
      Tile::withColumns(count, [&]<int columns>() TSGU_INLINE {
        for (int64_t i = (j + count) / lanes * lanes; i < rows; i += lanes) {
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
    for (int64_t i = front.width; i < front.height; ++i)
      for (int p = 0; p < parts; ++p)
        y[int64_t{places[i]} * parts + p] += memory[p * rows + i];
  }

  TSGU_INLINE void backwardOne(Index s) const {
    const Front<T> front = factor.front(s);
    const int64_t rows = front.rows();
    R *const own = y + int64_t{symbolic.first[s]} * parts;
    const Index *const places = symbolic.rowsOf(s).data() - front.width;
    for (int64_t i = 0; i < rows; ++i)
      for (int p = 0; p < parts; ++p)
        memory[p * rows + i] = i < front.width || i >= front.height
                                   ? R(0)
                                   : y[int64_t{places[i]} * parts + p];
    for (int64_t end = front.width; end > 0;) {
      const int64_t j = (end - 1) / block * block, count = end - j;
      R sum[block][parts] = {};
      Tile::withColumns(count, [&]<int columns>() TSGU_INLINE {
        Strip acc[columns];
        TSGU_UNROLLED
        for (int c = 0; c < columns; ++c)
          Tile::zero(acc[c]);
        // What is not solved yet is 0.
        for (int64_t i = end / lanes * lanes; i < rows; i += lanes) {
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

  TSGU_INLINE void run(bool isForward) const {
    InterruptCheck check;
    const Index count = symbolic.supernodes();
    for (Index k = 0; k < count; ++k) {
      const Index s = isForward ? k : count - 1 - k;
      const bool isTurned = factor.isIndefinite() && factor.isTurned[s];
      if (isTurned && isForward)
        turn(s, true);
      if (width == 1) {
        isForward ? forwardOne(s) : backwardOne(s);
      } else {
        int64_t at = 0;
        for (; at + 2 * lanes <= width; at += 2 * lanes)
          isForward ? forward<2>(s, at) : backward<2>(s, at);
        for (; at < width; at += lanes)
          isForward ? forward<1>(s, at) : backward<1>(s, at);
      }
      if (isTurned && !isForward)
        turn(s, false);
      check.after(int64_t{symbolic.width(s)} * symbolic.height(s) * width);
    }
  }
};

} // namespace

template <typename T>
void substitute(const Factor<T> &factor, bool forward, Real<T> *y,
                int64_t width) {
  int64_t most = 0;
  for (Index s = 0; s < factor.symbolic->supernodes(); ++s)
    most = std::max<int64_t>(most, factor.front(s).rows());
  const Scratch memory(
      multiply(most * partsOf<T> * int64_t{sizeof(Real<T>)}, width));
  auto *const rows = reinterpret_cast<Real<T> *>(memory.data());
  atLevel([&]<int level>() TSGU_INLINE {
    Substitution<T, level>(factor, y, width, rows).run(forward);
  });
}

#define INSTANTIATE(T)                                                         \
  template void substitute(const Factor<T> &, bool, Real<T> *, int64_t);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
