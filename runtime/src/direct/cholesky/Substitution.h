//===- Substitution.h - What a front does to vectors ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_SUBSTITUTION_H
#define TSGU_SRC_DIRECT_CHOLESKY_SUBSTITUTION_H

#include "direct/cholesky/Numeric.h"

#include <algorithm>

namespace tsgu::runtime::cholesky {

/// What a sweep works on, see Substitution.
template <typename T> struct Work {
  Real<T> *y;
  int64_t width;
  Real<T> *memory, *above;
  Index top;
};

/// L and a block of `width` vectors: row k has the real parts, then the
/// imaginary ones. Here is what one vector and several have in common.
template <typename T, int level> struct Substitution : Tiles<T, level> {
  using Tile = Tiles<T, level>;
  using R = typename Tile::R;
  static constexpr int parts = Tile::parts;

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
};

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_SUBSTITUTION_H
