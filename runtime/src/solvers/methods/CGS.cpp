//===- CGS.cpp - Conjugate gradients squared ------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sonneveld, CGS, a fast Lanczos-type solver for nonsymmetric linear systems,
// 1989; preconditioned from the right.
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"
#include "solvers/Shadow.h"

namespace tsgu::runtime {
namespace {

/// u = r + beta q, p = u + beta (q + beta p).
template <typename T>
void turn(VectorOps<T> &ops, const std::vector<Wide<T>> &beta, const T *r,
          const T *q, T *u, T *p) {
  const T *b = ops.spread(beta, 0);
  ops.each([=](auto e, auto c) TSGU_INLINE {
    const auto value = at(r, e) + times(at(b, c), at(q, e));
    at(u, e) = value;
    at(p, e) = value + times(at(b, c), at(q, e) + times(at(b, c), at(p, e)));
  });
}

/// q = u - alpha v, u += q.
template <typename T>
void halfStep(VectorOps<T> &ops, const std::vector<Wide<T>> &alpha, const T *v,
              T *q, T *u) {
  const T *a = ops.spread(alpha, 0);
  ops.each([=](auto e, auto c) TSGU_INLINE {
    const auto value = at(u, e) - times(at(a, c), at(v, e));
    at(q, e) = value;
    at(u, e) += value;
  });
}

/// x += alpha u, r -= alpha v; sums: shadow^H r and norm(r)^2.
template <typename T>
void fullStep(VectorOps<T> &ops, const std::vector<Wide<T>> &alpha, const T *u,
              const T *v, const T *shadow, T *x, T *r, Wide<T> *sums) {
  const T *a = ops.spread(alpha, 0);
  ops.template sweep<2>(
      sums, [=](auto e, auto c, auto &rho, auto &square) TSGU_INLINE {
        at(x, e) += times(at(a, c), at(u, e));
        const auto value = at(r, e) - times(at(a, c), at(v, e));
        at(r, e) = value;
        rho += dotTerm(at(shadow, e), value);
        square += squareOf(value);
      });
}

} // namespace

template <typename T> Task cgs(Iteration<T> &it) {
  VectorOps<T> &ops = it.ops;
  T *const r = it.residual, *const x = it.correction;
  T *const p = it.block(), *const q = it.block(), *const u = it.block();
  T *const v = it.block(), *const shadow = it.block();
  T *const hat = it.preconditioned ? it.block() : nullptr;
  std::vector<Wide<T>> &rho = it.scalars(), &alpha = it.scalars(),
                       &beta = it.scalars();
  std::vector<double> &norms = it.reals(), &shadows = it.reals();
  std::vector<Wide<T>> sums(2 * it.ids.size());

  setShadow(it, shadow);
  ops.squares(shadow, shadows);
  ops.dot(shadow, r, rho.data());
  ops.each([=](auto e, auto)
               TSGU_INLINE { at(p, e) = at(q, e) = zeroOf(at(q, e)); });
  for (int64_t j = 0; j < it.active(); ++j)
    if (isOrthogonal<T>(rho[j], shadows[j] * it.start[j] * it.start[j]))
      it.leave(j, Exit::Breakdown);
  it.retire();

  while (it.active() > 0) {
    turn(ops, beta, r, q, u, p);
    if (hat)
      co_await it.precondition(p, hat);
    co_await it.productAndDot(hat ? hat : p, v, shadow, sums.data(), true);
    for (int64_t j = 0; j < it.active(); ++j) {
      const double vv = realOf(sums[it.active() + j]);
      const bool orthogonal = isOrthogonal<T>(sums[j], shadows[j] * vv);
      alpha[j] = orthogonal ? Wide<T>{} : rho[j] / sums[j];
      if (orthogonal)
        it.leave(j, std::isfinite(vv) ? Exit::Breakdown : Exit::NotFinite);
    }
    halfStep(ops, alpha, v, q, u);
    if (hat)
      co_await it.precondition(u, hat);
    co_await it.product(hat ? hat : u, v);
    fullStep(ops, alpha, hat ? hat : u, v, shadow, x, r, sums.data());
    for (int64_t j = 0; j < it.active(); ++j) {
      const double square = realOf(sums[it.active() + j]);
      norms[j] = std::sqrt(square);
      if (norms[j] > it.goals[j] &&
          isOrthogonal<T>(sums[j], shadows[j] * square))
        it.leave(j, Exit::Breakdown);
      beta[j] = it.leaving(j) ? Wide<T>{} : sums[j] / rho[j];
      rho[j] = sums[j];
    }
    it.next(norms);
  }
}

#define INSTANTIATE(T) template Task cgs(Iteration<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
