//===- Determinant.h - Determinants of any size -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_DETERMINANT_H
#define TSGU_SRC_DIRECT_DETERMINANT_H

#include "base/Exponents.h"
#include "base/Numbers.h"

#include <algorithm>
#include <cstdint>
#include <numbers>
#include <vector>

namespace tsgu::runtime {

/// det A = sign exp(log): sign is 1 or -1, or of size 1 where A is complex.
template <typename T> struct Determinant {
  T sign;
  Real<T> log;
};

/// Of a permutation, a list of the numbers from 0: each of its cycles of an
/// even length turns the sign.
template <typename Order> int signOf(const Order &order) {
  std::vector<char> seen(order.size());
  int sign = 1;
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i])
      continue;
    for (auto j = order[i]; j != static_cast<decltype(j)>(i); j = order[j])
      seen[j] = 1, sign = -sign;
  }
  return sign;
}

/// A product of numbers that are not 0, with its exponent apart: no factor of
/// two is ever rounded, and no logarithms add up their errors.
template <typename T> class ScaledProduct {
public:
  void multiply(T value) {
    const int by = exponentOf(
        std::max(std::abs(std::real(value)), std::abs(std::imag(value))));
    product = times(product, scaled(Wide<T>(value), by)), exponent += by;
    // Factors are at least of size 1 now, and the product grows.
    if (const double size =
            std::abs(std::real(product)) + std::abs(std::imag(product));
        size > 0x1p500) {
      product = scaled(product, exponentOf(size));
      exponent += exponentOf(size);
    }
  }

  void divide(Real<T> scale) { exponent -= exponentOf(scale); }

  Determinant<T> determinant() const {
    const double size = std::abs(product);
    return {static_cast<T>(product / size),
            static_cast<Real<T>>(std::log(size) +
                                 double(exponent) * std::numbers::ln2)};
  }

private:
  /// In two steps: for a subnormal number the power is out of range.
  static Wide<T> scaled(Wide<T> value, int down) {
    return value * powerOfTwo<double>(-down / 2) *
           powerOfTwo<double>(-down - -down / 2);
  }

  Wide<T> product = 1;
  int64_t exponent = 0;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_DIRECT_DETERMINANT_H
