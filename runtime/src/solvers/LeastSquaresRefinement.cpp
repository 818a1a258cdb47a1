//===- LeastSquaresRefinement.cpp - Least squares until it is true --------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/LeastSquaresRefinement.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {

//===----------------------------------------------------------------------===//
// Damping and scaling
//===----------------------------------------------------------------------===//

template <typename T>
void DampedMatrix<T>::scaleColumns(std::vector<double> squares) {
  scale.resize(squares.size());
  for (size_t i = 0; i < squares.size(); ++i) {
    const double norm = std::sqrt(squares[i] + damp * damp);
    scale[i] = norm > 0 && std::isfinite(norm) ? static_cast<Real<T>>(1 / norm)
                                               : Real<T>(1);
  }
}

template <typename T>
Request<T> DampedMatrix<T>::inner(const Request<T> &request) {
  Request<T> inner = request;
  inner.sums = nullptr, inner.with = nullptr;
  if (request.ask == Ask::Product && !scale.empty()) {
    const int64_t k = request.columns, bytes = columns * k * sizeof(T);
    if (scaled.bytes() < bytes)
      scaled = Block(bytes);
    T *to = scaled.template as<T>();
    for (int64_t i = 0; i < columns; ++i)
      for (int64_t j = 0; j < k; ++j)
        to[i * k + j] = scale[i] * request.in[i * k + j];
    inner.in = to;
  }
  return inner;
}

template <typename T> void DampedMatrix<T>::finish(const Request<T> &request) {
  const int64_t k = request.columns, count = columns * k;
  const auto factor = static_cast<Real<T>>(damp);
  if (request.ask == Ask::Product) {
    if (damp == 0)
      return;
    const T *in = scale.empty() ? request.in : scaled.template as<T>();
    T *to = request.out + rows * k;
    for (int64_t e = 0; e < count; ++e)
      to[e] = factor * in[e];
    return;
  }
  if (damp != 0) {
    const T *in = request.in + rows * k;
    for (int64_t e = 0; e < count; ++e)
      request.out[e] += factor * in[e];
  }
  if (!scale.empty())
    for (int64_t i = 0; i < columns; ++i)
      for (int64_t j = 0; j < k; ++j)
        request.out[i * k + j] *= scale[i];
}

//===----------------------------------------------------------------------===//
// LeastSquares
//===----------------------------------------------------------------------===//

static constexpr double aim = 0.95;

template <typename T> static int64_t blockBytes(int64_t length, int64_t count) {
  return multiply(multiply(length, count), static_cast<int64_t>(sizeof(T)));
}

template <typename T>
LeastSquares<T>::LeastSquares(const LeastSquaresOptions &options,
                              int64_t totalRows, Vectors<const T> b,
                              Vectors<T> x, const tsgu_executor &executor,
                              Channel<T> &channel)
    : options(options), solver(*options.solver), b(b), x(x), channel(channel),
      progress(solver, b.count), ops(x.length, executor),
      rowOps(totalRows, executor),
      residualMemory(blockBytes<T>(totalRows, b.count)),
      candidateMemory(blockBytes<T>(x.length, b.count)),
      slopeMemory(blockBytes<T>(x.length, b.count)),
      residual(reinterpret_cast<T *>(residualMemory.data())),
      candidate(reinterpret_cast<T *>(candidateMemory.data())),
      slope(reinterpret_cast<T *>(slopeMemory.data())),
      limit(iterationLimit(solver, x.length)) {
  if (this->options.rtols.empty())
    this->options.rtols.assign(static_cast<size_t>(b.count), options.rtol);
  if (this->options.slopeRtols.empty())
    this->options.slopeRtols = this->options.rtols;
}

template <typename T> void LeastSquares<T>::scaleColumns() {
  const auto count = static_cast<size_t>(b.count);
  exponents = scalingExponents(largest(b)), units.assign(count, 1);
  residualGoals.resize(count), slopes.resize(count);
  residualNorms.resize(count), matrixNorms.assign(count, 0);
  consistent.assign(count, 0), cosines.assign(count, 0);
  result.begin(b.count);
  for (int64_t j = 0; j < b.count; ++j) {
    units[j] = std::ldexp(1.0, -exponents[j]);
    ids.push_back(j);
  }
}

