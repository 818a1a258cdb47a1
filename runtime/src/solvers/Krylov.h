//===- Krylov.h - The methods by name ---------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_KRYLOV_H
#define TSGU_SRC_SOLVERS_KRYLOV_H

#include "solvers/Iteration.h"
#include "solvers/Solve.h"

namespace tsgu::runtime {

/// Of a tsgu_method for square matrices that iterates. Throws InvalidArgument
/// for others.
template <typename T> Task (*methodOf(int64_t method))(Iteration<T> &);

/// x = argmin norm(b - op(A) x)^2 + damp^2 norm(x)^2 of least norm, by LSMR.
template <typename T>
void solveLeastSquares(const Problem &problem, const Matrix<T> &A,
                       Vectors<const T> b, Vectors<T> x,
                       const tsgu_executor &executor);

/// z = (M^H M + damp^2)^-1 g with M = op(A). Throws Singular unless M has full
/// column rank, or damping.
template <typename T>
void solveNormalEquations(const Problem &problem, const Matrix<T> &A,
                          Vectors<const T> g, Vectors<T> z,
                          const tsgu_executor &executor);

/// By callbacks().solve. Throws CallbackError where it fails or is not there.
template <typename T>
void solveByCaller(const Problem &problem, const Matrix<T> &A,
                   Vectors<const T> b, Vectors<T> x,
                   const tsgu_executor &executor);

/// z of solveNormalEquations, undamped, by callbacks().solve: first with the
/// adjoint of op(A), then with op(A).
template <typename T>
void solveNormalByCaller(const Problem &problem, const Matrix<T> &A,
                         Vectors<const T> g, Vectors<T> z,
                         const tsgu_executor &executor);

/// Throws the Singular of a gradient that does not exist. `rank` -1: unknown.
[[noreturn]] void failRank(const Problem &problem, int64_t rank = -1);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_KRYLOV_H
