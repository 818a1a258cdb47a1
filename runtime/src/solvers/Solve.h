//===- Solve.h - One solve, by whatever method ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_SOLVE_H
#define TSGU_SRC_SOLVERS_SOLVE_H

#include "pattern/Matrix.h"
#include "solvers/Methods.h"

#include <vector>

namespace tsgu::runtime {

/// x = op(A)^-1 b, or another function of op(A) and b, for every item of the
/// pattern.
struct Problem {
  enum Kind : uint8_t {
    Triangular,
    General,
    LeastSquares,   ///< argmin norm(b - op(A) x)^2 + damp^2 norm(x)^2
    NormalEquations ///< (op(A)^H op(A) + damp^2)^-1 b; needs full rank
  };
  Kind kind = General;
  Mode mode = Mode::N;
  const tsgu_solver *solver = nullptr;
  Pattern *pattern = nullptr;
  ElementType type = ElementType::F64;
  const void *values = nullptr; ///< Of all items.
  const void *b = nullptr;      ///< Row-major: strides in elements.
  int64_t bItem = 0, bRow = 0;
  void *x = nullptr;
  int64_t xItem = 0, xRow = 0;
  int64_t columns = 0; ///< Right-hand sides.
  bool guess = false;  ///< x holds where to start.
};

/// Throws InvalidArgument for options out of range or a method that does not do
/// this kind of solve; Singular; NotConverged where the solver says so;
/// CallbackError; Interrupted.
void solve(const Problem &problem, const tsgu_executor &executor);

/// The same for so many items of a batch on a pattern of rank 2: their values
/// follow one another, and their vectors are bItem and xItem apart.
void solveBatch(const Problem &problem, int64_t count,
                const tsgu_executor &executor);

/// Throws InvalidArgument, naming the option, its value and what is allowed.
void checkSolver(const tsgu_solver &solver);

/// A method that iterates, or the caller's solver, on one matrix (Krylov.cpp).
template <typename T>
void solveIteratively(const Problem &problem, const Matrix<T> &A,
                      Vectors<const T> b, Vectors<T> x,
                      const tsgu_executor &executor);

/// By a factorisation, and refinement (direct/DirectSolve.cpp).
template <typename T>
void solveDirectly(const Problem &problem, const Matrix<T> &A,
                   Vectors<const T> b, Vectors<T> x,
                   const tsgu_executor &executor);

/// Least squares or normal equations by QR (direct/DirectLeastSquares.cpp).
template <typename T>
void solveByOrthogonalFactors(const Problem &problem, const Matrix<T> &A,
                              Vectors<const T> b, Vectors<T> x,
                              const tsgu_executor &executor);

/// How the items of a batch that were solved together ended: those of every
/// column converged.
struct BatchOutcome {
  std::vector<char> solved;        ///< By item; none: all are to be solved.
  std::vector<int64_t> iterations; ///< By item and column.
  std::vector<double> residuals, goals;

  void begin(int64_t items, int64_t columns);
};

/// By factorisations of several matrices at once (direct/lanes/Solve.cpp).
template <typename T>
BatchOutcome solveInLanes(const Problem &problem, int64_t count,
                          const tsgu_executor &executor);

/// Tells the outcome callback, or throws, as the solver says.
void conclude(const tsgu_solver &solver, const tsgu_outcome &outcome);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_SOLVE_H
