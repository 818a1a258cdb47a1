//===- DirectSolve.cpp - Solves by a factorisation ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A solution is refined until its residual is what rounding leaves of
// |A| |x| + |b|: it then solves a matrix that differs from A by roundings, and
// is as accurate as the condition of A allows. Columns go by panels of a fixed
// width, which threads share out.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Scratch.h"
#include "direct/Factorization.h"
#include "direct/Residual.h"
#include "solvers/Report.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tsgu::runtime {
namespace {

/// The solve of some columns, and how they end.
template <typename T> class Panel {
public:
  Panel(const Problem &problem, const Matrix<T> &A,
        const Factorization<T> &factors, Vectors<const T> b, Vectors<T> x,
        const tsgu_executor &executor)
      : solver(*problem.solver), mode(problem.mode), A(A), factors(factors),
        executor(executor), exponent(factors.exponent), b(b), x(x),
        count(multiply(b.length, b.count)),
        memory(multiply(count, 3 * sizeof(T) + 2 * sizeof(Wide<T>))),
        scales(b.count) {
    residual = reinterpret_cast<Wide<T> *>(memory.data());
    newResidual = residual + count;
    scaledRight = reinterpret_cast<T *>(newResidual + count);
    solution = scaledRight + count, candidate = solution + count;
  }

  void run(Result &result, int64_t first) {
    scaleColumns();
    factors.apply(mode, block(right), block(solution), executor);
    measure(solution, residual, norms);
    std::vector<int64_t> steps(b.count);
    while (needsRefinement() && refine(steps))
      ;
    finish();
    for (int64_t j = 0; j < b.count; ++j)
      judge(j, result, first + j, steps[j]);
  }

private:
  template <typename V> Vectors<V> block(V *data) const {
    return {data, b.length, b.count, b.count};
  }

  void scaleColumns() {
    right = b.data;
    if (b.stride != b.count) {
      for (int64_t i = 0; i < b.length; ++i)
        std::copy_n(b.row(i), b.count, scaledRight + i * b.count);
      right = scaledRight;
    }
    const std::vector<double> most = largest(block(right));
    std::vector<PowerOfTwo<Real<T>>> factor;
    for (int64_t j = 0; j < b.count; ++j) {
      const bool usable = most[j] > 0 && std::isfinite(most[j]);
      const int by = usable ? exponent - std::ilogb(most[j]) : 0;
      scales[j] = std::abs(by) <= moderate ? 0 : by;
      factor.emplace_back(scales[j]);
    }
    areScaled = std::any_of(scales.begin(), scales.end(),
                            [](int scale) { return scale != 0; });
    if (!areScaled && x.stride == x.count)
      solution = x.data;
    if (!areScaled)
      return;
    for (int64_t i = 0; i < b.length; ++i)
      for (int64_t j = 0; j < b.count; ++j)
        scaledRight[i * b.count + j] = factor[j](right[i * b.count + j]);
    right = scaledRight;
  }

  void measure(const T *of, Wide<T> *r, std::vector<ResidualNorms> &found) {
    const auto &sizes =
        mode == Mode::N ? factors.rowScale : factors.columnScale;
    computeResidual(A, mode, sizes, exponent, b.count, right, of, r, found,
                    executor);
  }

  static constexpr double rounding = std::numeric_limits<Real<T>>::epsilon();

  bool needsRefinement() const {
    return std::any_of(norms.begin(), norms.end(), [](const auto &of) {
      return of.relative > smallResidual * rounding;
    });
  }

  /// Whether another step may help.
  bool refine(std::vector<int64_t> &steps) {
    std::vector<double> up(b.count);
    for (int64_t j = 0; j < b.count; ++j)
      up[j] = norms[j].residual > 0 && std::isfinite(norms[j].residual)
                  ? std::ldexp(1.0, -std::ilogb(norms[j].residual))
                  : 1;
    // `candidate` is the right-hand side first.
    for (int64_t k = 0; k < count; ++k)
      candidate[k] = static_cast<T>(residual[k] * up[k % b.count]);
    const Scratch corrections(multiply(count, sizeof(T)));
    T *correction = reinterpret_cast<T *>(corrections.data());
    factors.apply(mode, block<const T>(candidate), block<T>(correction),
                  executor);
    for (int64_t k = 0; k < count; ++k)
      candidate[k] =
          static_cast<T>(static_cast<Wide<T>>(solution[k]) +
                         static_cast<Wide<T>>(correction[k]) / up[k % b.count]);
    measure(candidate, newResidual, newNorms);
    bool again = false;
    std::vector<char> better(b.count);
    for (int64_t j = 0; j < b.count; ++j) {
      better[j] = newNorms[j].relative < norms[j].relative;
      again |= newNorms[j].relative < norms[j].relative / 2;
      if (better[j])
        norms[j] = newNorms[j], ++steps[j];
    }
    for (int64_t k = 0; k < count; ++k)
      if (better[k % b.count])
        solution[k] = candidate[k], residual[k] = newResidual[k];
    return again && *std::max_element(steps.begin(), steps.end()) < mostSteps;
  }

  /// x in the units of b, and the residuals of those that lost digits there.
  void finish() {
    std::vector<PowerOfTwo<Real<T>>> factor, back;
    for (int scale : scales)
      factor.emplace_back(-scale), back.emplace_back(scale);
    lost.assign(b.count, 0), overflown.assign(b.count, 0);
    if (solution == x.data)
      return;
    if (!areScaled) {
      for (int64_t i = 0; i < b.length; ++i)
        std::copy_n(solution + i * b.count, b.count, x.row(i));
      return;
    }
    for (int64_t i = 0; i < b.length; ++i)
      for (int64_t j = 0; j < b.count; ++j) {
        const T before = solution[i * b.count + j];
        const T value = x.row(i)[j] = factor[j](before);
        if (scales[j] == 0)
          continue;
        overflown[j] |= !isFinite(value);
        lost[j] |= isLost(before, value);
        solution[i * b.count + j] = back[j](value);
      }
    if (std::count(lost.begin(), lost.end(), 1) > 0)
      measure(solution, residual, norms);
  }

  void judge(int64_t j, Result &result, int64_t at, int64_t steps) const {
    const ResidualNorms &of = norms[j];
    const auto unit = [&](double norm) {
      return std::ldexp(norm, exponent - scales[j]);
    };
    const double goal =
        std::max({std::max(solver.rtol, 0.0) * unit(of.b), solver.atol,
                  acceptedResidual * rounding * unit(of.terms)});
    result.iterations[at] = steps;
    result.residuals[at] = unit(of.residual), result.goals[at] = goal;
    result.reasons[at] = overflown[j] || !std::isfinite(of.residual)
                             ? TSGU_NOT_FINITE
                         : result.residuals[at] <= goal ? TSGU_CONVERGED
                         : lost[j]                      ? TSGU_UNDERFLOW
                                                        : TSGU_STAGNATED;
  }

  const tsgu_solver &solver;
  Mode mode;
  const Matrix<T> &A;
  const Factorization<T> &factors;
  tsgu_executor executor;
  int exponent;
  Vectors<const T> b;
  Vectors<T> x;
  int64_t count;
  Scratch memory;
  T *scaledRight, *solution, *candidate;
  const T *right = nullptr;
  Wide<T> *residual, *newResidual;
  std::vector<int> scales; ///< Columns are multiplied by 2^scales.
  bool areScaled = false;
  std::vector<ResidualNorms> norms, newNorms;
  std::vector<char> lost, overflown;
};

} // namespace

template <typename T>
void solveDirectly(const Problem &problem, const Matrix<T> &A,
                   Vectors<const T> b, Vectors<T> x,
                   const tsgu_executor &executor) {
  const auto factors = factorize(problem.solver->method, A, executor);
  Result result;
  result.begin(b.count);
  forPanels(executor, b.count,
            [&](int64_t first, int64_t width, const tsgu_executor &inner) {
              Panel<T>(problem, A, *factors,
                       {b.data + first, b.length, width, b.stride},
                       {x.data + first, x.length, width, x.stride}, inner)
                  .run(result, first);
            });
  if (problem.solver->report & 4)
    result.factors = {factors->entries(), factors->flops(),
                      factors->bytes(),   reciprocalCondition(A, *factors),
                      A.rows(),           factors->negative()};
  report<T>(problem, A, result);
}

#define INSTANTIATE(T)                                                         \
  template void solveDirectly(const Problem &, const Matrix<T> &,              \
                              Vectors<const T>, Vectors<T>,                    \
                              const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
