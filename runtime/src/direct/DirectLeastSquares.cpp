//===- DirectLeastSquares.cpp - Least squares by a factorisation ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// x = A^+ b, refined by A^+ (b - A x) until norm(A^H (b - A x)) is what
// rounding leaves of norm(A) (norm(A) norm(x) + norm(b)).
//
//===----------------------------------------------------------------------===//

#include "base/Scratch.h"
#include "direct/PseudoInverse.h"
#include "direct/Residual.h"
#include "solvers/Krylov.h"
#include "solvers/Report.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {
namespace {

/// op(A) and its factors. Of a matrix of size 1: A 2^-exponent.
template <typename T> struct System {
  const Problem &problem;
  const Matrix<T> &A;
  const PseudoInverse<T> &inverse;
  std::vector<Real<T>> ones;

  /// 2^by b, so that the largest component has the size of A; by column.
  std::vector<int> scalesOf(Vectors<const T> b) const {
    std::vector<int> scales;
    for (const double most : largest(b))
      scales.push_back(most > 0 && std::isfinite(most)
                           ? inverse.exponent - std::ilogb(most)
                           : 0);
    return scales;
  }
};

/// Of one column, of a matrix of size 1.
struct Slope {
  double slope = 0;    ///< norm(A^H r), r = b - A x.
  double residual = 0; ///< norm(r).
  double terms = 0;    ///< norm(A) (norm(A) norm(x) + norm(b)).

