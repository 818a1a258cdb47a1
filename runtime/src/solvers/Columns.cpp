//===- Columns.cpp - Right-hand sides that end one by one -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Columns.h"
#include "tsgu/solvers.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace tsgu::runtime {

void Result::begin(int64_t columns) {
  const auto count = static_cast<size_t>(columns);
  reasons.assign(count, 0), iterations.assign(count, 0);
  residuals.resize(count), goals.resize(count);
}

void Result::stop(const std::vector<int64_t> &ids) {
  for (int64_t id : ids)
    if (reasons[id] == 0)
      reasons[id] = TSGU_STOPPED;
}

template <typename R> PowerOfTwo<R>::PowerOfTwo(int exponent) {
  using Limits = std::numeric_limits<R>;
  const int half = exponent / 2;
  auto power = [](int e) {
    return std::ldexp(
        R(1), std::clamp(e, Limits::min_exponent, Limits::max_exponent - 1));
  };
  first = power(half), second = power(exponent - half);
}

template <typename T> bool isLost(T before, T value) {
  constexpr auto least = std::numeric_limits<Real<T>>::min();
  auto lost = [](Real<T> was, Real<T> is) {
    return was != 0 && std::abs(is) < least;
  };
  if constexpr (isComplex<T>)
    return lost(before.real(), value.real()) ||
           lost(before.imag(), value.imag());
  else
    return lost(before, value);
}

/// The size of each component as bits, which are in the order of the sizes,
/// with NaN above all.
template <typename R> struct SizeBits {
  using Bits = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;

  static TSGU_INLINE Bits of(R value) {
    return std::bit_cast<Bits>(value) & std::numeric_limits<Bits>::max();
  }
  static TSGU_INLINE void raise(Bits &most, R value) {
    most = std::max(most, of(value));
  }
};

template <typename T> std::vector<double> largest(Vectors<const T> b) {
  using R = Real<T>;
  using Bits = typename SizeBits<R>::Bits;
  constexpr int64_t lanes = 32, parts = isComplex<T> ? 2 : 1;
  const bool single = b.count == 1 && b.stride == 1;
  const int64_t width = single ? lanes : b.count * parts;
  std::vector<Bits> most(width);
  withVectors([&]() TSGU_INLINE {
    const R *data = reinterpret_cast<const R *>(b.data);
    if (single) {
      Bits lane[lanes] = {};
      int64_t i = 0;
      for (; i + lanes <= b.length * parts; i += lanes)
        for (int64_t l = 0; l < lanes; ++l)
          SizeBits<R>::raise(lane[l], data[i + l]);
      for (; i < b.length * parts; ++i)
        SizeBits<R>::raise(lane[i % lanes], data[i]);
      std::copy_n(lane, lanes, most.data());
    } else if (width == lanes || width == lanes / 2) {
      const auto raise = [&](auto fixed) TSGU_INLINE {
        Bits lane[fixed] = {};
        for (int64_t i = 0; i < b.length; ++i, data += b.stride * parts)
          for (int64_t j = 0; j < fixed; ++j)
            SizeBits<R>::raise(lane[j], data[j]);
        std::copy_n(lane, fixed(), most.data());
      };
      if (width == lanes)
        raise(std::integral_constant<int64_t, lanes>());
      else
        raise(std::integral_constant<int64_t, lanes / 2>());
    } else {
      for (int64_t i = 0; i < b.length; ++i, data += b.stride * parts)
        for (int64_t j = 0; j < width; ++j)
          SizeBits<R>::raise(most[j], data[j]);
    }
  });
  std::vector<double> sizes;
  const int64_t of = single ? lanes : parts;
  for (auto at = most.begin(); at != most.end(); at += of)
    sizes.push_back(std::bit_cast<R>(*std::max_element(at, at + of)));
  return sizes;
}

std::vector<int> scalingExponents(const std::vector<double> &most,
                                  int moderate) {
  std::vector<int> exponents(most.size());
  for (size_t j = 0; j < most.size(); ++j)
    if (most[j] > 0 && std::isfinite(most[j]) &&
        std::abs(std::ilogb(most[j])) > moderate)
      exponents[j] = -std::ilogb(most[j]);
  return exponents;
}

template <typename T>
void dropEnded(const Result &result, std::vector<int64_t> &ids, T *block,
               int64_t length) {
  std::vector<int64_t> kept, places;
  for (size_t slot = 0; slot < ids.size(); ++slot)
    if (result.reasons[ids[slot]] == 0)
      kept.push_back(ids[slot]), places.push_back(static_cast<int64_t>(slot));
  const auto from = static_cast<int64_t>(ids.size());
  const auto to = static_cast<int64_t>(kept.size());
  if (to < from && to > 0)
    for (int64_t i = 0; i < length; ++i)
      for (int64_t j = 0; j < to; ++j)
        block[i * to + j] = block[i * from + places[j]];
  ids = std::move(kept);
}

template struct PowerOfTwo<float>;
template struct PowerOfTwo<double>;
#define INSTANTIATE(T)                                                         \
  template bool isLost(T, T);                                                  \
  template std::vector<double> largest(Vectors<const T>);                      \
  template void dropEnded(const Result &, std::vector<int64_t> &, T *, int64_t);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
