//===- Lanes.h - Eight numbers, of as many items ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Items of a batch on one pattern go by groups of eight. What one matrix has as
// a number is a vector of their eight there, so that a loop over one matrix
// computes eight; what becomes of a lane does not depend on the others.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_LANES_LANES_H
#define TSGU_SRC_DIRECT_LANES_LANES_H

#include "base/Numbers.h"
#include "base/Simd.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace tsgu::runtime::lanewise {

/// Items of a group.
inline constexpr int64_t width = 8;

template <typename T> struct LaneOf;
template <> struct LaneOf<float> : Simd<float, width> {
  using Bits = Simd<int32_t, width>::Vector;
  static constexpr int32_t sign = INT32_MIN, digits = 23, bias = 127;
};
template <> struct LaneOf<double> : Simd<double, width> {
  using Bits = Simd<int64_t, width>::Vector;
  static constexpr int64_t sign = INT64_MIN, digits = 52, bias = 1023;
};
template <typename T> using Vector = typename LaneOf<T>::Vector;
/// The bits of a vector, or truths: -1 and 0.
template <typename T> using Bits = typename LaneOf<T>::Bits;

// By references: how vectors are passed depends on the instruction set.

template <typename T>
TSGU_INLINE inline void widen(const Vector<T> &from, Vector<double> &to) {
  to = __builtin_convertvector(from, Vector<double>);
}

template <typename T> TSGU_INLINE inline void makePositive(Vector<T> &v) {
  const Bits<T> bits = (Bits<T>)v & ~LaneOf<T>::sign;
  v = (Vector<T>)bits;
}

/// Of numbers that are not negative, whose bits are in their order; NaN is
/// above all.
template <typename T>
TSGU_INLINE inline void keepLarger(Vector<T> &most, const Vector<T> &v) {
#if defined(__clang__)
  most = (Vector<T>)__builtin_elementwise_max((Bits<T>)most, (Bits<T>)v);
#else
  const Bits<T> a = (Bits<T>)most, b = (Bits<T>)v;
  most = (Vector<T>)(a > b ? a : b);
#endif
}

template <typename T>
TSGU_INLINE inline void squareRoot(const Vector<T> &of, Vector<T> &root) {
#if defined(__clang__)
  root = __builtin_elementwise_sqrt(of);
#else
  for (int64_t lane = 0; lane < width; ++lane)
    root[lane] = std::sqrt(of[lane]);
#endif
}

/// 2^-floor(log2(v) / halves), of numbers that are positive and normal.
template <typename T, int halves>
TSGU_INLINE inline void inverseScale(const Vector<T> &v, Vector<T> &scale) {
  using Of = LaneOf<T>;
  const Bits<T> exponent = ((Bits<T>)v >> Of::digits) - Of::bias;
  const Bits<T> bits = (Of::bias - (exponent >> (halves - 1))) << Of::digits;
  scale = (Vector<T>)bits;
}

//===----------------------------------------------------------------------===//
// Items into lanes and back
//===----------------------------------------------------------------------===//

/// Where the lanes of a group begin: `apart` from one another, those beyond the
/// last of `live` items being copies of it.
template <typename T> struct LanesAt {
  T *at[width];

  LanesAt(T *first, int64_t apart, int64_t live) {
    for (int64_t lane = 0; lane < width; ++lane)
      at[lane] = first + std::min(lane, live - 1) * apart;
  }
};

/// Exchanges the lanes of a with the bit `d` and those of b without it.
template <size_t d, typename V, size_t... lane>
TSGU_INLINE inline void exchange(V &a, V &b, std::index_sequence<lane...>) {
  const V low = __builtin_shufflevector(
      a, b, (lane & d ? size_t{width} + lane - d : lane)...);
  b = __builtin_shufflevector(a, b,
                              (lane & d ? size_t{width} + lane : lane + d)...);
  a = low;
}

template <size_t d, typename V>
TSGU_INLINE inline void exchangeAll(V (&rows)[width]) {
  for (size_t i = 0; i < width; ++i)
    if ((i & d) == 0)
      exchange<d>(rows[i], rows[i + d], std::make_index_sequence<width>());
}

template <typename V> TSGU_INLINE inline void transpose(V (&rows)[width]) {
  exchangeAll<1>(rows), exchangeAll<2>(rows), exchangeAll<4>(rows);
}

/// to[k] = the numbers at k * stride.
template <typename T>
TSGU_INLINE inline void interleave(const LanesAt<const T> &from, int64_t count,
                                   int64_t stride, Vector<T> *to) {
  using Loose = typename LaneOf<T>::Loose;
  int64_t k = 0;
  for (; stride == 1 && k + width <= count; k += width) {
    Vector<T> rows[width];
    for (int64_t lane = 0; lane < width; ++lane)
      rows[lane] = *reinterpret_cast<const Loose *>(from.at[lane] + k);
    transpose(rows);
    for (int64_t i = 0; i < width; ++i)
      to[k + i] = rows[i];
  }
  for (; k < count; ++k)
    for (int64_t lane = 0; lane < width; ++lane)
      reinterpret_cast<T *>(to + k)[lane] = from.at[lane][k * stride];
}

/// The other way, for the first `live` lanes.
template <typename T>
TSGU_INLINE inline void separate(const Vector<T> *from, int64_t count,
                                 int64_t live, int64_t stride,
                                 const LanesAt<T> &to) {
  using Loose = typename LaneOf<T>::Loose;
  int64_t k = 0;
  for (; stride == 1 && k + width <= count; k += width) {
    Vector<T> rows[width];
    for (int64_t i = 0; i < width; ++i)
      rows[i] = from[k + i];
    transpose(rows);
    for (int64_t lane = 0; lane < live; ++lane)
      *reinterpret_cast<Loose *>(to.at[lane] + k) = rows[lane];
  }
  for (; k < count; ++k)
    for (int64_t lane = 0; lane < live; ++lane)
      to.at[lane][k * stride] = reinterpret_cast<const T *>(from + k)[lane];
}

} // namespace tsgu::runtime::lanewise

#endif // TSGU_SRC_DIRECT_LANES_LANES_H
