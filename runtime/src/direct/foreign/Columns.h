//===- Columns.h - Vectors as libraries of others have them -----*- C++ -*-===//
//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_FOREIGN_COLUMNS_H
#define TSGU_SRC_DIRECT_FOREIGN_COLUMNS_H

#include "base/Callbacks.h"
#include "direct/Factorization.h"

namespace tsgu::runtime::foreign {

/// x = out * solve(in * b), with conjugates before and after where
/// `isConjugated` says so; solve(y) is in place, column by column, in double
/// precision.
template <typename T, typename Solve>
void throughColumns(Vectors<const T> b, Vectors<T> x,
                    const std::vector<Real<T>> &in,
                    const std::vector<Real<T>> &out, bool isConjugated,
                    Solve &&solve) {
  using W = Wide<T>;
  std::vector<W> y(static_cast<size_t>(b.length * b.count));
  for (int64_t i = 0; i < b.length; ++i)
    for (int64_t j = 0; j < b.count; ++j) {
      const W value = W(b.row(i)[j]) * double(in[i]);
      y[j * b.length + i] = isConjugated ? conjugate(value) : value;
    }
  checkInterrupt();
  solve(y);
  for (int64_t i = 0; i < b.length; ++i)
    for (int64_t j = 0; j < b.count; ++j) {
      const W value = y[j * b.length + i] * double(out[i]);
      x.row(i)[j] = static_cast<T>(isConjugated ? conjugate(value) : value);
    }
}

[[noreturn]] inline void failStatus(const char *method, int64_t status,
                                    int64_t outOfMemory) {
  if (status == outOfMemory)
    fail(Status::OutOfMemory, method, ": out of memory for the factors");
  fail(Status::Internal, method, ": the library answers with status ", status);
}

} // namespace tsgu::runtime::foreign

#endif // TSGU_SRC_DIRECT_FOREIGN_COLUMNS_H
