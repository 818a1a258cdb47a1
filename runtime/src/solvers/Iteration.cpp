//===- Iteration.cpp - What a Krylov method sees --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"
#include "base/Callbacks.h"
#include "solvers/Methods.h"
#include "solvers/Solve.h"

#include <cmath>

namespace tsgu::runtime {

//===----------------------------------------------------------------------===//
// Progress and Lanczos matrices
//===----------------------------------------------------------------------===//

Progress::Progress(const tsgu_solver &solver, int64_t columns)
    : solver(solver), norms(static_cast<size_t>(columns)) {
  if ((solver.report & 2) && solver.callback != 0)
    callback = callbacks().progress;
}

bool Progress::tell() {
  if (solver.report & 4)
    history.insert(history.end(), norms.begin(), norms.end());
  if (!callback)
    return true;
  const int32_t answer =
      callback(solver.callback, told++, static_cast<int64_t>(norms.size()),
               norms.data());
  if (answer < 0)
    fail(Status::CallbackError, "the progress callback failed");
  stopped |= answer > 0;
  return !stopped;
}

// Golub, Van Loan, Matrix Computations, 11.3: with CG's step lengths alpha and
// ratios beta, the diagonal is 1 / alpha_k + beta_(k-1) / alpha_(k-1), and
// beside it is sqrt(beta_k) / alpha_k.
void Tridiagonals::add(int64_t column, double alpha, double beta) {
  Column &c = columns[static_cast<size_t>(column)];
  if (!c.diagonal.empty())
    c.offDiagonal.push_back(std::sqrt(c.ratio) / c.step);
  c.diagonal.push_back(1 / alpha + (c.step != 0 ? c.ratio / c.step : 0));
  c.step = alpha, c.ratio = beta;
}

bool haveArrived(const Criteria &criteria,
                 const std::vector<double> &distances) {
  double sum = 0, most = 0;
  for (double distance : distances)
    sum += distance, most = std::max(most, distance);
  return criteria.mean ? sum <= static_cast<double>(distances.size())
                       : most <= 1;
}

//===----------------------------------------------------------------------===//
// Iteration
//===----------------------------------------------------------------------===//

template <typename T> T *Iteration<T>::block(int64_t length) {
  memory.emplace_back(
      multiply(multiply(length, active()), static_cast<int64_t>(sizeof(T))));
  T *data = reinterpret_cast<T *>(memory.back().data());
  blocks.push_back({data, length});
  return data;
}

template <typename T>
void Iteration<T>::begin(int64_t limit, std::vector<int64_t> &counts,
                         const std::vector<double> &units) {
  this->limit = limit, this->counts = &counts, this->units = &units;
  exits.assign(ids.size(), Exit::None);
  exitOfSlot = exits;
  settled.assign(ids.size(), 0);
  slots.resize(ids.size());
  for (size_t j = 0; j < ids.size(); ++j)
    slots[j] = static_cast<int64_t>(j);
  kept = nullptr;
  blocks.push_back({residual, rowOps.length});
  rowOps.columns = ops.columns;
  correction = block();
  T *d = correction;
  ops.each([=](auto e, auto) TSGU_INLINE { at(d, e) = zeroOf(at(d, e)); });
}

template <typename T> void Iteration<T>::end() {
  blocks.clear(), memory.clear();
  realLists.clear(), scalarLists.clear();
}

/// Whether the columns of the solve have ended together.
template <typename T>
bool Iteration<T>::haveEnded(const std::vector<double> &norms) {
  if (!distances)
    return false;
  for (int64_t j = 0; j < active(); ++j)
    if (!settled[j])
      (*distances)[ids[j]] = norms[j] / goals[j];
  return haveArrived(criteria, *distances);
}

template <typename T>
void Iteration<T>::count(const std::vector<double> &norms) {
  const int64_t k = active();
  const int64_t more =
      methodAt(solver.method).products + 1; // And the residual's.
  const bool ended = haveEnded(norms);
  for (int64_t j = 0; j < k; ++j)
    if (!settled[j])
      progress.set(ids[j], norms[j] * (*units)[ids[j]]);
  const bool goOn = progress.tell();
  for (int64_t j = 0; j < k; ++j) {
    if (settled[j])
      continue;
    ++(*counts)[ids[j]];
    if (!std::isfinite(norms[j]))
      leave(j, Exit::NotFinite);
    else if ((*counts)[ids[j]] >= criteria.leastIterations &&
             (ended || norms[j] <= criteria.rest * goals[j]))
      leave(j, norms[j] <= goals[j] || ended ? Exit::Goal : Exit::Rest);
    else if ((*counts)[ids[j]] >= limit || !criteria.allows(ids[j], more))
      leave(j, Exit::Limit);
    if (!goOn)
      leave(j, Exit::Stopped);
    settled[j] = leaving(j);
  }
}

template <typename T>
bool Iteration<T>::next(const std::vector<double> &norms) {
  count(norms);
  for (Exit exit : exits)
    if (exit != Exit::None) {
      retire();
      break;
    }
  return active() > 0;
}

template <typename T> void Iteration<T>::retire() {
  const int64_t k = active();
  const auto began = static_cast<int64_t>(exitOfSlot.size());
  std::vector<int64_t> staying, going;
  for (int64_t j = 0; j < k; ++j) {
    exitOfSlot[slots[j]] = exits[j];
    (exits[j] == Exit::None ? staying : going).push_back(j);
  }
  if (going.empty())
    return;
  if (static_cast<int64_t>(going.size()) < began) {
    if (!kept) {
      memory.emplace_back(multiply(multiply(ops.length, began),
                                   static_cast<int64_t>(sizeof(T))));
      kept = reinterpret_cast<T *>(memory.back().data());
    }
    for (int64_t i = 0; i < ops.length; ++i)
      for (int64_t j : going)
        kept[i * began + slots[j]] = correction[i * k + j];
  }
  compact(staying);
}

template <typename S>
static void keepOnly(std::vector<S> &list,
                     const std::vector<int64_t> &staying) {
  for (size_t to = 0; to < staying.size(); ++to)
    list[to] = list[staying[to]];
  list.resize(staying.size());
}

template <typename T>
void Iteration<T>::compact(const std::vector<int64_t> &staying) {
  const int64_t k = active(), to = static_cast<int64_t>(staying.size());
  if (to > 0)
    for (auto [data, length] : blocks)
      for (int64_t i = 0; i < length; ++i)
        for (int64_t j = 0; j < to; ++j)
          data[i * to + j] = data[i * k + staying[j]];
  for (auto &list : realLists)
    keepOnly(list, staying);
  for (auto &list : scalarLists)
    keepOnly(list, staying);
  keepOnly(goals, staying), keepOnly(start, staying);
  keepOnly(ids, staying), keepOnly(attempts, staying);
  keepOnly(exits, staying), keepOnly(slots, staying);
  keepOnly(settled, staying);
  if (!slopeGoals.empty())
    keepOnly(slopeGoals, staying);
  ops.columns = rowOps.columns = to;
}

#define INSTANTIATE(T) template class Iteration<T>;
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
