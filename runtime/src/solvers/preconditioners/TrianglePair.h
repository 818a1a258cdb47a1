//===- TrianglePair.h - Two factors in the place of one matrix --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_TRIANGLEPAIR_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_TRIANGLEPAIR_H

#include "triangular/PreparedTriangle.h"

namespace tsgu::runtime {

/// M = lower * upper, both stored in one matrix on A's pattern.
template <typename T> class TrianglePair {
public:
  TrianglePair(const Matrix<T> &A, const ItemValues<T> &values, bool unitLower,
               const tsgu_executor &executor)
      : values(values),
        lower(values.of(A), Triangle{false, unitLower}, values, executor),
        upper(values.of(A), Triangle{true, false}, values, executor) {}

  /// z = op(M)^-1 r; between(z) after the first of the two solves.
  template <typename F>
  void solve(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor, F &&between) const {
    const auto &first = mode == Mode::N ? lower : upper;
    const auto &last = mode == Mode::N ? upper : lower;
    first.apply(mode, r, z, executor);
    between(z);
    last.apply(mode, {z.data, z.length, z.count, z.stride}, z, executor);
  }

  int64_t bytes() const {
    return values.bytes() + lower.bytes() + upper.bytes();
  }

private:
  ItemValues<T> values;
  PreparedTriangle<T> lower, upper;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_TRIANGLEPAIR_H
