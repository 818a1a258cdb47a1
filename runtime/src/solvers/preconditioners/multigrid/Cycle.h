//===- Cycle.h - V-cycles ---------------------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_CYCLE_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_CYCLE_H

#include "solvers/preconditioners/multigrid/Sparse.h"

namespace tsgu::runtime::multigrid {

template <typename T> struct Level {
  CSR<T> A;
  std::vector<T> inverseDiagonal;
  double radius = 0;    ///< Of D^-1 A, not less than it is.
  CSR<T> P, R;          ///< To and from the next level; the last has none.
  std::vector<T> dense; ///< The last level: A^-1 by rows, if A is small.

  int64_t bytes() const {
    return A.bytes() + P.bytes() + R.bytes() +
           (inverseDiagonal.size() + dense.size()) * sizeof(T);
  }
};

/// x = M^-1 b, one V-cycle from zero. Smoothed before and after by the same
/// polynomial in D^-1 A, so that M is Hermitian if A is and R = P^H; with A^H,
/// R^H and P^H for A, P and R it is M^-H.
template <typename T>
void cycle(const std::vector<Level<T>> &levels, Vectors<const T> b,
           Vectors<T> x, const tsgu_executor &executor);

} // namespace tsgu::runtime::multigrid

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_CYCLE_H
