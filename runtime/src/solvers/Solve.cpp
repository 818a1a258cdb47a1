//===- Solve.cpp - One solve, by whatever method --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Solve.h"
#include "base/Callbacks.h"
#include "solvers/Report.h"
#include "triangular/Triangular.h"

#include <cmath>

namespace tsgu::runtime {

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static void checkRange(const char *name, int64_t value, int64_t least,
                       int64_t most) {
  if (value < least || value > most)
    fail(Status::InvalidArgument, "solver: ", name, " is ", value,
         "; it must be between ", least, " and ", most);
}

static void checkReal(const char *name, double value, bool fits,
                      const char *allowed) {
  if (!fits)
    fail(Status::InvalidArgument, "solver: ", name, " is ", value,
         "; it must be ", allowed);
}

void checkSolver(const tsgu_solver &s) {
  constexpr int64_t large = int64_t{1} << 48;
  checkRange("method", s.method, 0, methodCount() - 1);
  checkRange("upper", s.upper, 0, 1);
  checkRange("unit_diagonal", s.unit_diagonal, 0, 1);
  checkRange("preconditioner", s.preconditioner, 0, preconditionerCount() - 1);
  checkRange("block_size", s.block_size, 0, 64);
  checkReal("relaxation", s.relaxation, s.relaxation >= 0 && s.relaxation < 2,
            "between 0 and 2");
  checkReal("rtol", s.rtol, s.rtol < 1, "less than 1");
  checkReal("atol", s.atol, s.atol >= 0 && std::isfinite(s.atol),
            "finite and not negative");
  checkRange("max_iterations", s.max_iterations, 0, large);
  checkRange("restart", s.restart, 0, 1 << 16);
  checkReal("damp", s.damp, s.damp >= 0 && std::isfinite(s.damp),
            "finite and not negative");
  checkRange("scale_columns", s.scale_columns, 0, 1);
  checkRange("on_fail", s.on_fail, TSGU_REPORT, TSGU_IGNORE);
  checkRange("report", s.report, 0, 7);
  checkRange("reserved", s.reserved, 0, 0);
}

static void checkMethod(const Problem &problem) {
  const int64_t method = problem.solver->method;
  auto require = [&](bool fits, const char *solve, const std::string &methods) {
    if (!fits)
      fail(Status::InvalidArgument, "solver: method ", method, " does not do ",
           solve, "; use ", methods);
  };
  switch (problem.kind) {
  case Problem::Triangular:
    return require(method == TSGU_TRIANGULAR, "a triangular solve",
                   "TSGU_TRIANGULAR");
  case Problem::General:
    return require(
        method == TSGU_CALLBACK || methodAt(method).kind != TSGU_OTHER,
        "a solve with a square matrix", squareMethods() + " or CALLBACK");
  case Problem::LeastSquares:
  case Problem::NormalEquations:
    require(isLeastSquares(method) || method == TSGU_CALLBACK, "least squares",
            "TSGU_LSMR, TSGU_QR or TSGU_CALLBACK");
    if (method == TSGU_QR &&
        (problem.solver->damp != 0 || problem.solver->scale_columns != 0))
      fail(Status::InvalidArgument,
           "solver: QR takes no damp and no scale_columns; append the rows "
           "damp I to the matrix, or use LSMR");
  }
}

static void checkSquare(const Problem &problem) {
  const Pattern &pattern = *problem.pattern;
  const bool square =
      problem.kind == Problem::Triangular || problem.kind == Problem::General;
  if (square && pattern.rows() != pattern.columns())
    fail(Status::InvalidArgument, "a solve takes a square matrix, not one of ",
         pattern.rows(), " x ", pattern.columns());
}

//===----------------------------------------------------------------------===//
// Solves
//===----------------------------------------------------------------------===//

void conclude(const tsgu_solver &solver, const tsgu_outcome &outcome) {
  const bool failed = outcome.worst <= 0;
  const tsgu_callbacks table = callbacks();
  if (table.outcome &&
      ((solver.report & 1) || (failed && solver.on_fail == TSGU_REPORT)) &&
      table.outcome(solver.callback, &outcome) != 0)
    fail(Status::CallbackError, "the callback for outcomes failed");
  if (failed && solver.on_fail == TSGU_RAISE)
    fail(Status::NotConverged, outcome.explanation);
}

/// Rows of b and of x: those of op(A), or of its normal equations.
static void lengths(const Problem &problem, int64_t &b, int64_t &x) {
  b = problem.pattern->rows(), x = problem.pattern->columns();
  if (problem.mode != Mode::N)
    std::swap(b, x);
  if (problem.kind == Problem::NormalEquations)
    b = x;
}

template <typename T>
static void solveItem(const Problem &problem, int64_t item,
                      const tsgu_executor &executor) {
  int64_t bLength, xLength;
  lengths(problem, bLength, xLength);
  const Matrix<T> A{problem.pattern, item,
                    static_cast<const T *>(problem.values)};
  const Vectors<const T> b{static_cast<const T *>(problem.b) +
                               item * problem.bItem,
                           bLength, problem.columns, problem.bRow};
  const Vectors<T> x{static_cast<T *>(problem.x) + item * problem.xItem,
                     xLength, problem.columns, problem.xRow};
  if (problem.kind == Problem::Triangular && problem.solver->unit_diagonal)
    requireStrict(*problem.pattern, item, problem.solver->upper != 0);
  if (xLength == 0 || problem.columns == 0)
    return;
  if (isDirect(problem.solver->method))
    return solveDirectly<T>(problem, A, b, x, executor);
  if (problem.solver->method == TSGU_QR)
    return solveByOrthogonalFactors<T>(problem, A, b, x, executor);
  if (problem.kind != Problem::Triangular)
    return solveIteratively<T>(problem, A, b, x, executor);
  const Triangle triangle{problem.solver->upper != 0,
                          problem.solver->unit_diagonal != 0};
  solveTriangle<T>(A, triangle, problem.mode, b, x, executor);
}

//===----------------------------------------------------------------------===//
// Batches
//===----------------------------------------------------------------------===//

void BatchOutcome::begin(int64_t items, int64_t columns) {
  solved.assign(items, 0), iterations.resize(items * columns);
  residuals.resize(items * columns), goals.resize(items * columns);
}

/// Of an item that was solved together with others.
static Result resultOf(const BatchOutcome &outcome, int64_t item,
                       int64_t columns) {
  Result result;
  const auto copy = [&](const auto &from, auto &to) {
    to.assign(from.begin() + item * columns,
              from.begin() + (item + 1) * columns);
  };
  copy(outcome.iterations, result.iterations);
  copy(outcome.residuals, result.residuals), copy(outcome.goals, result.goals);
  result.reasons.assign(columns, TSGU_CONVERGED);
  return result;
}

/// Several at once where that can be; the others follow one another. Items are
/// those of the pattern, or of a batch of values `onOnePattern`.
template <typename T>
static void solveItems(const Problem &problem, int64_t count, bool onOnePattern,
                       const tsgu_executor &executor) {
  BatchOutcome outcome;
  if constexpr (!isComplex<T>)
    if (isDirect(problem.solver->method))
      outcome = solveInLanes<T>(problem, count, executor);
  Problem own = problem;
  for (int64_t item = 0; item < count; ++item) {
    checkInterrupt();
    if (onOnePattern) {
      own.values = static_cast<const T *>(problem.values) +
                   item * problem.pattern->stored();
      own.b = static_cast<const T *>(problem.b) + item * problem.bItem;
      own.x = static_cast<T *>(problem.x) + item * problem.xItem;
    }
    const int64_t place = onOnePattern ? 0 : item; // Among the pattern's.
    const bool solved = !outcome.solved.empty() && outcome.solved[item];
    if (!solved)
      solveItem<T>(own, place, executor);
    else if (problem.solver->report & 1)
      report<T>(own, {own.pattern, place, static_cast<const T *>(own.values)},
                resultOf(outcome, item, problem.columns));
  }
}

static void solveItems(const Problem &problem, int64_t count, bool onOnePattern,
                       const tsgu_executor &executor) {
  checkSolver(*problem.solver);
  checkMethod(problem);
  checkSquare(problem);
  withValueType(problem.type, [&]<typename T>(T) {
    solveItems<T>(problem, count, onOnePattern, executor);
  });
}

void solve(const Problem &problem, const tsgu_executor &executor) {
  solveItems(problem, problem.pattern->items(), false, executor);
}

void solveBatch(const Problem &problem, int64_t count,
                const tsgu_executor &executor) {
  solveItems(problem, count, true, executor);
}

} // namespace tsgu::runtime