/// residual = b - E from; the product is already in it if `from` is not NULL.
template <typename T> Task LeastSquares<T>::computeResidual(T *from) {
  const auto k = static_cast<int64_t>(ids.size());
  ops.columns = rowOps.columns = k;
  if (from) {
    Request<T> request{Ask::Product, from, residual, k, ids.data()};
    co_await typename Channel<T>::Awaiter{channel, request};
  }
  std::vector<PowerOfTwo<Real<T>>> factors;
  for (int64_t id : ids)
    factors.emplace_back(exponents[id]);
  rowOps.cells([=, this, &factors](int64_t i, int64_t j) {
    T value = i < b.length ? factors[j](b.row(i)[ids[j]]) : T{};
    if (from)
      value -= residual[i * k + j];
    residual[i * k + j] = value;
  });
  Request<T> request{Ask::Adjoint, residual, slope, k, ids.data()};
  co_await typename Channel<T>::Awaiter{channel, request};
}

template <typename T>
void LeastSquares<T>::setNorms(Reals &slopeNorms, Reals &norms) {
  slopeNorms.resize(ids.size()), norms.resize(ids.size());
  ops.squares(slope, slopeNorms), rowOps.squares(residual, norms);
  for (size_t slot = 0; slot < ids.size(); ++slot) {
    slopeNorms[slot] = std::sqrt(slopeNorms[slot]);
    norms[slot] = std::sqrt(norms[slot]);
  }
}

template <typename T> bool LeastSquares<T>::isThere(int64_t id) const {
  return residualNorms[id] <= residualGoals[id] ||
         slopes[id] <=
             options.slopeRtols[id] * matrixNorms[id] * residualNorms[id];
}

template <typename T>
void LeastSquares<T>::judge(size_t slot, Exit exit, double before) {
  const int64_t id = ids[slot];
  int64_t &reason = result.reasons[id];
  if (isThere(id)) {
    reason = TSGU_CONVERGED;
    return;
  }
  if (exit != Exit::Goal || progress.stopped) {
    reason = progress.stopped ? int64_t{TSGU_STOPPED} : reasonOf(exit);
    return;
  }
  const bool spent = result.iterations[id] >= limit;
  reason = !(slopes[id] <= before / 2) ? TSGU_STAGNATED
           : spent                     ? TSGU_ITERATION_LIMIT
                                       : 0;
}

template <typename T> Task LeastSquares<T>::cycle() {
  const auto k = static_cast<int64_t>(ids.size());
  Iteration<T> it(solver, rowOps.length, ops.length, ops.executor, channel,
                  progress);
  it.ops.columns = ops.columns = rowOps.columns = k;
  it.ids = ids, it.residual = residual;
  it.matrixNorms = &matrixNorms;
  Reals rtols, units = this->units;
  for (int64_t id : ids) {
    it.start.push_back(residualNorms[id]);
    it.goals.push_back(aim * residualGoals[id]);
    it.attempts.push_back(0);
    it.slopeGoals.push_back(aim * options.slopeRtols[id]);
  }
  it.begin(limit, result.iterations, units);
  co_await lsmr(it);
  ops.columns = k;
  const T *corrections = it.corrections();
  ops.cells([=, this](int64_t i, int64_t j) {
    candidate[i * k + j] = x.row(i)[ids[j]] + corrections[i * k + j];
  });
  const std::vector<Exit> exits = it.outcome();
  it.end();
  co_await computeResidual(candidate);
  Reals slopeNorms, norms;
  setNorms(slopeNorms, norms);
  std::vector<char> accepted(ids.size());
  constexpr double rounding = 1 + 100 * std::numeric_limits<Real<T>>::epsilon();
  for (size_t slot = 0; slot < ids.size(); ++slot) {
    const int64_t id = ids[slot];
    const double before = slopes[id];
    accepted[slot] = norms[slot] <= rounding * residualNorms[id] &&
                     std::isfinite(slopeNorms[slot]);
    if (accepted[slot])
      residualNorms[id] = norms[slot], slopes[id] = slopeNorms[slot];
    judge(slot, exits[slot], before);
    if (!accepted[slot] && result.reasons[id] == 0)
      result.reasons[id] = TSGU_STAGNATED;
  }
  ops.cells([&, this](int64_t i, int64_t j) {
    if (accepted[j])
      x.row(i)[ids[j]] = candidate[i * k + j];
  });
}

template <typename T> void LeastSquares<T>::startFromGuess() {
  const int64_t p = b.count;
  const Reals most = largest(b);
  for (int64_t j = 0; j < p; ++j) {
    const PowerOfTwo<Real<T>> factor(exponents[j] - options.operatorScale);
    for (int64_t i = 0; i < x.length; ++i) {
      T &value = x.row(i)[j];
      value = factor(value);
      // b = 0 has the solution 0, which no goal relative to b could find.
      if (!isFinite(value) || most[j] == 0)
        value = T{};
      candidate[i * p + j] = value;
    }
  }
}

