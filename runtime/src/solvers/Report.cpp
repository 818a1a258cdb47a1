//===- Report.cpp - How a solve ended, for people -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Report.h"
#include "solvers/Methods.h"
#include "solvers/Product.h"
#include "solvers/Symmetry.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace tsgu::runtime {
namespace {

const char *whatHappened(int64_t reason) {
  switch (reason) {
  case TSGU_ITERATION_LIMIT:
    return "reached its iteration limit";
  case TSGU_BREAKDOWN:
    return "broke down (a division by what is numerically zero)";
  case TSGU_STAGNATED:
    return "stagnated: the residual computed from the solution does not fall "
           "any more";
  case TSGU_INDEFINITE_MATRIX:
    return "found the matrix not positive definite";
  case TSGU_INDEFINITE_PRECONDITIONER:
    return "found the preconditioner not positive definite";
  case TSGU_NOT_FINITE:
    return "met NaN or infinity";
  case TSGU_STOPPED:
    return "was stopped by the progress callback";
  case TSGU_RANK_DEFICIENT:
    return "found the matrix rank deficient";
  case TSGU_CALLABLE_FAILED:
    return "failed";
  case TSGU_UNDERFLOW:
    return "found a solution that is too small for its type, and lost digits "
           "of it";
  default:
    return "did not converge";
  }
}

std::string whatToTry(const tsgu_solver &solver, int64_t reason) {
  const bool preconditioned = solver.preconditioner != TSGU_NO_PRECONDITIONER;
  const bool direct = isDirect(solver.method) || solver.method == TSGU_QR;
  if (direct && reason == TSGU_STAGNATED)
    return "The matrix is so badly conditioned that refinement does not help; "
           "try double precision or, if it is nearly singular, LSMR";
  if (direct && reason == TSGU_NOT_FINITE)
    return "Look for NaN and infinity in the right-hand side; if there are "
           "none, the solution is beyond the range of its type";
  switch (reason) {
  case TSGU_ITERATION_LIMIT:
    return preconditioned || solver.method == TSGU_LSMR
               ? "Try more iterations, a looser tolerance or another "
                 "preconditioner"
               : "Try a preconditioner, more iterations or a looser tolerance";
  case TSGU_BREAKDOWN:
    return solver.method == TSGU_GMRES ? "The matrix may be singular; try LSMR"
                                       : "Try GMRES, or another preconditioner";
  case TSGU_STAGNATED:
    return solver.method == TSGU_GMRES
               ? "Try a longer restart, a preconditioner or a looser "
                 "tolerance; "
                 "if the matrix is singular, LSMR"
               : "Try a looser tolerance, double precision or a "
                 "preconditioner; if the matrix is singular, LSMR";
  case TSGU_INDEFINITE_MATRIX:
    return "Try MINRES if the matrix is Hermitian, BiCGSTAB or GMRES otherwise";
  case TSGU_INDEFINITE_PRECONDITIONER:
    return "Try another preconditioner, or BiCGSTAB or GMRES, which take any";
  case TSGU_NOT_FINITE:
    return "Look for NaN and infinity in the right-hand side; if there are "
           "none, the iteration diverged: the matrix may be singular (try "
           "LSMR), or of a kind that another method is made for";
  case TSGU_UNDERFLOW:
    return "Scale the right-hand side up, or try double precision";
  default:
    return {};
  }
}

} // namespace

std::string explain(const tsgu_solver &solver, const Result &result,
                    const std::string &flaw) {
  const auto columns = static_cast<int64_t>(result.reasons.size());
  int64_t failed = 0, worst = 0;
  double excess = -1;
  for (int64_t j = 0; j < columns; ++j) {
    if (result.reasons[j] > 0)
      continue;
    ++failed;
    double ratio = result.residuals[j] / result.goals[j];
    if (std::isnan(ratio))
      ratio = INFINITY;
    if (ratio > excess)
      excess = ratio, worst = j;
  }
  std::ostringstream text;
  text.precision(3);
  text << methodAt(solver.method).title;
  if (failed == 0) {
    const int64_t most = columns ? *std::max_element(result.iterations.begin(),
                                                     result.iterations.end())
                                 : 0;
    text << " converged after " << most << " iterations";
    return text.str();
  }
  const int64_t reason = result.reasons[worst];
  text << ' ' << whatHappened(reason);
  if (columns > 1)
    text << "; " << failed << " of " << columns
         << " columns did not converge, the worst being column " << worst;
  text << ": residual " << result.residuals[worst] << ", goal "
       << result.goals[worst] << ", after " << result.iterations[worst]
       << " iterations.";
  if (!flaw.empty())
    text << ' ' << flaw << '.';
  else if (const std::string hint = whatToTry(solver, reason); !hint.empty())
    text << ' ' << hint << '.';
  return text.str();
}

tsgu_outcome outcomeOf(const tsgu_solver &solver, Mode mode, int64_t item,
                       const Result &result, const std::string &explanation) {
  tsgu_outcome outcome{};
  outcome.method = solver.method;
  outcome.mode = static_cast<int64_t>(mode);
  outcome.item = item;
  outcome.columns = static_cast<int64_t>(result.reasons.size());
  outcome.worst =
      result.reasons.empty()
          ? int64_t{TSGU_CONVERGED}
          : *std::min_element(result.reasons.begin(), result.reasons.end());
  outcome.reasons = result.reasons.data();
  outcome.iterations = result.iterations.data();
  outcome.residuals = result.residuals.data();
  outcome.goals = result.goals.data();
  if (outcome.columns > 0)
    outcome.history_length =
        static_cast<int64_t>(result.history.size()) / outcome.columns;
  outcome.history = result.history.data();
  outcome.explanation = explanation.c_str();
  outcome.on_fail = solver.on_fail;
  outcome.factor_entries = result.factors.entries;
  outcome.factor_flops = result.factors.flops;
  outcome.factor_bytes = result.factors.bytes;
  outcome.rcond = result.factors.rcond;
  outcome.factor_rank = result.factors.rank;
  outcome.factor_negative = result.factors.negative;
  return outcome;
}

/// What is wrong with the matrix for a method that failed; often nothing.
template <typename T>
static std::string flawOf(const tsgu_solver &solver, const Matrix<T> &A,
                          const Result &result) {
  const auto &reasons = result.reasons;
  if (std::find(reasons.begin(), reasons.end(), TSGU_NOT_FINITE) !=
      reasons.end())
    if (const std::string where = firstNotFinite(A); !where.empty())
      return "The matrix has " + where;
  const Method &method = methodAt(solver.method);
  if (method.kind != TSGU_KRYLOV || method.needs != Method::Hermitian)
    return {};
  const std::string where = asymmetry(A);
  return where.empty() ? where
                       : "The matrix is not Hermitian, as " +
                             std::string(method.title) + " needs it: " + where +
                             ". Try BiCGSTAB or GMRES, which take any matrix";
}

template <typename T>
void report(const Problem &problem, const Matrix<T> &A, const Result &result) {
  const tsgu_solver &solver = *problem.solver;
  const bool failed = std::any_of(result.reasons.begin(), result.reasons.end(),
                                  [](int64_t reason) { return reason <= 0; });
  if (!failed && !(solver.report & 1))
    return;
  const std::string explanation =
      explain(solver, result, failed ? flawOf(solver, A, result) : "");
  conclude(solver,
           outcomeOf(solver, problem.mode, A.item, result, explanation));
}

#define INSTANTIATE(T)                                                         \
  template void report(const Problem &, const Matrix<T> &, const Result &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
