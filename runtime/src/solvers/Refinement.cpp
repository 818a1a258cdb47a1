//===- Refinement.cpp - Iterate until the true residual is there ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Refinement.h"
#include "solvers/Methods.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {
namespace {

/// A method aims a little below the goal, so that rounding errors do not make
/// it begin again for nothing.
constexpr double aim = 0.95;
/// Breakdowns of a column after which it is given up.
constexpr int64_t mostAttempts = 4;

} // namespace

int64_t iterationLimit(const tsgu_solver &solver, int64_t length) {
  constexpr int64_t most = 100000;
  if (solver.max_iterations > 0)
    return solver.max_iterations;
  return length > most / 10 ? most : 10 * length;
}

int64_t reasonOf(Exit exit) {
  switch (exit) {
  case Exit::None:
  case Exit::Goal:
  case Exit::Restart:
  case Exit::Inconsistent:
  case Exit::Rest:
    return TSGU_STAGNATED;
  case Exit::Limit:
    return TSGU_ITERATION_LIMIT;
  case Exit::Breakdown:
    return TSGU_BREAKDOWN;
  case Exit::IndefiniteMatrix:
    return TSGU_INDEFINITE_MATRIX;
  case Exit::IndefinitePreconditioner:
    return TSGU_INDEFINITE_PRECONDITIONER;
  case Exit::NotFinite:
    return TSGU_NOT_FINITE;
  case Exit::Stopped:
    return TSGU_STOPPED;
  }
  return TSGU_BREAKDOWN;
}

template <typename T>
Refinement<T>::Refinement(const RefinementOptions<T> &options, Method method,
                          Vectors<const T> b, Vectors<T> x,
                          const tsgu_executor &executor, Channel<T> &channel)
    : options(options), solver(*options.solver), method(method), b(b), x(x),
      channel(channel), progress(solver, b.count), ops(b.length, executor),
      residualMemory(multiply(multiply(b.length, b.count),
                              static_cast<int64_t>(sizeof(T)))),
      candidateMemory(multiply(multiply(b.length, b.count),
                               static_cast<int64_t>(sizeof(T)))),
      residual(reinterpret_cast<T *>(residualMemory.data())),
      candidate(reinterpret_cast<T *>(candidateMemory.data())) {
  limit = iterationLimit(solver, b.length);
}

//===----------------------------------------------------------------------===//
// Scales and residuals
//===----------------------------------------------------------------------===//

template <typename T> void Refinement<T>::scaleColumns() {
  const auto count = static_cast<size_t>(b.count);
  const double rtol = relativeTolerance<T>(solver);
  exponents = scalingExponents(largest(b));
  attempts.assign(count, 0);
  units.resize(count), norms.resize(count), goals.resize(count);
  result.begin(b.count);
  ids.clear();
  for (int64_t j = 0; j < b.count; ++j) {
    units[j] = std::ldexp(1.0, -exponents[j]);
    ids.push_back(j);
  }
  ops.columns = b.count;
  setResidual(ids, false, residual);
  ops.squares(residual, norms);
  for (int64_t j = 0; j < b.count; ++j) {
    norms[j] = std::sqrt(norms[j]);
    goals[j] = std::max(rtol * norms[j], std::ldexp(solver.atol, exponents[j]));
    result.goals[j] = std::max(rtol * norms[j] * units[j], solver.atol);
  }
}

/// r_j = b_j scaled or, with the product in r, that minus r_j.
template <typename T>
void Refinement<T>::setResidual(const std::vector<int64_t> &ids, bool subtract,
                                T *r) {
  const auto k = static_cast<int64_t>(ids.size());
  ops.columns = k;
  std::vector<PowerOfTwo<Real<T>>> factors;
  for (int64_t id : ids)
    factors.emplace_back(exponents[id]);
  ops.cells([=, this, &ids, &factors](int64_t i, int64_t j) {
    T value = factors[j](b.row(i)[ids[j]]);
    if (subtract)
      value -= r[i * k + j];
    r[i * k + j] = value;
  });
}

