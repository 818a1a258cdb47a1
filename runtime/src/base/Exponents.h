//===- Exponents.h - Powers of two of numbers -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As std::ilogb and std::ldexp, which are calls and took a third of a
// factorisation with little fill.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_EXPONENTS_H
#define TSGU_SRC_BASE_EXPONENTS_H

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace tsgu::runtime {

template <typename R> struct ExponentBits {
  using Bits = std::conditional_t<sizeof(R) == 4, uint32_t, uint64_t>;
  static constexpr int digits = std::numeric_limits<R>::digits - 1;
  static constexpr int bias = std::numeric_limits<R>::max_exponent - 1;
  static constexpr Bits all = 2 * bias + 1;
};

/// std::ilogb(x).
template <typename R> int exponentOf(R x) {
  using Of = ExponentBits<R>;
  const auto biased =
      std::bit_cast<typename Of::Bits>(x) >> Of::digits & Of::all;
  if (biased == 0 || biased == Of::all) // 0, subnormal, or not finite
    return std::ilogb(x);
  return static_cast<int>(biased) - Of::bias;
}

/// std::ldexp(R(1), exponent).
template <typename R> R powerOfTwo(int exponent) {
  using Of = ExponentBits<R>;
  if (exponent <= -Of::bias || exponent > Of::bias)
    return std::ldexp(R(1), exponent);
  return std::bit_cast<R>(static_cast<typename Of::Bits>(exponent + Of::bias)
                          << Of::digits);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_EXPONENTS_H
