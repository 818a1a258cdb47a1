//===- SeveralColumns.h - Substitution for many vectors ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Columns are the lanes of vectors, rows of the factor go by the block.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_SEVERALCOLUMNS_H
#define TSGU_SRC_DIRECT_CHOLESKY_SEVERALCOLUMNS_H

#include "direct/cholesky/Substitution.h"

#include <cstring>

namespace tsgu::runtime::cholesky {

template <typename T, int level>
struct SeveralColumns : Substitution<T, level> {
  using Base = Substitution<T, level>;
  using Tile = typename Base::Tile;
  using R = typename Base::R;
  using Strip = typename Tile::Strip;
  static constexpr int lanes = Tile::lanes, parts = Tile::parts;
  static constexpr int block = Tile::block;
  using Base::factor, Base::symbolic, Base::y, Base::memory, Base::turnIf;
  using Base::width, Base::step, Base::Base;

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

  /// All of supernode s.
  TSGU_INLINE void run(Index s, bool isForward) const {
    turnIf(s, isForward, isForward);
    int64_t at = 0;
    for (; at + 2 * lanes <= width; at += 2 * lanes)
      isForward ? forward<2>(s, at) : backward<2>(s, at);
    for (; at < width; at += lanes)
      isForward ? forward<1>(s, at) : backward<1>(s, at);
    turnIf(s, !isForward, isForward);
  }
};

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_SEVERALCOLUMNS_H