  double relative() const { return terms > 0 ? slope / terms : 0; }
};

template <typename T> class Panel {
public:
  Panel(const System<T> &system, Mode mode, Vectors<const T> b, Vectors<T> x,
        const tsgu_executor &executor)
      : system(system), mode(mode), b(b), x(x), executor(executor),
        scales(system.scalesOf(b)), rows(b.length * b.count),
        columns(x.length * x.count),
        memory(multiply(2 * rows + 3 * columns, sizeof(T)) +
               multiply(rows + columns, sizeof(Wide<T>))) {
    residual = reinterpret_cast<Wide<T> *>(memory.data());
    slope = residual + rows;
    right = reinterpret_cast<T *>(slope + columns);
    scaled = right + rows;
    solution = scaled + rows, candidate = solution + columns;
    zeros = candidate + columns;
    std::fill_n(zeros, columns, T(0));
  }

  void run(Result &result, int64_t first) {
    for (int64_t i = 0; i < b.length; ++i)
      for (int64_t j = 0; j < b.count; ++j)
        right[i * b.count + j] = times2(b.row(i)[j], scales[j]);
    apply(right, solution);
    std::vector<Slope> slopes = measure(solution);
    std::vector<int64_t> steps(b.count);
    while (needsRefinement(slopes) && refine(slopes, steps))
      ;
    const std::vector<char> lost = finish();
    if (std::count(lost.begin(), lost.end(), 1) > 0)
      slopes = measure(solution);
    for (int64_t j = 0; j < b.count; ++j)
      judge(j, slopes[j], steps[j], lost[j], result, first + j);
  }

private:
  static constexpr double rounding = std::numeric_limits<Real<T>>::epsilon();

  template <typename V> static V times2(V value, int exponent) {
    return PowerOfTwo<Real<V>>(exponent)(value);
  }

  void apply(const T *from, T *to) const {
    system.inverse.apply(mode, {from, b.length, b.count, b.count},
                         {to, x.length, x.count, x.count}, executor);
  }

  std::vector<Slope> measure(const T *of) {
    const Mode adjoint = mode == Mode::N ? Mode::C : Mode::N;
    const int exponent = system.inverse.exponent;
    const double norm = system.inverse.norm;
    std::vector<ResidualNorms> norms, slopeNorms;
    computeResidual(system.A, mode, system.ones, exponent, b.count, right, of,
                    residual, norms, executor);
    for (int64_t e = 0; e < rows; ++e)
      scaled[e] = static_cast<T>(times2(residual[e], -exponent));
    computeResidual(system.A, adjoint, system.ones, exponent, b.count, zeros,
                    scaled, slope, slopeNorms, executor);
    std::vector<double> squares(b.count);
    for (int64_t e = 0; e < columns; ++e)
      squares[e % b.count] += squaredNorm(static_cast<Wide<T>>(of[e]));
    std::vector<Slope> slopes;
    for (int64_t j = 0; j < b.count; ++j)
      slopes.push_back({slopeNorms[j].residual, norms[j].residual,
                        norm * (norm * std::sqrt(squares[j]) + norms[j].b)});
    return slopes;
  }

  static bool needsRefinement(const std::vector<Slope> &slopes) {
    return std::any_of(slopes.begin(), slopes.end(), [](const Slope &of) {
      return of.relative() > smallResidual * rounding;
    });
  }

  /// Whether another step may help.
  bool refine(std::vector<Slope> &slopes, std::vector<int64_t> &steps) {
    std::vector<int> up(b.count);
    for (int64_t j = 0; j < b.count; ++j)
      if (slopes[j].residual > 0 && std::isfinite(slopes[j].residual))
        up[j] = -std::ilogb(slopes[j].residual);
    for (int64_t e = 0; e < rows; ++e)
      scaled[e] = static_cast<T>(times2(residual[e], up[e % b.count]));
    apply(scaled, candidate);
    for (int64_t e = 0; e < columns; ++e)
      candidate[e] = static_cast<T>(
          static_cast<Wide<T>>(solution[e]) +
          times2(static_cast<Wide<T>>(candidate[e]), -up[e % b.count]));
    const std::vector<Slope> found = measure(candidate);
    bool again = false;
    std::vector<char> better(b.count);
    for (int64_t j = 0; j < b.count; ++j) {
      better[j] = found[j].relative() < slopes[j].relative();
      again |= found[j].relative() < slopes[j].relative() / 2;
      if (better[j])
        slopes[j] = found[j], ++steps[j];
    }
    for (int64_t e = 0; e < columns; ++e)
      if (better[e % b.count])
        solution[e] = candidate[e];
    again &= *std::max_element(steps.begin(), steps.end()) < mostSteps;
    if (again)
      measure(solution); // The residual of those that are kept.
    return again;
  }

  /// x in the units of b, and which columns lost digits there.
  std::vector<char> finish() {
    std::vector<char> lost(b.count);
    for (int64_t i = 0; i < x.length; ++i)
      for (int64_t j = 0; j < b.count; ++j) {
        T &kept = solution[i * b.count + j];
        const T value = x.row(i)[j] = times2(kept, -scales[j]);
        if (isLost(kept, value))
          lost[j] = 1, kept = times2(value, scales[j]);
      }
    return lost;
  }

  void judge(int64_t j, const Slope &of, int64_t steps, bool lost,
             Result &result, int64_t at) const {
    const tsgu_solver &solver = *system.problem.solver;
    const int exponent = system.inverse.exponent, scale = scales[j];
    const double norm = system.inverse.norm;
    const double goal =
        std::max({acceptedResidual * rounding * of.terms,
                  std::max(solver.rtol, 0.0) * norm * of.residual,
                  std::ldexp(solver.atol, scale - exponent) * norm});
    bool finite = std::isfinite(of.slope);
    for (int64_t i = 0; i < x.length; ++i)
      finite &= isFinite(x.row(i)[j]);
    result.iterations[at] = steps;
    result.residuals[at] = std::ldexp(of.slope, 2 * exponent - scale);
    result.goals[at] = std::ldexp(goal, 2 * exponent - scale);
    result.reasons[at] = !finite            ? TSGU_NOT_FINITE
                         : of.slope <= goal ? TSGU_CONVERGED
                         : lost             ? TSGU_UNDERFLOW
                                            : TSGU_STAGNATED;
  }

  const System<T> &system;
  Mode mode;
  Vectors<const T> b;
  Vectors<T> x;
  tsgu_executor executor;
  std::vector<int> scales; ///< Columns are multiplied by 2^scales.
  int64_t rows, columns;
  Scratch memory;
  Wide<T> *residual, *slope;
  T *right, *scaled, *solution, *candidate, *zeros;
};

/// x = op(A)^+ b for mode N or C.
template <typename T>
Result minimise(const System<T> &system, Mode mode, Vectors<const T> b,
                Vectors<T> x, const tsgu_executor &executor) {
  Result result;
  result.begin(b.count);
  forPanels(executor, b.count,
            [&](int64_t first, int64_t width, const tsgu_executor &inner) {
              Panel<T>(system, mode,
                       {b.data + first, b.length, width, b.stride},
                       {x.data + first, x.length, width, x.stride}, inner)
                  .run(result, first);
            });
  return result;
}

/// z = (M^H M)^-1 g with M = op(A): w of least norm such that M^H w = g, then M
/// z = w.
template <typename T>
Result solveNormal(const System<T> &system, Mode mode, Vectors<const T> g,
                   Vectors<T> z, const tsgu_executor &executor) {
  if (system.inverse.rank < z.length)
    failRank(system.problem, system.inverse.rank);
  const Mode adjoint = mode == Mode::N ? Mode::C : Mode::N;
  const int64_t length = mode == Mode::N ? system.A.rows() : system.A.columns();
  const Block memory = blockOf<T>(multiply(length, g.count));
  const Vectors<T> w{memory.template as<T>(), length, g.count, g.count};
  const Result first = minimise(system, adjoint, g, w, executor);
  Result result =
      minimise(system, mode, {w.data, length, g.count, g.count}, z, executor);
  for (int64_t j = 0; j < g.count; ++j) {
    result.iterations[j] += first.iterations[j];
    if (first.reasons[j] < 0)
      result.reasons[j] = first.reasons[j];
  }
  return result;
}

template <typename T> void conjugateAll(Vectors<const T> from, Vectors<T> to) {
  for (int64_t i = 0; i < from.length; ++i)
    for (int64_t j = 0; j < from.count; ++j)
      to.row(i)[j] = conjugate(from.row(i)[j]);
}

} // namespace

