//===- Closure.cpp - Solves with a matrix that asks -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Closure.h"
#include "solvers/Product.h"

namespace tsgu::runtime {

template <typename T>
Closure<T>::Closure(const tsgu_solver &given, ClosureOptions givenOptions,
                    Vectors<const T> b, Vectors<T> x, int64_t xItem,
                    const tsgu_executor &executor)
    : options(std::move(givenOptions)), executor(executor), b(b), x(x),
      xItem(xItem), rowOps(b.length, executor) {
  solver = given;
  if (!options.shifts.empty())
    repeatForShifts();
  if (solver.method == TSGU_LSMR) {
    damped.emplace(b.length, x.length, solver.damp, executor);
    LeastSquaresOptions leastSquaresOptions;
    leastSquaresOptions.solver = &solver;
    leastSquaresOptions.guess = options.guess;
    leastSquaresOptions.rtol = relativeTolerance<T>(solver);
    leastSquares.emplace(leastSquaresOptions, damped->totalRows(), this->b, x,
                         executor, channel);
    task = leastSquares->run();
    return;
  }
  RefinementOptions<T> refinementOptions;
  refinementOptions.solver = &solver;
  refinementOptions.guess = options.guess;
  refinementOptions.preconditioned = options.preconditioned;
  products.assign(static_cast<size_t>(this->b.count), 0);
  refinementOptions.criteria = options.criteria;
  refinementOptions.criteria.products = &products;
  if (options.tridiagonals > 0) {
    tridiagonals.wanted = options.tridiagonals;
    tridiagonals.columns.resize(static_cast<size_t>(options.tridiagonals));
    refinementOptions.tridiagonals = &tridiagonals;
  }
  const int64_t count = this->b.count;
  const Vectors<T> left =
      options.shifts.empty()
          ? x
          : Vectors<T>{solutions.template as<T>(), x.length, count, count};
  refinement.emplace(refinementOptions, methodOf<T>(solver.method), this->b,
                     left, executor, channel);
  task = refinement->run();
}

//===----------------------------------------------------------------------===//
// Shifts: column s * p + j is column j with shift s
//===----------------------------------------------------------------------===//

template <typename T> void Closure<T>::repeatForShifts() {
  const auto shifts = static_cast<int64_t>(options.shifts.size());
  const int64_t n = b.length, p = b.count, count = multiply(shifts, p);
  rightSides = blockOf<T>(multiply(n, count));
  solutions = blockOf<T>(multiply(n, count));
  T *right = rightSides.template as<T>(), *left = solutions.template as<T>();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t s = 0; s < shifts; ++s)
      for (int64_t j = 0; j < p; ++j) {
        right[i * count + s * p + j] = b.row(i)[j];
        if (options.guess)
          left[i * count + s * p + j] = x.data[s * xItem + i * x.stride + j];
      }
  b = {right, n, count, count};
}

template <typename T> void Closure<T>::returnSolutions() {
  const int64_t p = x.count, count = b.count;
  const T *from = solutions.template as<T>();
  for (int64_t i = 0; i < x.length; ++i)
    for (int64_t c = 0; c < count; ++c)
      x.data[c / p * xItem + i * x.stride + c % p] = from[i * count + c];
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

template <typename T> Question Closure<T>::next() {
  Question question;
  if (state == Done)
    return question;
  if (state == Idle) {
    task.start();
  } else {
    takeAnswer();
    if (present(question))
      return question;
    complete();
    channel.resume();
  }
  if (task.done()) {
    finish();
    return {};
  }
  begin();
  present(question);
  return question;
}

template <typename T> void Closure<T>::begin() {
  state = Asked, group = 0;
  inner = damped ? damped->inner(channel.request) : channel.request;
  if (inner.ask == Ask::Product && !products.empty())
    for (int64_t j = 0; j < inner.columns; ++j)
      ++products[inner.ids[j]];
  grouped = options.fixedColumns;
}

/// Of [., columns] blocks with fixed columns: where column `id` of all is, or
/// -1 if it is not in this group.
static int64_t placeIn(int64_t group, int64_t id, int64_t columns) {
  return id / columns == group ? id % columns : -1;
}

/// False: all columns have been asked for.
template <typename T> bool Closure<T>::present(Question &question) {
  const bool adjoint = inner.ask == Ask::Adjoint;
  const int64_t m = b.length, n = x.length;
  question.ask = inner.ask;
  question.inLength = adjoint ? m : n, question.outLength = adjoint ? n : m;
  if (!grouped) {
    if (group++ > 0)
      return false;
    question.in = inner.in, question.out = inner.out;
    question.columns = inner.columns;
    return true;
  }
  const int64_t p = x.count, k = inner.columns, groups = b.count / p;
  auto inGroup = [&](int64_t j) {
    return placeIn(group, inner.ids[j], p) >= 0;
  };
  for (; group < groups; ++group) {
    bool any = false;
    for (int64_t j = 0; j < k; ++j)
      any |= inGroup(j);
    if (!any)
      continue;
    fixedIn.assign(static_cast<size_t>(question.inLength * p), T{});
    fixedOut.assign(static_cast<size_t>(question.outLength * p), T{});
    for (int64_t j = 0; j < k; ++j)
      if (const int64_t to = placeIn(group, inner.ids[j], p); to >= 0)
        for (int64_t i = 0; i < question.inLength; ++i)
          fixedIn[i * p + to] = inner.in[i * k + j];
    question.in = fixedIn.data(), question.out = fixedOut.data();
    question.columns = p;
    return true;
  }
  return false;
}

template <typename T> void Closure<T>::takeAnswer() {
  if (!grouped)
    return;
  const int64_t p = x.count, k = inner.columns;
  const int64_t length = inner.ask == Ask::Adjoint ? x.length : b.length;
  for (int64_t j = 0; j < k; ++j)
    if (const int64_t from = placeIn(group, inner.ids[j], p); from >= 0)
      for (int64_t i = 0; i < length; ++i)
        inner.out[i * k + j] = fixedOut[i * p + from];
  ++group;
}

/// Makes what was asked of what was answered.
template <typename T> void Closure<T>::complete() {
  const Request<T> &request = channel.request;
  if (damped)
    damped->finish(request);
  if (request.ask == Ask::Product && !options.shifts.empty()) {
    const int64_t k = request.columns, p = x.count;
    std::vector<Real<T>> shifts;
    for (int64_t j = 0; j < k; ++j)
      shifts.push_back(
          static_cast<Real<T>>(options.shifts[request.ids[j] / p]));
    const auto factor = static_cast<Real<T>>(options.factor);
    rowOps.columns = k;
    rowOps.cells([&](int64_t i, int64_t j) {
      const int64_t e = i * k + j;
      request.out[e] = factor * request.out[e] + shifts[j] * request.in[e];
    });
  }
  makeSums(rowOps, request);
}

template <typename T> void Closure<T>::finish() {
  state = Done;
  task.finish();
  result = std::move(leastSquares ? leastSquares->result : refinement->result);
  if (!options.shifts.empty())
    returnSolutions();
  refinement.reset(), leastSquares.reset();
}

#define INSTANTIATE(T) template class Closure<T>;
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
