//===- Numbers.h - Arithmetic of real and complex numbers -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Complex products are spelled out: C++ searches theirs for infinities. One
// operation a statement, so that all kernels round alike wherever a compiler
// contracts within an expression.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_NUMBERS_H
#define TSGU_SRC_BASE_NUMBERS_H

#include "base/Isa.h"

#include <cmath>
#include <complex>
#include <type_traits>

namespace tsgu::runtime {

template <typename T> struct RealOf {
  using type = T;
};
template <typename T> struct RealOf<std::complex<T>> {
  using type = T;
};
template <typename T> using Real = typename RealOf<T>::type;
template <typename T>
inline constexpr bool isComplex = !std::is_same_v<T, Real<T>>;

/// In double precision, for scalars, sums and residuals.
template <typename T>
using Wide = std::conditional_t<isComplex<T>, std::complex<double>, double>;

/// conj(a), of the type of a.
template <typename T> TSGU_INLINE inline T conjugate(T a) {
  if constexpr (isComplex<T>)
    return {a.real(), -a.imag()};
  else
    return a;
}

/// What it is, rounded: gcc 12 fuses sums beside differences into vectors of
/// multiply-adds, whatever -ffp-contract says.
template <typename R> TSGU_INLINE inline void keepRounded(R &value) {
#if defined(__x86_64__) && !defined(__clang__)
  asm("" : "+x"(value));
#else
  (void)value;
#endif
}

template <typename T> TSGU_INLINE inline T times(T a, T b) {
  if constexpr (isComplex<T>) {
    Real<T> re = a.real() * b.real(), im = a.real() * b.imag();
    keepRounded(re), keepRounded(im);
    re -= a.imag() * b.imag();
    im += a.imag() * b.real();
    return {re, im};
  } else {
    return a * b;
  }
}

/// |a|^2.
template <typename T> TSGU_INLINE inline Real<T> squaredNorm(T a) {
  if constexpr (isComplex<T>) {
    Real<T> square = a.real() * a.real();
    square += a.imag() * a.imag();
    return square;
  } else {
    return a * a;
  }
}

template <typename T> bool isFinite(T a) {
  return std::isfinite(std::real(a)) && std::isfinite(std::imag(a));
}

/// For instantiations.
#define TSGU_FOR_VALUE_TYPES(X)                                                \
  X(float) X(double) X(std::complex<float>) X(std::complex<double>)

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_NUMBERS_H