template <typename T>
void Refinement<T>::gather(const std::vector<int64_t> &ids, T *to) {
  const auto k = static_cast<int64_t>(ids.size());
  ops.columns = k;
  ops.cells([=, this, &ids](int64_t i, int64_t j) {
    to[i * k + j] = x.row(i)[ids[j]];
  });
}

/// r = b - A candidate of these columns, and its norms.
template <typename T>
Task Refinement<T>::measure(const std::vector<int64_t> &ids, T *r,
                            Reals &found) {
  const auto k = static_cast<int64_t>(ids.size());
  Request<T> request{Ask::Product, candidate, r, k, ids.data()};
  co_await typename Channel<T>::Awaiter{channel, request};
  setResidual(ids, true, r);
  found.resize(ids.size());
  ops.squares(r, found);
  for (double &norm : found)
    norm = std::sqrt(norm);
}

template <typename T> Task Refinement<T>::startFromGuess() {
  const int64_t p = b.count;
  for (int64_t j = 0; j < p; ++j) {
    const PowerOfTwo<Real<T>> factor(exponents[j] - options.operatorScale);
    for (int64_t i = 0; i < x.length; ++i)
      x.row(i)[j] = factor(x.row(i)[j]);
  }
  gather(ids, candidate);
  Reals found;
  co_await measure(ids, residual, found);
  std::vector<char> useless(norms.size());
  for (int64_t j = 0; j < p; ++j) {
    // Zero is the better start, unless the guess will do; it also does away
    // with NaN.
    useless[j] = !(found[j] <= std::max(norms[j], goals[j]));
    if (!useless[j])
      norms[j] = found[j];
  }
  ops.columns = p;
  ops.cells([&, this](int64_t i, int64_t j) {
    if (useless[j]) {
      x.row(i)[j] = T{};
      residual[i * p + j] = PowerOfTwo<Real<T>>(exponents[j])(b.row(i)[j]);
    }
  });
}

//===----------------------------------------------------------------------===//
// Cycles
//===----------------------------------------------------------------------===//

template <typename T> Task Refinement<T>::cycle() {
  const auto k = static_cast<int64_t>(ids.size());
  Iteration<T> it(solver, b.length, b.length, ops.executor, channel, progress);
  it.preconditioned = options.preconditioned;
  it.tridiagonals = options.tridiagonals;
  it.criteria = options.criteria;
  Reals distances;
  if (it.criteria.joint()) {
    for (size_t id = 0; id < norms.size(); ++id)
      distances.push_back(goals[id] > 0 ? norms[id] / (aim * goals[id]) : 0);
    it.distances = &distances;
  }
  it.ops.columns = k, ops.columns = k;
  it.ids = ids, it.residual = residual;
  cycleScales.resize(ids.size());
  Reals powers(ids.size());
  bool rescale = false;
  for (int64_t j = 0; j < k; ++j) {
    const int64_t id = ids[j];
    // Residuals of the first cycle have norms around 1 already.
    const int exponent = -std::ilogb(norms[id]);
    cycleScales[j] = std::abs(exponent) <= 16 ? 0 : exponent;
    rescale |= cycleScales[j] != 0;
    powers[j] = std::ldexp(1.0, cycleScales[j]);
    it.start.push_back(norms[id] * powers[j]);
    it.goals.push_back(goals[id] * powers[j] * aim);
    it.attempts.push_back(attempts[id]);
  }
  if (rescale) {
    const T *factor = ops.spread(powers, 0);
    T *r = residual;
    ops.each([=](auto e, auto c)
                 TSGU_INLINE { at(r, e) = times(at(factor, c), at(r, e)); });
  }
  Reals unitsOfCycle = units;
  for (int64_t j = 0; j < k; ++j)
    unitsOfCycle[ids[j]] /= powers[j];
  it.begin(limit, result.iterations, unitsOfCycle);
  co_await method(it);
  options.tridiagonals = nullptr;

  ops.columns = k;
  propose(it.corrections(), candidate);
  const std::vector<Exit> exits = it.outcome();
  it.end();
  Reals found;
  co_await measure(ids, residual, found);
  std::vector<char> accepted(ids.size());
  const Reals most = largest(Vectors<const T>{candidate, b.length, k, k});
  for (size_t slot = 0; slot < ids.size(); ++slot) {
    const double norm = found[slot];
    // An unknown that no equation has can be infinite all the same.
    accepted[slot] = norm < norms[ids[slot]] && std::isfinite(most[slot]);
    judge(slot, exits[slot], norm, accepted[slot]);
  }
  ops.cells([&, this](int64_t i, int64_t j) {
    if (accepted[j])
      x.row(i)[ids[j]] = candidate[i * k + j];
  });
  if (options.criteria.mean)
    endTogether();
  bool again = false;
  for (size_t slot = 0; slot < ids.size(); ++slot)
    again |= !accepted[slot] && result.reasons[ids[slot]] == 0;
  if (!again)
    co_return;
  // Only after a breakdown: the residual of where the column still is.
  gather(ids, candidate);
  co_await measure(ids, residual, found);
}

