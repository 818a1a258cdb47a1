//===- Front.h - Factorising a front ----------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_FRONT_H
#define TSGU_SRC_DIRECT_CHOLESKY_FRONT_H

#include "direct/cholesky/Tiles.h"
#include "tsgu/tsgu.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace tsgu::runtime::cholesky {

/// A front of `width` columns of L and what they leave of the rows below. Both
/// have the rows of the whole front, those of `rest` from skipped() on, as many
/// columns, and lower triangles that count.
template <typename T> struct Front {
  int64_t width, height;
  Real<T> *panel, *rest;
  Real<T> *inverse;        ///< Of the diagonal of L, with room for 8 more.
  Real<T> *sign = nullptr; ///< J of L J L^H; null: ones.

  int64_t rows() const { return padded<T>(height); }
  int64_t panelStep() const { return partsOf<T> * rows(); }
  int64_t skipped() const { return width / padding<T> * padding<T>; }
  int64_t restRows() const { return height > width ? rows() - skipped() : 0; }
  int64_t restStep() const { return partsOf<T> * restRows(); }
  int64_t restSize() const { return restStep() * restRows(); }

  /// Column j and the real part of row 0 of the whole front.
  Real<T> *column(int64_t j) const {
    return j < width ? panel + j * panelStep()
                     : rest + (j - skipped()) * restStep() - skipped();
  }
  /// Between the real and the imaginary parts of column j.
  int64_t imaginary(int64_t j) const { return j < width ? rows() : restRows(); }
};

/// Columns that are eliminated before the others are updated.
inline constexpr int64_t blockColumns = 128;
/// Numbers that a front is packed into.
template <typename T> int64_t packedSize(int64_t width, int64_t height) {
  return partsOf<T> *
         (padded<T>(height) + padding<T>)*std::min(width, blockColumns);
}

/// Rows that stand together in a child, from `from` on, and in its parent.
struct Run {
  int64_t from, to, length;
};
/// Of a child's rows, from `from` on, at `places` of the parent.
void findRuns(std::span<const int32_t> places, int64_t from,
              std::vector<Run> &runs);

/// The front += the rest of a child, whose rows are at `places` of the front;
/// `runs` is room.
template <typename T>
void addChild(const Front<T> &front, const Front<T> &child,
              std::span<const int32_t> places, std::vector<Run> &runs);

/// Packs for an indefinite front: L, L J, and columns as they were.
inline constexpr int64_t packsOfIndefinite = 3;

/// What was made of a front's own columns before they were eliminated: column k
/// was source[k]; then, where sine[k] is not 0, columns k and k + 1 were turned
/// by [cosine, -conj(sine); sine, cosine].
template <typename T> struct Basis {
  int32_t *source;
  Real<T> *cosine;
  T *sine;
};

/// L and J, by pivots on the diagonal in their order where L stays small, or
/// chosen among the front's columns. Columns without an acceptable one are the
/// last, cleared, and nothing of them is in `rest`; their number.
template <typename T>
int64_t eliminateIndefinite(const Front<T> &front, Basis<T> basis, bool fresh,
                            Real<T> *packed, const tsgu_executor &executor);

/// The same for columns from `begin` on, alone: no others, and not `rest`.
template <typename T>
int64_t eliminateByPivots(const Front<T> &front, int64_t begin, Basis<T> basis);

/// The size that entries of L may have unless their columns are as small.
inline constexpr int mostOfL = 4;

/// L in the panel, and in `rest`, unless `fresh` says that nothing is there
/// yet, what is left. The column that has no positive pivot, with the pivot, or
/// -1.
struct Stop {
  int64_t column = -1;
  double pivot = 0;
};
template <typename T>
Stop eliminate(const Front<T> &front, bool fresh, Real<T> *packed,
               const tsgu_executor &executor);

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_FRONT_H
