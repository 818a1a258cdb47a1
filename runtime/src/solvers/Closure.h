//===- Closure.h - Solves with a matrix that asks ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The other side of the C API's tsgu_iteration: a Refinement or LeastSquares
// whose requests go to the caller, column by column as he wants them.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_CLOSURE_H
#define TSGU_SRC_SOLVERS_CLOSURE_H

#include "solvers/Krylov.h"
#include "solvers/LeastSquaresRefinement.h"

#include <optional>

namespace tsgu::runtime {

/// What the caller is asked: in and out are contiguous [., columns].
struct Question {
  Ask ask = Ask::Nothing; ///< Nothing: done.
  const void *in = nullptr;
  void *out = nullptr;
  int64_t inLength = 0, outLength = 0, columns = 0;
};

struct ClosureOptions {
  bool guess = false, preconditioned = false, fixedColumns = false;
  int64_t tridiagonals = 0;
  Criteria criteria;
  std::vector<double> shifts; ///< Empty: none.
  double factor = 1;
};

class ClosureBase {
public:
  virtual ~ClosureBase() = default;
  /// The answer to the question before is there.
  virtual Question next() = 0;

  tsgu_solver solver;
  Result result;
  Tridiagonals tridiagonals;
};

template <typename T> class Closure final : public ClosureBase {
public:
  /// x: one after the other by shift, `xItem` elements apart.
  Closure(const tsgu_solver &solver, ClosureOptions options, Vectors<const T> b,
          Vectors<T> x, int64_t xItem, const tsgu_executor &executor);

  Question next() override;

private:
  void repeatForShifts();
  void returnSolutions();
  void begin();
  bool present(Question &question);
  void takeAnswer();
  void complete();
  void finish();

  ClosureOptions options;
  tsgu_executor executor;
  Vectors<const T> b;
  Vectors<T> x;
  int64_t xItem;
  Block rightSides, solutions; ///< With shifts: b and x, columns repeated.
  Channel<T> channel;
  std::optional<Refinement<T>> refinement;
  std::optional<LeastSquares<T>> leastSquares;
  std::optional<DampedMatrix<T>> damped;
  VectorOps<T> rowOps;
  Task task;
  enum { Idle, Asked, Done } state = Idle;

  std::vector<int64_t> products; ///< Asked for so far, by column of b.
  Request<T> inner;              ///< What is asked, of all active columns.
  int64_t group = 0;             ///< With fixed columns: which p of them.
  bool grouped = false;
  std::vector<T> fixedIn, fixedOut;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_CLOSURE_H
