//===- Refinement.h - Iterate until the true residual is there --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A method's own residual drifts from the true one. So a solve is an iterative
// refinement: a method runs from the true residual until it believes to be
// done, the residual is computed anew, and what is not yet there begins again.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_REFINEMENT_H
#define TSGU_SRC_SOLVERS_REFINEMENT_H

#include "solvers/Columns.h"
#include "solvers/Iteration.h"

namespace tsgu::runtime {

template <typename T> struct RefinementOptions {
  const tsgu_solver *solver;
  bool guess = false; ///< x holds where to start.
  bool preconditioned = false;
  int operatorScale = 0; ///< Products are those with A 2^operatorScale.
  Tridiagonals *tridiagonals = nullptr;
  Criteria criteria;
};

/// x = A^-1 b by products asked for through `channel`. Every column is scaled
/// by a power of two, so that norms are around 1 whatever those of b are.
template <typename T> class Refinement {
public:
  using Method = Task (*)(Iteration<T> &);

  Refinement(const RefinementOptions<T> &options, Method method,
             Vectors<const T> b, Vectors<T> x, const tsgu_executor &executor,
             Channel<T> &channel);

  Task run();

  Result result;

private:
  using Reals = std::vector<double>;

  void scaleColumns();
  Task startFromGuess();
  void setResidual(const std::vector<int64_t> &ids, bool subtract, T *r);
  void gather(const std::vector<int64_t> &ids, T *to);
  Task measure(const std::vector<int64_t> &ids, T *r, Reals &found);
  Task settleAtOnce();
  Task cycle();
  void propose(const T *corrections, T *candidates);
  void judge(size_t slot, Exit exit, double norm, bool accepted);
  bool isSpent(int64_t id) const;
  void endTogether();
  Task finish();
  Task judgeAgain(const std::vector<int64_t> &ids);

  RefinementOptions<T> options;
  const tsgu_solver &solver;
  Method method;
  Vectors<const T> b;
  Vectors<T> x;
  Channel<T> &channel;
  Progress progress;
  VectorOps<T> ops;
  Scratch residualMemory, candidateMemory;
  T *residual, *candidate; ///< Of the unsettled columns.

  int64_t limit;
  std::vector<int> exponents; ///< b is multiplied by 2^exponents[column].
  Reals units;                ///< Of norms: 2^-exponents.
  Reals norms, goals;         ///< Of scaled residuals.
  std::vector<int64_t> attempts;
  std::vector<int64_t> ids;     ///< Unsettled columns.
  std::vector<int> cycleScales; ///< Theirs, of their residuals.
};

/// max_iterations, or 10 n but at most 100,000.
int64_t iterationLimit(const tsgu_solver &solver, int64_t length);

/// rtol, or its default for the type.
template <typename T> double relativeTolerance(const tsgu_solver &solver) {
  return solver.rtol >= 0                 ? solver.rtol
         : std::is_same_v<Real<T>, float> ? 1e-5
                                          : 1e-8;
}

/// Of a column that leaves for good.
int64_t reasonOf(Exit exit);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_REFINEMENT_H
