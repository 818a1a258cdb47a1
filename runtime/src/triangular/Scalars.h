//===- Scalars.h - Arithmetic of the kernels --------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every statement has one product and one sum, so that it is the same one fused
// operation, or the same two, in a vector and in what is left over.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_SCALARS_H
#define TSGU_SRC_TRIANGULAR_SCALARS_H

#include "base/Numbers.h"

#include <limits>

namespace tsgu::runtime {

/// sum - a b.
template <typename T> TSGU_INLINE inline T minusProduct(T sum, T a, T b) {
  if constexpr (isComplex<T>) {
    Real<T> re = sum.real(), im = sum.imag();
    re -= a.real() * b.real();
    im -= a.real() * b.imag();
    keepRounded(re), keepRounded(im);
    re += a.imag() * b.imag();
    im -= a.imag() * b.real();
    return {re, im};
  } else {
    return sum - a * b;
  }
}

template <typename T> TSGU_INLINE inline T conjugatedIf(T a, bool conjugated) {
  if constexpr (isComplex<T>)
    return {a.real(), conjugated ? -a.imag() : a.imag()};
  else
    return a;
}

/// 2^k for the largest k such that 1/d is accurate for 2^-k <= |d| <= 2^k;
/// squares are formed of complex d.
template <typename T> constexpr Real<T> reciprocalBound() {
  constexpr int range = std::numeric_limits<Real<T>>::max_exponent - 3;
  Real<T> power = 1;
  for (int k = 0; k < (isComplex<T> ? range / 2 : range); ++k)
    power *= 2;
  return power;
}

template <typename R> TSGU_INLINE inline R magnitude(R a) {
  return a < 0 ? -a : a;
}

/// Whether multiplying by 1/d is as good as dividing by d: neither the
/// reciprocal nor what it takes overflows or loses digits to underflow.
template <typename T> TSGU_INLINE inline bool isModerate(T d) {
  using R = Real<T>;
  constexpr R high = reciprocalBound<T>(), low = 1 / high;
  if constexpr (isComplex<T>) {
    const R re = magnitude(d.real()), im = magnitude(d.imag());
    const R larger = re > im ? re : im;
    return larger >= low && larger <= high;
  } else {
    return magnitude(d) >= low && magnitude(d) <= high;
  }
}

/// 1 / d for a moderate d.
template <typename T> TSGU_INLINE inline T reciprocal(T d) {
  if constexpr (isComplex<T>) {
    const Real<T> square = squaredNorm(d);
    return {d.real() / square, -d.imag() / square};
  } else {
    return 1 / d;
  }
}

/// sum / d.
template <typename T> TSGU_INLINE inline T quotient(T sum, T d) {
  if (__builtin_expect(isModerate(d), true))
    return times(sum, reciprocal(d));
  return sum / d;
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_SCALARS_H
