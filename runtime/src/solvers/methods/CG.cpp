//===- CG.cpp - Conjugate gradients ---------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Hestenes, Stiefel, Methods of conjugate gradients for solving linear systems,
// 1952. x is updated with the next direction: three passes over the vectors.
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {
namespace {

/// r -= alpha q; squares = norm(r)^2.
template <typename T>
void reduceResidual(VectorOps<T> &ops, const std::vector<double> &alpha,
                    const T *q, T *r, Wide<T> *squares) {
  const T *a = ops.spread(alpha, 0);
  ops.template sweep<1>(squares, [=](auto e, auto c, auto &sum) TSGU_INLINE {
    const auto value = at(r, e) - times(at(a, c), at(q, e));
    at(r, e) = value;
    sum += squareOf(value);
  });
}

/// x += alpha p; p = z + beta p.
template <typename T>
void turn(VectorOps<T> &ops, const std::vector<double> &alpha,
          const std::vector<double> &beta, const T *z, T *p, T *x) {
  const T *a = ops.spread(alpha, 0), *b = ops.spread(beta, 1);
  ops.each([=](auto e, auto c) TSGU_INLINE {
    const auto direction = at(p, e);
    at(x, e) += times(at(a, c), direction);
    at(p, e) = at(z, e) + times(at(b, c), direction);
  });
}

/// Whether p^H A p <= 0 is more than rounding errors of a matrix that is only
/// semidefinite.
template <typename T>
bool isSignificant(VectorOps<T> &ops, const T *p, const T *q, int64_t column,
                   double curvature) {
  std::vector<double> pp(ops.columns), qq(ops.columns);
  ops.squares(p, pp), ops.squares(q, qq);
  const double rounding = 10 * std::numeric_limits<Real<T>>::epsilon() *
                          std::sqrt(pp[column]) * std::sqrt(qq[column]);
  return -curvature > rounding || qq[column] == 0;
}

} // namespace

template <typename T> Task conjugateGradients(Iteration<T> &it) {
  VectorOps<T> &ops = it.ops;
  T *const r = it.residual, *const x = it.correction;
  T *const p = it.block(), *const q = it.block();
  T *const z = it.preconditioned ? it.block() : r;
  std::vector<double> &rho = it.reals(), &alpha = it.reals(),
                      &beta = it.reals(), &norms = it.reals(),
                      &first = it.reals();
  std::vector<Wide<T>> &sums = it.scalars();

  // Of products of vectors: what is less is as good as zero.
  auto least = [&](int64_t j) {
    return it.criteria.leastProduct * it.goals[j] * it.goals[j];
  };
  // Lanczos matrices have no part in what is only rounding errors.
  auto isNoise = [&](int64_t j) {
    constexpr double eps = 10 * std::numeric_limits<Real<T>>::epsilon();
    return rho[j] <= eps * eps * first[j];
  };

  if (it.preconditioned)
    co_await it.precondition(r, z);
  ops.dot(r, z, sums.data());
  ops.each([=](auto e, auto) TSGU_INLINE { at(p, e) = at(z, e); });
  for (int64_t j = 0; j < it.active(); ++j) {
    rho[j] = first[j] = realOf(sums[j]), norms[j] = it.start[j];
    if (!(rho[j] > 0))
      it.leave(j, std::isfinite(rho[j]) ? Exit::IndefinitePreconditioner
                                        : Exit::NotFinite);
    else if (rho[j] < least(j))
      it.leave(j, Exit::Breakdown);
  }
  it.retire();

  while (it.active() > 0) {
    co_await it.productAndDot(p, q, p, sums.data());
    for (int64_t j = 0; j < it.active(); ++j) {
      const double curvature = realOf(sums[j]);
      alpha[j] = curvature > 0 ? rho[j] / curvature : 0;
      if (!std::isfinite(curvature))
        it.leave(j, Exit::NotFinite);
      else if (!(curvature > 0))
        it.leave(j, isSignificant(ops, p, q, j, curvature)
                        ? Exit::IndefiniteMatrix
                        : Exit::Breakdown);
      else if (curvature < least(j))
        it.leave(j, Exit::Breakdown);
    }
    reduceResidual(ops, alpha, q, r, sums.data());
    for (int64_t j = 0; j < it.active(); ++j)
      norms[j] = std::sqrt(realOf(sums[j]));
    if (it.preconditioned) {
      co_await it.precondition(r, z);
      ops.dot(r, z, sums.data());
    }
    for (int64_t j = 0; j < it.active(); ++j) {
      const double next = realOf(sums[j]);
      beta[j] = next / rho[j];
      if (!(next > 0) && norms[j] > it.goals[j])
        it.leave(j, Exit::IndefinitePreconditioner);
      if (it.tridiagonals && it.ids[j] < it.tridiagonals->wanted &&
          alpha[j] > 0 && !isNoise(j))
        it.tridiagonals->add(it.ids[j], alpha[j], beta[j]);
      rho[j] = next;
    }
    turn(ops, alpha, beta, z, p, x);
    it.next(norms);
  }
}

#define INSTANTIATE(T) template Task conjugateGradients(Iteration<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
