//===- BiCGSTAB.cpp - Stabilised biconjugate gradients --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// van der Vorst, Bi-CGSTAB, 1992; preconditioned from the right, so that its
// residual is that of the system.
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"
#include "solvers/Shadow.h"

#include <cmath>

namespace tsgu::runtime {
namespace {

/// r -= alpha v; squares = norm(r)^2.
template <typename T>
void halfStep(VectorOps<T> &ops, const std::vector<Wide<T>> &alpha, const T *v,
              T *r, Wide<T> *squares) {
  const T *a = ops.spread(alpha, 0);
  ops.template sweep<1>(squares, [=](auto e, auto c, auto &sum) TSGU_INLINE {
    const auto value = at(r, e) - times(at(a, c), at(v, e));
    at(r, e) = value;
    sum += squareOf(value);
  });
}

/// x += alpha p + omega s, r -= omega t; sums: shadow^H r and norm(r)^2. With
/// a preconditioner, p and s are the preconditioned ones.
template <typename T>
void fullStep(VectorOps<T> &ops, const std::vector<Wide<T>> &alpha,
              const std::vector<Wide<T>> &omega, const T *p, const T *s,
              const T *t, const T *shadow, T *x, T *r, Wide<T> *sums) {
  const T *a = ops.spread(alpha, 0), *w = ops.spread(omega, 1);
  ops.template sweep<2>(
      sums, [=](auto e, auto c, auto &rho, auto &square) TSGU_INLINE {
        at(x, e) += times(at(a, c), at(p, e)) + times(at(w, c), at(s, e));
        const auto value = at(r, e) - times(at(w, c), at(t, e));
        at(r, e) = value;
        rho += dotTerm(at(shadow, e), value);
        square += squareOf(value);
      });
}

/// p = r + beta (p - omega v).
template <typename T>
void turn(VectorOps<T> &ops, const std::vector<Wide<T>> &beta,
          const std::vector<Wide<T>> &omega, const T *r, const T *v, T *p) {
  const T *b = ops.spread(beta, 0), *w = ops.spread(omega, 1);
  ops.each([=](auto e, auto c) TSGU_INLINE {
    at(p, e) = at(r, e) + times(at(b, c), at(p, e) - times(at(w, c), at(v, e)));
  });
}

} // namespace

template <typename T> Task biCGSTAB(Iteration<T> &it) {
  VectorOps<T> &ops = it.ops;
  const bool preconditioned = it.preconditioned;
  T *const r = it.residual, *const x = it.correction;
  T *const p = it.block(), *const v = it.block(), *const t = it.block();
  T *const shadow = it.block();
  T *const pHat = preconditioned ? it.block() : p;
  T *const sHat = preconditioned ? it.block() : r;
  std::vector<Wide<T>> &rho = it.scalars(), &alpha = it.scalars(),
                       &beta = it.scalars(), &omega = it.scalars();
  std::vector<double> &norms = it.reals(), &halves = it.reals(),
                      &shadows = it.reals();
  std::vector<Wide<T>> sums(2 * it.ids.size());

  setShadow(it, shadow);
  ops.squares(shadow, shadows);
  ops.dot(shadow, r, rho.data());
  ops.each([=](auto e, auto) TSGU_INLINE { at(p, e) = at(r, e); });
  for (int64_t j = 0; j < it.active(); ++j)
    if (isOrthogonal<T>(rho[j], shadows[j] * it.start[j] * it.start[j]))
      it.leave(j, Exit::Breakdown);
  it.retire();

  while (it.active() > 0) {
    if (preconditioned)
      co_await it.precondition(p, pHat);
    co_await it.productAndDot(pHat, v, shadow, sums.data(), true);
    for (int64_t j = 0; j < it.active(); ++j) {
      const double vv = realOf(sums[it.active() + j]);
      const bool orthogonal = isOrthogonal<T>(sums[j], shadows[j] * vv);
      alpha[j] = orthogonal ? Wide<T>{} : rho[j] / sums[j];
      if (orthogonal)
        it.leave(j, std::isfinite(vv) ? Exit::Breakdown : Exit::NotFinite);
    }
    halfStep(ops, alpha, v, r, sums.data());
    for (int64_t j = 0; j < it.active(); ++j)
      halves[j] = realOf(sums[j]);
    if (preconditioned)
      co_await it.precondition(r, sHat);
    co_await it.productAndDot(sHat, t, r, sums.data(), true);
    const int64_t k = it.active();
    for (int64_t j = 0; j < k; ++j) {
      const double tt = realOf(sums[k + j]);
      const bool orthogonal = isOrthogonal<T>(sums[j], tt * halves[j]);
      omega[j] = orthogonal ? Wide<T>{} : conjugate(sums[j]) / tt;
      if (orthogonal && std::sqrt(halves[j]) > it.goals[j])
        it.leave(j, std::isfinite(tt) ? Exit::Breakdown : Exit::NotFinite);
    }
    fullStep(ops, alpha, omega, pHat, sHat, t, shadow, x, r, sums.data());
    for (int64_t j = 0; j < k; ++j) {
      const double square = realOf(sums[k + j]);
      norms[j] = std::sqrt(square);
      if (norms[j] > it.goals[j] &&
          isOrthogonal<T>(sums[j], shadows[j] * square))
        it.leave(j, Exit::Breakdown);
      beta[j] =
          it.leaving(j) ? Wide<T>{} : sums[j] / rho[j] * (alpha[j] / omega[j]);
      rho[j] = sums[j];
    }
    if (it.next(norms))
      turn(ops, beta, omega, r, v, p);
  }
}

#define INSTANTIATE(T) template Task biCGSTAB(Iteration<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
