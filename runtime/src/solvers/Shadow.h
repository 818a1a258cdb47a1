//===- Shadow.h - What BiCGSTAB and CGS have in common ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_SHADOW_H
#define TSGU_SRC_SOLVERS_SHADOW_H

#include "solvers/Iteration.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {

/// Whether an inner product of vectors, given the product of their squared
/// norms, is only rounding errors, or not a number.
template <typename T> bool isOrthogonal(Wide<T> dot, double squares) {
  constexpr double cosine = std::numeric_limits<Real<T>>::epsilon() / 4;
  const double size = std::abs(dot);
  return !(size > cosine * std::sqrt(squares)) || !std::isfinite(size);
}

/// The shadow residual: the residual or, for columns that broke down before,
/// numbers that have nothing to do with it. The same in every run.
template <typename T> void setShadow(Iteration<T> &it, T *shadow) {
  const int64_t k = it.active();
  const T *r = it.residual;
  const int64_t *attempts = it.attempts.data();
  it.ops.cells([=](int64_t i, int64_t j) {
    const int64_t e = i * k + j;
    if (attempts[j] == 0) {
      shadow[e] = r[e];
      return;
    }
    // splitmix64 of row and attempt.
    uint64_t bits = static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u +
                    static_cast<uint64_t>(attempts[j]) * 0xd1342543de82ef95u;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    shadow[e] = T(static_cast<Real<T>>(static_cast<int64_t>(bits >> 11)) *
                      static_cast<Real<T>>(0x1p-52) -
                  1);
  });
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_SHADOW_H