/// candidates = x + corrections, without their scales.
template <typename T>
void Refinement<T>::propose(const T *corrections, T *candidates) {
  const auto k = static_cast<int64_t>(ids.size());
  std::vector<PowerOfTwo<Real<T>>> factors;
  for (int exponent : cycleScales)
    factors.emplace_back(-exponent);
  ops.cells([&, this](int64_t i, int64_t j) {
    candidates[i * k + j] =
        x.row(i)[ids[j]] + factors[j](corrections[i * k + j]);
  });
}

template <typename T>
void Refinement<T>::judge(size_t slot, Exit exit, double norm, bool accepted) {
  const int64_t id = ids[slot];
  const double before = norms[id];
  int64_t &reason = result.reasons[id];
  if (accepted)
    norms[id] = norm;
  if (norms[id] <= goals[id]) {
    reason = TSGU_CONVERGED;
    return;
  }
  if (progress.stopped) {
    reason = TSGU_STOPPED;
    return;
  }
  const bool spent = isSpent(id);
  switch (exit) {
  case Exit::None:
  case Exit::Goal:
    reason = norms[id] > before / 2 ? TSGU_STAGNATED
             : spent                ? TSGU_ITERATION_LIMIT
                                    : 0;
    return;
  case Exit::Restart:
    reason = norms[id] > before * (1 - 1e-9) ? TSGU_STAGNATED
             : spent                         ? TSGU_ITERATION_LIMIT
                                             : 0;
    return;
  case Exit::Breakdown:
    reason = ++attempts[id] > mostAttempts ? TSGU_BREAKDOWN
             : spent                       ? TSGU_ITERATION_LIMIT
                                           : 0;
    return;
  default:
    reason = reasonOf(exit);
    return;
  }
}

/// Whether a column has had its iterations or its products.
template <typename T> bool Refinement<T>::isSpent(int64_t id) const {
  return result.iterations[id] >= limit ||
         !options.criteria.allows(id, methodAt(solver.method).products + 1);
}

/// With a mean to be reached: ends all columns where it is.
template <typename T> void Refinement<T>::endTogether() {
  Reals distances;
  for (int64_t j = 0; j < b.count; ++j)
    distances.push_back(goals[j] > 0 ? norms[j] / goals[j] : 0);
  if (!haveArrived(options.criteria, distances))
    return;
  for (int64_t id : ids)
    if (result.reasons[id] == 0 || result.reasons[id] == TSGU_STAGNATED)
      result.reasons[id] = TSGU_CONVERGED;
}

template <typename T> Task Refinement<T>::run() {
  const Criteria &criteria = options.criteria;
  scaleColumns();
  if (options.guess)
    co_await startFromGuess();
  else
    for (int64_t i = 0; i < x.length; ++i)
      std::fill_n(x.row(i), x.count, T{});
  co_await settleAtOnce();
  if (criteria.mean && criteria.leastIterations == 0)
    endTogether();
  if (!progress.tell())
    result.stop(ids);
  for (;;) {
    for (int64_t id : ids)
      if (result.reasons[id] == 0 && isSpent(id))
        result.reasons[id] = TSGU_ITERATION_LIMIT;
    dropEnded(result, ids, residual, b.length);
    if (ids.empty())
      break;
    co_await cycle();
  }
  co_await finish();
}

