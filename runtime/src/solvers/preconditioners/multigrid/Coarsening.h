//===- Coarsening.h - From one level to the next ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Smoothed aggregation: P. Vanek, J. Mandel, M. Brezina, Algebraic multigrid by
// smoothed aggregation for second and fourth order elliptic problems, Computing
// 56 (1996).
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_COARSENING_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_COARSENING_H

#include "solvers/preconditioners/multigrid/Sparse.h"

namespace tsgu::runtime::multigrid {

/// 1 / a_ii. Throws Singular, naming level and row, where there is none.
template <typename T>
std::vector<T> inverseDiagonal(const CSR<T> &A, int64_t level);

/// A without its weak connections |a_ij| <= threshold sqrt(|a_ii a_jj|), which
/// are added to the diagonal so that constants are mapped as before; A's own
/// entries where none is weak.
template <typename T> CSR<T> strongPart(const CSR<T> &A, double threshold);

/// The aggregate of every row, or -1 for rows connected to no other; in the
/// order of the rows, so always the same.
struct Aggregates {
  std::vector<int32_t> of;
  int64_t count = 0;
};
template <typename T> Aggregates aggregate(const CSR<T> &strong);

/// An estimate of the spectral radius of D^-1 A, never above its infinity norm.
template <typename T>
double spectralRadius(const CSR<T> &A, const std::vector<T> &inverseDiagonal,
                      const tsgu_executor &executor);

/// (I - 4/3 / rho(D^-1 A) D^-1 A) T, where column k of T is 1 on aggregate k.
template <typename T>
CSR<T> prolongator(const CSR<T> &strong, const Aggregates &aggregates,
                   int64_t level, const tsgu_executor &executor);

} // namespace tsgu::runtime::multigrid

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_COARSENING_H
