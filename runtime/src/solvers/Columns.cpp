//===- Columns.cpp - Right-hand sides that end one by one -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Columns.h"
#include "tsgu/solvers.h"

#include <algorithm>
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

/// NaN if one of them is.
static double larger(double a, double b) {
  return std::isnan(a) || b <= a ? a : b;
}

template <typename T> std::vector<double> largest(Vectors<const T> b) {
  std::vector<double> most(b.count);
  for (int64_t i = 0; i < b.length; ++i)
    for (int64_t j = 0; j < b.count; ++j) {
      const T value = b.row(i)[j];
      double size = std::abs(static_cast<double>(std::real(value)));
      if constexpr (isComplex<T>)
        size = larger(size, std::abs(static_cast<double>(value.imag())));
      most[j] = larger(most[j], size);
    }
  return most;
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
