//===- LeastSquaresRefinement.h - Refined least squares ---------*- C++ -*-===//
//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_LEASTSQUARESREFINEMENT_H
#define TSGU_SRC_SOLVERS_LEASTSQUARESREFINEMENT_H

#include "solvers/Refinement.h"

namespace tsgu::runtime {

/// E = [A; damp I] D with the diagonal D that makes the norms of its columns 1
/// (or is I), or its adjoint: least squares with E are those with A, damped.
/// Products with E are made of those with A: `inner` says which one, and once
/// that is there `finish` makes the rest.
template <typename T> class DampedMatrix {
public:
  DampedMatrix(int64_t rows, int64_t columns, double damp,
               const tsgu_executor &executor)
      : rows(rows), columns(columns), damp(damp), executor(executor) {}

  int64_t totalRows() const { return damp != 0 ? rows + columns : rows; }
  /// D from the squared norms of the columns of A.
  void scaleColumns(std::vector<double> squares);
  const std::vector<Real<T>> &scales() const { return scale; }

  Request<T> inner(const Request<T> &request);
  void finish(const Request<T> &request);

private:
  int64_t rows, columns;
  double damp;
  tsgu_executor executor;
  std::vector<Real<T>> scale; ///< Empty: ones.
  Block scaled;
};

struct LeastSquaresOptions {
  const tsgu_solver *solver;
  bool guess = false;
  int operatorScale = 0;
  double rtol = 0;
  std::vector<double> rtols; ///< By column, instead.
  /// By column, what norm(E^H (b - E x)) is compared with; empty: the same.
  std::vector<double> slopeRtols;
  std::vector<double> scales; ///< x is multiplied by these at the end, or ones.
};

/// x = argmin norm(b - E x), by LSMR, from the true residual again until
/// norm(E^H (b - E x)) <= rtol norm(E) norm(b - E x), or norm(b - E x) <=
/// max(rtol norm(b), atol): E is `totalRows` x `length`, of b only the first
/// rows may differ from 0. From x = 0, the solution of least norm.
template <typename T> class LeastSquares {
public:
  LeastSquares(const LeastSquaresOptions &options, int64_t totalRows,
               Vectors<const T> b, Vectors<T> x, const tsgu_executor &executor,
               Channel<T> &channel);

  Task run();

  Result result;                     ///< Residuals are norm(E^H (b - E x)).
  std::vector<double> residualNorms; ///< norm(b - E x).
  std::vector<char> consistent;      ///< norm(b - E x) is at its goal.
  /// norm(E^H r) / (norm(E) norm(r)) of r = b - E x: no less than 1 / cond(E)
  /// unless r has a part that no x can reach.
  std::vector<double> cosines;

private:
  using Reals = std::vector<double>;

  void scaleColumns();
  void startFromGuess();
  Task computeResidual(T *from);
  void setNorms(Reals &slope, Reals &residualNorm);
  bool isThere(int64_t id) const;
  void judge(size_t slot, Exit exit, double slopeBefore);
  Task cycle();
  Task returnSolutions();
  Task judgeAgain(std::vector<int64_t> lost);
  T scaled(T value, int64_t i, int64_t j, bool back) const;
  void finish();

  LeastSquaresOptions options;
  const tsgu_solver &solver;
  Vectors<const T> b;
  Vectors<T> x;
  Channel<T> &channel;
  Progress progress;
  VectorOps<T> ops, rowOps;
  Scratch residualMemory, candidateMemory, slopeMemory;
  T *residual, *candidate, *slope; ///< b - E x, x, E^H (b - E x).

  int64_t limit;
  std::vector<int> exponents;
  Reals units;
  Reals residualGoals, slopes, matrixNorms;
  std::vector<int64_t> ids;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_LEASTSQUARESREFINEMENT_H
