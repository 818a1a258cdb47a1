//===- Tiles.h - Dense arithmetic in vector registers -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dense matrices stand by columns whose heights are multiples of 64 bytes; a
// column of complex numbers has all real parts first, then all imaginary ones.
// What is read again and again is packed: strips of rows as long as a vector,
// column after column.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_TILES_H
#define TSGU_SRC_DIRECT_CHOLESKY_TILES_H

#include "base/Numbers.h"
#include "base/Simd.h"

#include <algorithm>
#include <cstdint>

#if defined(__clang__)
#define TSGU_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define TSGU_UNROLLED _Pragma("GCC unroll 16")
#endif

namespace tsgu::runtime::cholesky {

/// function.template operator()<level>() with the vectors of that level.
template <typename F> TSGU_INLINE inline auto atLevel(const F &function) {
#if defined(__x86_64__)
  switch (vectorLevel()) {
  case 4:
    return runWithV4([&]() TSGU_INLINE { function.template operator()<4>(); });
  case 3:
    return runWithV3([&]() TSGU_INLINE { function.template operator()<3>(); });
  default:
    break;
  }
#endif
  return function.template operator()<1>();
}

template <typename T> inline constexpr int64_t partsOf = isComplex<T> ? 2 : 1;

/// Rows of a whole cache line.
template <typename T>
inline constexpr int64_t padding = 64 / int64_t{sizeof(Real<T>)};
template <typename T> constexpr int64_t padded(int64_t rows) {
  return (rows + padding<T> - 1) / padding<T> * padding<T>;
}

/// Tiles of T in the vectors of a level, see Isa.h.
template <typename T, int level> struct Tiles {
  using R = Real<T>;
  static constexpr int parts = partsOf<T>;
  static constexpr int lanes = (level == 4   ? 64
                                : level == 3 ? 32
                                             : 16) /
                               int{sizeof(R)};
  /// Columns, and strips, of the largest tile that registers hold.
  static constexpr int block =
      std::min(lanes, level == 4 && parts == 1 ? 8 : 4);
  static constexpr int most = parts == 1 ? 3 : level == 4 ? 2 : 1;
  static constexpr int64_t step =
      int64_t{lanes} * parts; ///< Of packed columns.

  typedef typename Simd<R, lanes>::Vector Vector;
  typedef typename Simd<R, lanes>::Loose Loose;
  static_assert(alignof(Loose) == alignof(R));
  struct Strip {
    Vector part[parts];
  };

  static TSGU_INLINE inline void load(Strip &to, const R *from,
                                      int64_t imaginary) {
    TSGU_UNROLLED
    for (int p = 0; p < parts; ++p)
      to.part[p] = *reinterpret_cast<const Loose *>(from + p * imaginary);
  }
  static TSGU_INLINE inline void store(R *to, int64_t imaginary,
                                       const Strip &from) {
    TSGU_UNROLLED
    for (int p = 0; p < parts; ++p)
      *reinterpret_cast<Loose *>(to + p * imaginary) = from.part[p];
  }
  static TSGU_INLINE inline void zero(Strip &to) {
    TSGU_UNROLLED
    for (int p = 0; p < parts; ++p)
      to.part[p] = Vector{};
  }

  /// acc -= a conj(b), or a b.
  template <bool conjugated = true>
  static TSGU_INLINE inline void subtract(Strip &acc, const Strip &a,
                                          const R *b, int64_t imaginary) {
    const R re = b[0];
    acc.part[0] -= a.part[0] * re;
    if constexpr (parts == 2) {
      const R im = b[imaginary];
      if constexpr (conjugated) {
        acc.part[0] -= a.part[1] * im;
        acc.part[1] -= a.part[1] * re;
        acc.part[1] += a.part[0] * im;
      } else {
        acc.part[0] += a.part[1] * im;
        acc.part[1] -= a.part[1] * re;
        acc.part[1] -= a.part[0] * im;
      }
    }
  }

  /// Columns of strips: strip s of column k.
  struct Left {
    const R *at;
    int64_t strip, column, imaginary;
  };
  /// A matrix's rows j and columns k.
  struct Right {
    const R *at;
    int64_t row, column, imaginary;
  };

  /// The tile less `count` columns of strips times as many of the other,
  /// conjugated or not.
  template <bool conjugated = true, int strips, int columns>
  static TSGU_INLINE inline void subtractProducts(Strip (&acc)[strips][columns],
                                                  Left a, Right b,
                                                  int64_t count) {
    for (int64_t k = 0; k < count; ++k, a.at += a.column, b.at += b.column) {
      Strip left[strips];
      TSGU_UNROLLED
      for (int s = 0; s < strips; ++s)
        load(left[s], a.at + s * a.strip, a.imaginary);
      TSGU_UNROLLED
      for (int j = 0; j < columns; ++j)
        TSGU_UNROLLED
      for (int s = 0; s < strips; ++s)
        subtract<conjugated>(acc[s][j], left[s], b.at + j * b.row, b.imaginary);
    }
  }

  /// acc L^-H, for the square L at `L` and its inverse diagonal.
  template <int strips, int columns>
  static TSGU_INLINE inline void solve(Strip (&acc)[strips][columns], Right L,
                                       const R *inverse) {
    TSGU_UNROLLED
    for (int k = 0; k < columns; ++k) {
      TSGU_UNROLLED
      for (int s = 0; s < strips; ++s)
        TSGU_UNROLLED
      for (int p = 0; p < parts; ++p)
        acc[s][k].part[p] *= inverse[k];
      TSGU_UNROLLED
      for (int j = k + 1; j < columns; ++j)
        TSGU_UNROLLED
      for (int s = 0; s < strips; ++s)
        subtract(acc[s][j], acc[s][k], L.at + k * L.column + j * L.row,
                 L.imaginary);
    }
  }

  /// function.template operator()<columns>() for the smallest tile that has
  /// `count` columns.
  template <typename F>
  static TSGU_INLINE inline void withColumns(int64_t count, const F &function) {
    if (count > block / 2)
      function.template operator()<block>();
    else if (block > 4 && count > block / 4)
      function.template operator()<block / 2>();
    else if (count > 1)
      function.template operator()<(block > 2 ? 2 : 1)>();
    else
      function.template operator()<1>();
  }
};

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_TILES_H