template <typename T>
void solveByOrthogonalFactors(const Problem &problem, const Matrix<T> &A,
                              Vectors<const T> b, Vectors<T> x,
                              const tsgu_executor &executor) {
  const auto inverse = pseudoInverse(A, executor);
  const System<T> system{
      problem, A, *inverse,
      std::vector<Real<T>>(std::max(A.rows(), A.columns()), 1)};
  // What A^T does to b, A^H does to its conjugate.
  const bool turned = problem.mode == Mode::T;
  const Mode mode = turned ? Mode::C : problem.mode;
  Block memory;
  if (turned && isComplex<T>) {
    memory = blockOf<T>(multiply(b.length, b.count));
    const Vectors<T> copy{memory.template as<T>(), b.length, b.count, b.count};
    conjugateAll(b, copy);
    b = {copy.data, b.length, b.count, b.count};
  }
  Result result = problem.kind == Problem::NormalEquations
                      ? solveNormal(system, mode, b, x, executor)
                      : minimise(system, mode, b, x, executor);
  if (turned && isComplex<T>)
    conjugateAll({x.data, x.length, x.count, x.stride}, x);
  if (problem.solver->report & 4)
    result.factors = {inverse->entries, 0, inverse->bytes(), inverse->rcond,
                      inverse->rank};
  report<T>(problem, A, result);
}

#define INSTANTIATE(T)                                                         \
  template void solveByOrthogonalFactors(const Problem &, const Matrix<T> &,   \
                                         Vectors<const T>, Vectors<T>,         \
                                         const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
