//===- LeastSquares.cpp - Least squares with one matrix -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "solvers/Krylov.h"
#include "solvers/LeastSquaresRefinement.h"
#include "solvers/Product.h"
#include "solvers/Report.h"

#include <cmath>

namespace tsgu::runtime {
namespace {

/// Squared norms of the columns of op(A) 2^exponent.
template <typename T>
std::vector<double> columnSquares(const Matrix<T> &A, Mode mode, int exponent) {
  const Layout &csr = A.pattern->csr();
  std::vector<double> squares(mode == Mode::N ? A.columns() : A.rows());
  const PowerOfTwo<double> factor(exponent);
  auto add = [&](auto index) {
    const auto *coordinates =
        static_cast<const decltype(index) *>(csr.coordinates);
    for (int64_t i = 0; i < A.rows(); ++i)
      for (int64_t e = csr.position(A.firstRow() + i);
           e < csr.position(A.firstRow() + i + 1); ++e) {
        const double size = factor(std::abs(static_cast<Wide<T>>(A.values[e])));
        squares[mode == Mode::N ? coordinates[e] : i] += size * size;
      }
  };
  csr.indexType == ElementType::I32 ? add(int32_t{}) : add(int64_t{});
  return squares;
}

/// E, or its adjoint, in place of A.
template <typename T> struct System {
  Product<T> product;
  DampedMatrix<T> damped;

  System(const Matrix<T> &A, Mode mode, const tsgu_solver &solver,
         const tsgu_executor &executor)
      : product(A, mode, executor),
        damped(product.rows(), product.columns(),
               std::ldexp(solver.damp, product.exponent()), executor) {
    if (solver.scale_columns)
      damped.scaleColumns(columnSquares(A, mode, product.exponent()));
  }

  /// Of unknown i.
  Real<T> scale(int64_t i) const {
    return damped.scales().empty() ? Real<T>(1) : damped.scales()[i];
  }

  std::vector<double> scales() const {
    return {damped.scales().begin(), damped.scales().end()};
  }

  void serve(const Request<T> &request) {
    product.serve(damped.inner(request));
    damped.finish(request);
  }
};

template <typename T>
void run(LeastSquares<T> &leastSquares, System<T> &system, Channel<T> &channel,
         bool adjoint) {
  Task task = leastSquares.run();
  for (task.start(); !task.done(); channel.resume()) {
    checkInterrupt();
    Request<T> request = channel.request;
    if (adjoint)
      request.ask = request.ask == Ask::Product ? Ask::Adjoint : Ask::Product;
    system.serve(request);
  }
  task.finish();
}

} // namespace

template <typename T>
void solveLeastSquares(const Problem &problem, const Matrix<T> &A,
                       Vectors<const T> b, Vectors<T> x,
                       const tsgu_executor &executor) {
  const tsgu_solver &solver = *problem.solver;
  System<T> system(A, problem.mode, solver, executor);
  LeastSquaresOptions options;
  options.solver = &solver;
  options.guess = problem.guess;
  options.operatorScale = system.product.exponent();
  options.rtol = relativeTolerance<T>(solver);
  options.scales = system.scales();
  if (solver.scale_columns && problem.guess)
    for (int64_t i = 0; i < x.length; ++i)
      for (int64_t j = 0; j < x.count; ++j)
        x.row(i)[j] /= system.scale(i);
  Channel<T> channel;
  LeastSquares<T> leastSquares(options, system.damped.totalRows(), b, x,
                               executor, channel);
  run(leastSquares, system, channel, false);
  report<T>(problem, A, leastSquares.result);
}

//===----------------------------------------------------------------------===//
// Normal equations
//===----------------------------------------------------------------------===//

void failRank(const Problem &problem, int64_t rank) {
  const char *vectors = problem.mode == Mode::N ? "columns" : "rows";
  fail(Status::Singular,
       "the gradient of a least-squares solution needs a matrix whose ",
       vectors, " are independent, or damping; this one, ",
       problem.pattern->rows(), " x ", problem.pattern->columns(),
       ", is rank deficient",
       rank < 0 ? "" : ", of rank " + std::to_string(rank),
       ": give damp > 0, or leave out ", vectors, " that depend on others");
}

namespace {

/// What gradients are solved to.
template <typename T>
constexpr double tight = std::is_same_v<Real<T>, float> ? 1e-5 : 1e-10;

/// The right-hand sides D g and, last, one that has a part in every direction:
/// it cannot be reached unless every one can.
template <typename T>
void addProbe(const System<T> &system, Vectors<const T> g, T *to) {
  const int64_t p = g.count + 1;
  uint64_t state = 0x2545f4914f6cdd1du;
  for (int64_t i = 0; i < g.length; ++i) {
    for (int64_t j = 0; j < g.count; ++j)
      to[i * p + j] = system.scale(i) * g.row(i)[j];
    state = state * 6364136223846793005u + 1442695040888963407u;
    to[i * p + g.count] =
        T(static_cast<Real<T>>(static_cast<int64_t>(state) >> 11) *
          static_cast<Real<T>>(0x1p-52));
  }
}

template <typename T>
void scaleRows(const System<T> &system, Vectors<const T> from, Vectors<T> to) {
  for (int64_t i = 0; i < from.length; ++i)
    for (int64_t j = 0; j < from.count; ++j)
      to.row(i)[j] = system.scale(i) * from.row(i)[j];
}

/// Raises where a column could not be reached, whatever the solver says about
/// failures.
template <typename T>
void checkRank(const Problem &problem, const Matrix<T> &A,
               const LeastSquares<T> &first) {
  for (size_t j = 0; j < first.consistent.size(); ++j) {
    if (first.consistent[j] || !(first.cosines[j] <= 10 * tight<T>))
      continue;
    Result result = first.result;
    const auto p = static_cast<size_t>(problem.columns);
    for (auto *list : {&result.residuals, &result.goals})
      list->resize(p);
    result.history.clear();
    result.iterations.resize(p);
    result.reasons.assign(p, TSGU_RANK_DEFICIENT);
    tsgu_solver quiet = *problem.solver;
    quiet.on_fail = TSGU_IGNORE;
    const std::string text = explain(quiet, result, {});
    conclude(quiet, outcomeOf(quiet, problem.mode, A.item, result, text));
    failRank(problem);
  }
}

} // namespace

// With w of least norm such that E^H w = D g, z / D is the solution of E z = w:
// two least-squares problems with the condition of E, not that of E^H E.
template <typename T>
void solveNormalEquations(const Problem &problem, const Matrix<T> &A,
                          Vectors<const T> g, Vectors<T> z,
                          const tsgu_executor &executor) {
  tsgu_solver solver = *problem.solver;
  const double rtol =
      solver.rtol >= 0 ? std::min(solver.rtol, tight<T>) : tight<T>;
  solver.atol = 0, solver.report &= ~int64_t{2 | 4};
  System<T> system(A, problem.mode, solver, executor);
  const int64_t n = system.product.columns();
  const int64_t total = system.damped.totalRows(), p = g.count;
  const bool probe = solver.damp == 0;
  if (probe && system.product.rows() < n)
    failRank(problem);

  const int64_t count = probe ? p + 1 : p;
  const bool copied = probe || solver.scale_columns;
  const Block gBlock = blockOf<T>(copied ? multiply(n, count) : 0);
  const Block wBlock = blockOf<T>(multiply(total, count));
  Vectors<const T> right = g;
  if (copied) {
    T *to = gBlock.template as<T>();
    if (probe)
      addProbe(system, g, to);
    else
      scaleRows(system, g, {to, n, p, p});
    right = {to, n, count, count};
  }
  const Vectors<T> w{wBlock.template as<T>(), total, count, count};
  Channel<T> channel;
  LeastSquaresOptions options;
  options.solver = &solver;
  options.operatorScale = system.product.exponent();
  options.rtols.assign(static_cast<size_t>(p), rtol);
  options.slopeRtols.assign(static_cast<size_t>(count), rtol);
  if (probe)
    options.rtols.push_back(
        std::min(1e-3, 0.01 / std::sqrt(static_cast<double>(n))));
  LeastSquares<T> first(options, n, right, w, executor, channel);
  run(first, system, channel, true);
  checkRank(problem, A, first);

  options.rtols.assign(static_cast<size_t>(p), rtol);
  options.slopeRtols.clear();
  options.scales = system.scales();
  LeastSquares<T> second(options, total, {w.data, total, p, count}, z, executor,
                         channel);
  run(second, system, channel, false);
  Result result = second.result;
  for (int64_t j = 0; j < p; ++j) {
    result.iterations[j] += first.result.iterations[j];
    if (first.result.reasons[j] < 0)
      result.reasons[j] = first.result.reasons[j];
  }
  report<T>(problem, A, result);
}

#define INSTANTIATE(T)                                                         \
  template void solveLeastSquares(const Problem &, const Matrix<T> &,          \
                                  Vectors<const T>, Vectors<T>,                \
                                  const tsgu_executor &);                      \
  template void solveNormalEquations(const Problem &, const Matrix<T> &,       \
                                     Vectors<const T>, Vectors<T>,             \
                                     const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