/// Ends the columns that are there already. Where x is 0, A may have been seen
/// by nobody, and could have NaN: one product tells.
template <typename T> Task Refinement<T>::settleAtOnce() {
  std::vector<int64_t> there;
  for (int64_t id : ids) {
    progress.set(id, norms[id] * units[id]);
    if (!std::isfinite(norms[id]))
      result.reasons[id] = TSGU_NOT_FINITE;
    else if (norms[id] <= goals[id] &&
             (options.criteria.leastIterations == 0 || norms[id] == 0))
      result.reasons[id] = TSGU_CONVERGED, there.push_back(id);
  }
  gather(there, candidate);
  const auto k = static_cast<int64_t>(there.size());
  const Reals most = largest(Vectors<const T>{candidate, b.length, k, k});
  for (int64_t slot = k - 1; slot >= 0; --slot)
    if (most[slot] != 0)
      there.erase(there.begin() + slot);
  if (there.empty())
    co_return;
  gather(there, candidate);
  const Block r = blockOf<T>(multiply(b.length, there.size()));
  Reals found;
  co_await measure(there, r.template as<T>(), found);
  for (size_t slot = 0; slot < there.size(); ++slot)
    if (!std::isfinite(found[slot]))
      result.reasons[there[slot]] = TSGU_NOT_FINITE;
}

/// x in the units of b; residuals in those, too.
template <typename T> Task Refinement<T>::finish() {
  const auto count = static_cast<size_t>(b.count);
  std::vector<PowerOfTwo<Real<T>>> factors;
  bool scaled = false;
  for (size_t j = 0; j < count; ++j) {
    const int exponent = options.operatorScale - exponents[j];
    factors.emplace_back(exponent);
    scaled |= exponent != 0;
    result.residuals[j] = norms[j] * units[j];
  }
  result.history = std::move(progress.history);
  if (!scaled)
    co_return;
  ops.columns = b.count;
  std::vector<std::atomic<bool>> overflows(count), losses(count);
  ops.cells([&, this](int64_t i, int64_t j) {
    T &value = x.row(i)[j];
    const T before = std::exchange(value, factors[j](value));
    if (!isFinite(value))
      overflows[j].store(true, std::memory_order_relaxed);
    if (isLost(before, value))
      losses[j].store(true, std::memory_order_relaxed);
  });
  std::vector<int64_t> lost;
  for (size_t j = 0; j < count; ++j)
    if (overflows[j])
      result.reasons[j] = TSGU_NOT_FINITE;
    else if (losses[j])
      lost.push_back(static_cast<int64_t>(j));
  if (!lost.empty())
    co_await judgeAgain(lost);
}

/// By the x that is returned: what its type has no room for is gone.
template <typename T>
Task Refinement<T>::judgeAgain(const std::vector<int64_t> &ids) {
  const auto k = static_cast<int64_t>(ids.size());
  std::vector<PowerOfTwo<Real<T>>> factors;
  for (int64_t id : ids)
    factors.emplace_back(exponents[id] - options.operatorScale);
  ops.columns = k;
  ops.cells([&, this](int64_t i, int64_t j) {
    candidate[i * k + j] = factors[j](x.row(i)[ids[j]]);
  });
  Reals found;
  co_await measure(ids, residual, found);
  for (int64_t j = 0; j < k; ++j) {
    const int64_t id = ids[j];
    result.residuals[id] = found[j] * units[id];
    if (result.reasons[id] == TSGU_CONVERGED && !(found[j] <= goals[id]))
      result.reasons[id] = TSGU_UNDERFLOW;
  }
}

#define INSTANTIATE(T) template class Refinement<T>;
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
