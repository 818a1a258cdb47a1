//===- OneColumn.h - Substitution for one vector ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows of the factor are the lanes of vectors.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_ONECOLUMN_H
#define TSGU_SRC_DIRECT_CHOLESKY_ONECOLUMN_H

#include "direct/cholesky/Substitution.h"

namespace tsgu::runtime::cholesky {

template <typename T, int level> struct OneColumn : Substitution<T, level> {
  using Base = Substitution<T, level>;
  using Tile = typename Base::Tile;
  using R = typename Base::R;
  using Strip = typename Tile::Strip;
  static constexpr int lanes = Tile::lanes, parts = Tile::parts;
  static constexpr int block = Tile::block;
  using Base::above, Base::top, Base::Base;
  using Base::factor, Base::symbolic, Base::y, Base::memory, Base::turnIf;

  /// Strips that rows of the front's own columns are in.
  static int64_t ownRows(const Front<T> &front) {
    return std::min((front.width + lanes - 1) / lanes * lanes, front.rows());
  }

  static TSGU_INLINE void subtractProduct(R (&value)[parts], R re, R im,
                                          const R *x) {
    value[0] -= re * x[0];
    if constexpr (parts == 2) {
      value[0] += im * x[1];
      value[1] -= re * x[1];
      value[1] -= im * x[0];
    }
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
          subtractProduct(value, L[0], parts == 2 ? L[rows] : R(0), x);
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
          subtractProduct(value, L[k], parts == 2 ? -L[rows + k] : R(0), x);
        }
        for (int p = 0; p < parts; ++p) {
          value[p] *= front.inverse[j + c];
          own[(j + c) * parts + p] = memory[p * rows + j + c] = value[p];
        }
      }
      end = j;
    }
  }

  /// All of supernode s.
  TSGU_INLINE void run(Index s, bool isForward) const {
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
};

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_ONECOLUMN_H
