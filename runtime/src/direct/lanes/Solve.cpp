//===- Solve.cpp - Solves with a batch of small matrices ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As DirectSolve.cpp does it for one matrix: solved, and refined until the
// residual is what rounding leaves. Each lane is refined for itself.
//
//===----------------------------------------------------------------------===//

#include "solvers/Solve.h"
#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "direct/Residual.h"
#include "direct/lanes/Factors.h"

#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace tsgu::runtime {

using namespace lanewise;

namespace {

/// Sums of squares of a column, by lanes.
struct Squares {
  Vector<double> residual{}, terms{}, b{}, scaledResidual{}, scaledTerms{};

  ResidualNorms norms(int64_t lane) const {
    return {std::sqrt(residual[lane]), std::sqrt(terms[lane]),
            std::sqrt(b[lane]),
            scaledTerms[lane] == 0 ? 0
                                   : std::sqrt(scaledResidual[lane]) /
                                         std::sqrt(scaledTerms[lane])};
  }
};

/// op(A) of the first item by rows, and where its entries are among A's.
struct RowLists {
  std::vector<int32_t> positions, coordinates, entries;

  RowLists(Pattern &pattern, bool turned) {
    const Layout &layout = turned ? pattern.transposed() : pattern.csr();
    for (int64_t i = 0; i <= pattern.rows(); ++i)
      positions.push_back(static_cast<int32_t>(layout.position(i)));
    for (int64_t e = 0; e < positions.back(); ++e) {
      coordinates.push_back(
          static_cast<int32_t>(layout.at(layout.coordinates, e)));
      entries.push_back(static_cast<int32_t>(layout.permutationOf(e)));
    }
  }
  int64_t rows() const { return static_cast<int64_t>(positions.size()) - 1; }
};

/// r = b - op(A) x, and what it is judged by.
template <typename T>
TSGU_INLINE inline void subtractRows(const RowLists &of, const Vector<T> *A,
                                     const Vector<T> *scale, const Vector<T> *b,
                                     const Vector<T> *x, Vector<double> *r,
                                     Squares &sums) {
  using D = Vector<double>;
  for (int64_t i = 0; i < of.rows(); ++i) {
    D rest, terms, by;
    widen<T>(b[i], rest);
    sums.b += rest * rest;
    terms = rest;
    makePositive<double>(terms);
    for (int32_t e = of.positions[i]; e < of.positions[i + 1]; ++e) {
      D entry, from;
      widen<T>(A[of.entries[e]], entry);
      widen<T>(x[of.coordinates[e]], from);
      from *= entry;
      rest -= from;
      makePositive<double>(from);
      terms += from;
    }
    r[i] = rest;
    sums.residual += rest * rest, sums.terms += terms * terms;
    widen<T>(scale[i], by);
    rest *= by, terms *= by;
    sums.scaledResidual += rest * rest, sums.scaledTerms += terms * terms;
  }
}

/// The solves with the matrices of a group, column by column.
template <typename T> class GroupSolve {
  using V = Vector<T>;
  using D = Vector<double>;

public:
  GroupSolve(const Problem &problem, const Factored<T> &block,
             const RowLists &lists, BatchOutcome &outcome)
      : problem(problem), block(block), lists(lists), outcome(outcome),
        n(lists.rows()), stored(block.items.stored()),
        memory(add(multiply(add(stored, 5 * n), int64_t{sizeof(V)}),
                   multiply(2 * n, int64_t{sizeof(D)}))) {
    r = reinterpret_cast<D *>(memory.data()), newR = r + n;
    A = reinterpret_cast<V *>(newR + n);
    b = A + stored, x = b + n, right = x + n, candidate = right + n;
    own = candidate + n;
  }

  void run(int64_t group) {
    const Batch<T> &items = block.items;
    live = items.live(group), first = block.first + group * width;
    for (int64_t lane = 0; lane < live; ++lane)
      outcome.solved[first + lane] = block.factors->hold(group * width + lane);
    withVectors([&]() TSGU_INLINE {
      interleave<T>(items.valuesOf(group), stored, 1, A);
    });
    for (int64_t column = 0; column < problem.columns; ++column)
      solve(group, column);
  }

private:
  void solve(int64_t group, int64_t column) {
    const LanesAt<const T> from(static_cast<const T *>(problem.b) +
                                    first * problem.bItem + column,
                                problem.bItem, live);
    V most{};
    withVectors([&]() TSGU_INLINE {
      interleave<T>(from, n, problem.bRow, b);
      for (int64_t i = 0; i < n; ++i) {
        V size = b[i];
        makePositive<T>(size);
        keepLarger<T>(most, size);
      }
    });
    block.factors->solve(problem.mode, group, b, x, own);
    measure(group, x, r, norms);
    std::array<int64_t, width> steps{};
    refine(group, steps);
    const LanesAt<T> to(static_cast<T *>(problem.x) + first * problem.xItem +
                            column,
                        problem.xItem, live);
    withVectors([&]()
                    TSGU_INLINE { separate<T>(x, n, live, problem.xRow, to); });
    for (int64_t lane = 0; lane < live; ++lane) {
      const bool usual =
          most[lane] == 0 || (std::isfinite(most[lane]) &&
                              std::abs(std::ilogb(most[lane])) <= moderate);
      judge(lane, column, steps[lane], usual);
    }
  }

  void measure(int64_t group, const V *of, D *rest,
               std::array<ResidualNorms, width> &found) const {
    Squares sums;
    const V *const scale = block.factors->scales(problem.mode, group);
    withVectors([&]() TSGU_INLINE {
      subtractRows<T>(lists, A, scale, b, of, rest, sums);
    });
    for (int64_t lane = 0; lane < width; ++lane)
      found[lane] = sums.norms(lane);
  }

  static constexpr double rounding = std::numeric_limits<T>::epsilon();

  /// Lanes that need it, while it helps.
  void refine(int64_t group, std::array<int64_t, width> &steps) {
    std::array<bool, width> going{};
    for (int64_t lane = 0; lane < live; ++lane)
      going[lane] = norms[lane].relative > smallResidual * rounding;
    std::array<ResidualNorms, width> newNorms;
    while (std::find(going.begin(), going.end(), true) != going.end()) {
      D up;
      for (int64_t lane = 0; lane < width; ++lane) {
        const double size = norms[lane].residual;
        up[lane] = size > 0 && std::isfinite(size)
                       ? std::ldexp(1.0, -std::ilogb(size))
                       : 1;
      }
      for (int64_t i = 0; i < n; ++i)
        right[i] = __builtin_convertvector(r[i] * up, V);
      block.factors->solve(problem.mode, group, right, candidate, own);
      for (int64_t i = 0; i < n; ++i) {
        D sum, more;
        widen<T>(x[i], sum), widen<T>(candidate[i], more);
        candidate[i] = __builtin_convertvector(sum + more / up, V);
      }
      measure(group, candidate, newR, newNorms);
      for (int64_t lane = 0; lane < width; ++lane)
        if (going[lane])
          going[lane] = take(lane, newNorms[lane], steps[lane]);
    }
  }

  /// The candidate of a lane if it is better. Returns whether to go on.
  bool take(int64_t lane, const ResidualNorms &of, int64_t &steps) {
    const double before = norms[lane].relative;
    if (!(of.relative < before))
      return false;
    norms[lane] = of;
    for (int64_t i = 0; i < n; ++i)
      x[i][lane] = candidate[i][lane], r[i][lane] = newR[i][lane];
    return ++steps < mostSteps && of.relative < before / 2 &&
           of.relative > smallResidual * rounding;
  }

  void judge(int64_t lane, int64_t column, int64_t steps, bool usual) {
    const ResidualNorms &of = norms[lane];
    const tsgu_solver &solver = *problem.solver;
    const double goal =
        std::max({std::max(solver.rtol, 0.0) * of.b, solver.atol,
                  acceptedResidual * rounding * of.terms});
    outcome.solved[first + lane] &=
        usual && of.residual <= goal && of.relative <= smallResidual * rounding;
    const int64_t at = (first + lane) * problem.columns + column;
    outcome.iterations[at] = steps;
    outcome.residuals[at] = of.residual, outcome.goals[at] = goal;
  }

  const Problem &problem;
  const Factored<T> &block;
  const RowLists &lists;
  BatchOutcome &outcome;
  const int64_t n, stored;
  int64_t first = 0, live = 0; ///< Items of the group.
  const Scratch memory;
  V *A, *b, *x, *right, *candidate, *own;
  D *r, *newR;
  std::array<ResidualNorms, width> norms;
};

} // namespace

template <typename T>
BatchOutcome solveInLanes(const Problem &problem, int64_t count,
                          const tsgu_executor &executor) {
  BatchOutcome outcome;
  const Batch<T> batch{problem.pattern, static_cast<const T *>(problem.values),
                       count};
  if (batch.rows() == 0 || problem.columns == 0 || count < width)
    return outcome;
  std::optional<RowLists> lists;
  forBlocks(
      problem.solver->method, batch, executor, [&](const Factored<T> &block) {
        if (!lists) {
          lists.emplace(*batch.pattern, problem.mode != Mode::N);
          outcome.begin(count, problem.columns);
        }
        parallelFor(executor, block.items.groups(),
                    [&](int64_t begin, int64_t end) {
                      GroupSolve<T> solve(problem, block, *lists, outcome);
                      for (int64_t group = begin; group < end; ++group) {
                        checkInterrupt();
                        solve.run(group);
                      }
                    });
      });
  return outcome;
}

template BatchOutcome solveInLanes<float>(const Problem &, int64_t,
                                          const tsgu_executor &);
template BatchOutcome solveInLanes<double>(const Problem &, int64_t,
                                           const tsgu_executor &);

} // namespace tsgu::runtime
