//===- KeepTriangle.cpp - The values inside a triangle --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Ranges.h"
#include "triangular/Analysis.h"

#include <algorithm>
#include <cstring>

namespace tsgu::runtime {

template <typename T, typename I>
static void keepRows(const Layout &csr, int64_t rowsPerItem, Triangle triangle,
                     const T *from, T *to, int64_t begin, int64_t end) {
  const I *positions = static_cast<const I *>(csr.positions);
  const I *coordinates = static_cast<const I *>(csr.coordinates);
  for (int64_t row = begin; row < end; ++row) {
    const I i = static_cast<I>(row % rowsPerItem);
    for (I k = positions[row]; k < positions[row + 1]; ++k) {
      const I c = coordinates[k];
      const bool keep = c == i ? !triangle.unit : triangle.upper == (c > i);
      to[k] = keep ? from[k] : T(0);
    }
  }
}

/// Every entry is kept: so say the analyses, which the solve has made before.
static bool keepsAll(Pattern &pattern, Triangle triangle) {
  if (triangle.unit || pattern.rows() != pattern.columns())
    return false;
  for (int64_t item = 0; item < pattern.items(); ++item)
    if (!analysisOf(pattern, item, triangle.upper)->tidy())
      return false;
  return true;
}

void keepTriangle(Pattern &pattern, Triangle triangle, ElementType type,
                  const void *from, void *to, const tsgu_executor &executor) {
  const bool all = keepsAll(pattern, triangle);
  if (all && to == from)
    return;
  const Layout &csr = pattern.csr();
  const int64_t parts =
      std::clamp<int64_t>(csr.stored / 16384, 1, 4 * executor.threads);
  const Ranges ranges(csr.rows, parts, csr, 1);
  withValueType(type, [&]<typename T>(T) {
    withIndexType(csr.indexType, [&]<typename I>(I) {
      const T *source = static_cast<const T *>(from);
      T *target = static_cast<T *>(to);
      parallelFor(executor, parts, [&](int64_t begin, int64_t end) {
        const int64_t first = ranges.boundary(begin);
        const int64_t last = ranges.boundary(end);
        if (!all)
          return keepRows<T, I>(csr, pattern.rows(), triangle, source, target,
                                first, last);
        const int64_t k = csr.position(first);
        std::copy(source + k, source + csr.position(last), target + k);
      });
    });
  });
}

} // namespace tsgu::runtime
