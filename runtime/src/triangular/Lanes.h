//===- Lanes.h - Eight numbers at once --------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// By references throughout: how vectors are passed depends on the instruction
// set, and these functions are inlined into code for several.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_LANES_H
#define TSGU_SRC_TRIANGULAR_LANES_H

#include "base/Simd.h"
#include "triangular/Scalars.h"

#include <cstring>

namespace tsgu::runtime {

inline constexpr int32_t lanes = 8;

/// Strict entries from which the lanes of a row sum apart. The sum of a row is
/// formed in this one way however it is solved for: from the entry farthest
/// from the diagonal to the nearest.
inline constexpr int32_t longRow = 16;

/// Of complex numbers; loops over the lanes.
template <typename T> struct Lanes {
  T v[lanes];

  TSGU_INLINE inline void zero() {
    for (T &each : v)
      each = T(0);
  }
  TSGU_INLINE inline void load(const T *from) {
    for (int32_t lane = 0; lane < lanes; ++lane)
      v[lane] = from[lane];
  }
  TSGU_INLINE inline void store(T *to) const {
    for (int32_t lane = 0; lane < lanes; ++lane)
      to[lane] = v[lane];
  }
  TSGU_INLINE inline void conjugateIf(bool conjugated) {
    for (T &each : v)
      each = conjugatedIf(each, conjugated);
  }
  TSGU_INLINE inline void subtractProduct(const Lanes &a, const Lanes &b) {
    for (int32_t lane = 0; lane < lanes; ++lane)
      v[lane] = minusProduct(v[lane], a.v[lane], b.v[lane]);
  }
  TSGU_INLINE inline void multiply(const Lanes &a) {
    for (int32_t lane = 0; lane < lanes; ++lane)
      v[lane] = times(v[lane], a.v[lane]);
  }
  TSGU_INLINE inline void divide(const Lanes &a) {
    for (int32_t lane = 0; lane < lanes; ++lane)
      v[lane] = quotient(v[lane], a.v[lane]);
  }
  TSGU_INLINE inline T sum() const {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
  }
};

template <typename T>
  requires std::is_floating_point_v<T>
struct Lanes<T> {
  typedef typename Simd<T, lanes>::Vector Vector;
  Vector v;

  TSGU_INLINE inline void zero() { v = Vector{}; }
  TSGU_INLINE inline void load(const T *from) {
    std::memcpy(&v, from, sizeof v);
  }
  TSGU_INLINE inline void store(T *to) const { std::memcpy(to, &v, sizeof v); }
  TSGU_INLINE inline void conjugateIf(bool) {}
  TSGU_INLINE inline void subtractProduct(const Lanes &a, const Lanes &b) {
    v -= a.v * b.v;
  }
  TSGU_INLINE inline void multiply(const Lanes &a) { v *= a.v; }
  TSGU_INLINE inline void divide(const Lanes &a) {
    bool moderate = true;
    for (int32_t lane = 0; lane < lanes; ++lane)
      moderate &= isModerate<T>(a.v[lane]);
    if (__builtin_expect(moderate, true)) {
      v *= 1 / a.v;
      return;
    }
    for (int32_t lane = 0; lane < lanes; ++lane)
      v[lane] = quotient<T>(v[lane], a.v[lane]);
  }
  TSGU_INLINE inline T sum() const {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
  }
};

/// from[index[lane] * stride].
template <typename T, typename I>
TSGU_INLINE inline void gather(Lanes<T> &to, const T *from, const I *index,
                               int64_t stride = 1) {
  T loaded[lanes];
  for (int32_t lane = 0; lane < lanes; ++lane)
    loaded[lane] = from[index[lane] * stride];
  to.load(loaded);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_LANES_H
