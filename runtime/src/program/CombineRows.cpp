//===- CombineRows.cpp - A row out of results of its parts ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/CombineRows.h"
#include "pattern/Matrix.h"

#include <algorithm>
#include <cmath>

namespace tsgu::runtime {

/// As maximumf: NaN if one of them is, and 0 above -0.
template <typename T> static T greater(T a, T b) {
  if (std::isnan(a) || std::isnan(b))
    return a + b;
  return a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
}

template <typename T>
static T combine(Partition::Within how, const T &a, const T &b) {
  if constexpr (!isComplex<T>)
    switch (how) {
    case Partition::Max:
      return greater(a, b);
    case Partition::Min:
      return -greater(-a, -b);
    case Partition::MaxNumber:
      return std::fmax(a, b);
    case Partition::MinNumber:
      return std::fmin(a, b);
    default:
      break;
    }
  return a + b;
}

void combineRows(Partition::Within how, ElementType type, int64_t elements,
                 void *row, const void *parts, int64_t count) {
  withValueType(type, [&]<typename T>(T) {
    auto *to = static_cast<T *>(row);
    const auto *from = static_cast<const T *>(parts);
    std::copy_n(from, elements, to);
    for (int64_t part = 1; part < count; ++part)
      for (int64_t j = 0; j < elements; ++j)
        to[j] = combine(how, to[j], from[part * elements + j]);
  });
}

} // namespace tsgu::runtime
