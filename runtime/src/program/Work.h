//===- Work.h - How work is cut into ranges ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_WORK_H
#define TSGU_SRC_PROGRAM_WORK_H

#include <algorithm>
#include <cstdint>

namespace tsgu::runtime {

/// Work below this many flops (or the time of as many) takes one thread:
/// handing it out costs as much as doing it.
inline constexpr double smallWork = 1e5;
/// Ranges are not made smaller than this.
inline constexpr double rangeWork = 2.5e4;
/// More ranges than threads, so that uneven ones even out.
inline constexpr int64_t rangesPerThread = 4;
/// While a byte comes from memory, a core computes about this many flops.
inline constexpr double flopsPerByte = 0.25;

/// Into how many ranges to cut; 1: do not.
inline int64_t partsOf(int64_t iterations, double work, int32_t threads) {
  if (threads <= 1 || work < smallWork)
    return 1;
  double most = std::min(static_cast<double>(threads) * rangesPerThread,
                         work / rangeWork);
  return std::min(iterations, static_cast<int64_t>(most));
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_WORK_H