template <typename T> Task LeastSquares<T>::run() {
  scaleColumns();
  ops.columns = rowOps.columns = b.count;
  if (options.guess)
    startFromGuess();
  else
    for (int64_t i = 0; i < x.length; ++i)
      std::fill_n(x.row(i), x.count, T{});
  co_await computeResidual(nullptr);
  Reals slopeNorms, norms;
  setNorms(slopeNorms, norms);
  for (int64_t id : ids)
    residualGoals[id] = std::max(options.rtols[id] * norms[id],
                                 std::ldexp(solver.atol, exponents[id]));
  if (options.guess) {
    co_await computeResidual(candidate);
    setNorms(slopeNorms, norms);
  }
  for (int64_t id : ids) {
    residualNorms[id] = norms[id], slopes[id] = slopeNorms[id];
    progress.set(id, slopes[id] * units[id]);
    if (!std::isfinite(slopes[id]) || !std::isfinite(norms[id]))
      result.reasons[id] = TSGU_NOT_FINITE;
    else if (isThere(id))
      result.reasons[id] = TSGU_CONVERGED;
  }
  if (!progress.tell())
    result.stop(ids);
  for (;;) {
    dropEnded(result, ids, residual, rowOps.length);
    if (ids.empty())
      break;
    co_await cycle();
  }
  co_await returnSolutions();
  finish();
}

/// A component of x as it is returned, or back from there.
template <typename T>
T LeastSquares<T>::scaled(T value, int64_t i, int64_t j, bool back) const {
  const double scale = options.scales.empty() ? 1 : options.scales[i];
  const int exponent = options.operatorScale - exponents[j];
  const PowerOfTwo<double> factor(back ? -exponent : exponent);
  const Wide<T> wide = static_cast<Wide<T>>(value);
  return static_cast<T>(factor(back ? wide / scale : wide * scale));
}

template <typename T> Task LeastSquares<T>::returnSolutions() {
  std::vector<int64_t> lost;
  for (int64_t j = 0; j < b.count; ++j) {
    bool overflow = false, loss = false;
    for (int64_t i = 0; i < x.length; ++i) {
      T &value = x.row(i)[j];
      const T before = std::exchange(value, scaled(value, i, j, false));
      overflow |= !isFinite(value), loss |= isLost(before, value);
    }
    if (overflow)
      result.reasons[j] = TSGU_NOT_FINITE;
    else if (loss)
      lost.push_back(j);
  }
  if (!lost.empty())
    co_await judgeAgain(std::move(lost));
}

/// By the x that is returned: what its type has no room for is gone.
template <typename T>
Task LeastSquares<T>::judgeAgain(std::vector<int64_t> lost) {
  ids = std::move(lost);
  const auto k = static_cast<int64_t>(ids.size());
  ops.columns = k;
  ops.cells([=, this](int64_t i, int64_t j) {
    candidate[i * k + j] = scaled(x.row(i)[ids[j]], i, ids[j], true);
  });
  co_await computeResidual(candidate);
  Reals slopeNorms, norms;
  setNorms(slopeNorms, norms);
  for (int64_t j = 0; j < k; ++j) {
    const int64_t id = ids[j];
    residualNorms[id] = norms[j], slopes[id] = slopeNorms[j];
    if (result.reasons[id] == TSGU_CONVERGED && !isThere(id))
      result.reasons[id] = TSGU_UNDERFLOW;
  }
}

template <typename T> void LeastSquares<T>::finish() {
  for (int64_t j = 0; j < b.count; ++j) {
    consistent[j] = residualNorms[j] <= residualGoals[j];
    const double unit = units[j] * std::ldexp(1.0, -options.operatorScale);
    const double largest = matrixNorms[j] * residualNorms[j];
    const double goal = options.slopeRtols[j] * largest;
    cosines[j] = slopes[j] > 0 ? slopes[j] / largest : 0;
    result.residuals[j] = slopes[j] * unit;
    result.goals[j] =
        unit * (consistent[j]
                    ? std::max(slopes[j], matrixNorms[j] * residualGoals[j])
                    : goal);
    residualNorms[j] *= units[j];
  }
  result.history = std::move(progress.history);
}

#define INSTANTIATE(T)                                                         \
  template class DampedMatrix<T>;                                              \
  template class LeastSquares<T>;
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
