//===- Pack.h - Elements side by side ---------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Vectors are spelled out: of loops over scalars, compilers make gathers and
// shuffles as often as the plain loads that they could be. Bodies of loops are
// written once, for elements and for packs of them, and round alike for both
// (the sources are compiled without contraction to fused operations).
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PACK_H
#define TSGU_SRC_SOLVERS_PACK_H

#include "base/Numbers.h"
#include "base/Simd.h"

#include <utility>

namespace tsgu::runtime {

/// 64 bytes of elements, wherever they begin; complex ones as memory holds
/// them. One register, or several.
template <typename T> struct __attribute__((may_alias)) Pack {
  static constexpr int64_t width = 64 / sizeof(T);
  static constexpr size_t parts = 64 / sizeof(Real<T>);
  typedef typename Simd<Real<T>, parts>::Loose Parts;
  static_assert(alignof(Parts) == alignof(Real<T>));
  Parts v;

  TSGU_INLINE Pack &operator+=(const Pack &b) { return v += b.v, *this; }
};

/// 0 of the type of a, an element or a pack.
template <typename T> TSGU_INLINE inline T zeroOf(const T &) { return T{}; }

template <typename T>
TSGU_INLINE inline Pack<T> operator+(const Pack<T> &a, const Pack<T> &b) {
  return {a.v + b.v};
}
template <typename T>
TSGU_INLINE inline Pack<T> operator-(const Pack<T> &a, const Pack<T> &b) {
  return {a.v - b.v};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// conj(a) b.
template <typename T> TSGU_INLINE inline T dotTerm(T a, T b) {
  return times(conjugate(a), b);
}
/// |a|^2, of the type of a.
template <typename T> TSGU_INLINE inline T squareOf(T a) {
  return squaredNorm(a);
}
template <typename T> TSGU_INLINE inline T realOf(T a) { return a; }
template <typename T> TSGU_INLINE inline T realOf(std::complex<T> a) {
  return a.real();
}

/// Where the elements of complex packs are taken apart.
template <typename T,
          typename Indices = std::make_index_sequence<Pack<T>::parts>>
struct Parts;
template <typename T, size_t... I> struct Parts<T, std::index_sequence<I...>> {
  using P = Pack<T>;
  using Vector = typename P::Parts;

  TSGU_INLINE static void real(const P &a, P &to) {
    to.v = __builtin_shufflevector(a.v, a.v, (I & ~size_t{1})...);
  }
  TSGU_INLINE static void imaginary(const P &a, P &to) {
    to.v = __builtin_shufflevector(a.v, a.v, (I | 1)...);
  }
  TSGU_INLINE static void swapped(const P &a, P &to) {
    to.v = __builtin_shufflevector(a.v, a.v, (I ^ 1)...);
  }
  /// Without the imaginary parts.
  TSGU_INLINE static void onlyReal(const P &a, P &to) {
    to.v = __builtin_shufflevector(a.v, Vector{},
                                   (I % 2 == 0 ? I : I + P::parts)...);
  }
  /// a, and -a at the other parts.
  TSGU_INLINE static void negated(const P &a, size_t at, P &to) {
    to.v = a.v * Vector{(I % 2 == at ? Real<T>(-1) : Real<T>(1))...};
  }
};

/// (re a) b + (im a) (i b), the latter with one of its parts negated.
template <typename T>
TSGU_INLINE inline Pack<T> complexProduct(const Pack<T> &a, const Pack<T> &b,
                                          size_t negated) {
  Pack<T> re, im, turned, cross;
  Parts<T>::real(a, re), Parts<T>::imaginary(a, im);
  Parts<T>::swapped(b, turned), Parts<T>::negated(turned, negated, cross);
  return {re.v * b.v + im.v * cross.v};
}

template <typename T>
TSGU_INLINE inline Pack<T> times(const Pack<T> &a, const Pack<T> &b) {
  if constexpr (isComplex<T>)
    return complexProduct(a, b, 0);
  else
    return {a.v * b.v};
}
template <typename T>
TSGU_INLINE inline Pack<T> dotTerm(const Pack<T> &a, const Pack<T> &b) {
  if constexpr (isComplex<T>)
    return complexProduct(a, b, 1);
  else
    return {a.v * b.v};
}
template <typename T> TSGU_INLINE inline Pack<T> squareOf(const Pack<T> &a) {
  Pack<T> square = {a.v * a.v};
  if constexpr (isComplex<T>) {
    Pack<T> turned;
    Parts<T>::swapped(square, turned);
    turned += square;
    Parts<T>::onlyReal(turned, square);
  }
  return square;
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// Where a pack begins.
struct PackAt {
  int64_t element;
};

/// The element or the pack of x that begins there.
template <typename T> TSGU_INLINE inline T &at(T *x, int64_t e) { return x[e]; }
template <typename T> TSGU_INLINE inline Pack<T> &at(T *x, PackAt e) {
  return *reinterpret_cast<Pack<T> *>(x + e.element);
}
template <typename T>
TSGU_INLINE inline const Pack<T> &at(const T *x, PackAt e) {
  return *reinterpret_cast<const Pack<T> *>(x + e.element);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PACK_H
