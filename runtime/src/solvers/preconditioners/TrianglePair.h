//===- TrianglePair.h - Two factors in the place of one matrix --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_TRIANGLEPAIR_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_TRIANGLEPAIR_H

#include "triangular/Triangular.h"

#include <vector>

namespace tsgu::runtime {

/// A copy of the values of A's item, to be changed; data()[k] is entry k of the
/// pattern.
template <typename T> struct ItemValues {
  int64_t first;
  std::vector<T> values;

  explicit ItemValues(const Matrix<T> &A)
      : first(A.pattern->csr().position(A.firstRow())),
        values(A.values + first,
               A.values + A.pattern->csr().position(A.firstRow() + A.rows())) {}

  T *data() { return values.data() - first; }
  /// A with these values.
  Matrix<T> of(const Matrix<T> &A) { return {A.pattern, A.item, data()}; }
};

/// M = lower * upper, both stored in one matrix on A's pattern.
template <typename T> class TrianglePair {
public:
  TrianglePair(const Matrix<T> &A, bool unitLower,
               const tsgu_executor &executor)
      : lower(A, Triangle{false, unitLower}, executor),
        upper(A, Triangle{true, false}, executor) {}

  /// z = op(M)^-1 r; between(z) after the first of the two solves.
  template <typename F>
  void solve(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor, F &&between) const {
    const auto &first = mode == Mode::N ? lower : upper;
    const auto &last = mode == Mode::N ? upper : lower;
    first.solve(mode, r, z, executor);
    between(z);
    last.solve(mode, {z.data, z.length, z.count, z.stride}, z, executor);
  }

  int64_t bytes() const { return lower.bytes() + upper.bytes(); }

private:
  PreparedTriangle<T> lower, upper;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_TRIANGLEPAIR_H
