//===- Columns.h - Right-hand sides that end one by one ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every solve scales each column of b by a power of two, so that norms are
// around 1 whatever those of b are, and works on the columns that have not
// ended, whose blocks hold them side by side.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_COLUMNS_H
#define TSGU_SRC_SOLVERS_COLUMNS_H

#include "pattern/Matrix.h"

#include <vector>

namespace tsgu::runtime {

/// How a solve ended, by column.
struct Result {
  std::vector<int64_t> reasons, iterations; ///< Reason 0: not ended.
  std::vector<double> residuals, goals;
  std::vector<double> history;
  /// As in tsgu_outcome.
  struct {
    double entries = 0, flops = 0;
    int64_t bytes = 0;
    double rcond = 0;
    int64_t rank = 0, negative = -1;
  } factors;

  void begin(int64_t columns);
  /// Ends those of the columns that have not ended.
  void stop(const std::vector<int64_t> &ids);
};

/// Factors whose product is 2^exponent, each of which is representable.
template <typename R> struct PowerOfTwo {
  R first, second;
  explicit PowerOfTwo(int exponent);
  template <typename T> T operator()(T value) const {
    return value * first * second;
  }
};

/// Whether a component of `value`, not 0 before it was scaled, is now too small
/// to have all its digits.
template <typename T> bool isLost(T before, T value);

/// Of the components of b_j: NaN if one is.
template <typename T> std::vector<double> largest(Vectors<const T> b);

/// By which power of two to multiply columns whose largest components are
/// `most`; 0 where they are between 2^-moderate and 2^moderate, or not finite.
std::vector<int> scalingExponents(const std::vector<double> &most,
                                  int moderate = 0);

/// Keeps those of the columns `ids` that have not ended, also in `block`, which
/// has a row of them `length` times.
template <typename T>
void dropEnded(const Result &result, std::vector<int64_t> &ids, T *block,
               int64_t length);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_COLUMNS_H
