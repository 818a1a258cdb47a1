//===- MINRES.cpp - Minimal residuals of Hermitian matrices ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Paige, Saunders, Solution of sparse indefinite systems of linear equations,
// 1975. The Lanczos vectors are kept unnormalised: v_k = u_k / beta_k, with a
// preconditioner z_k / beta_k where z_k = M^-1 u_k.
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {
namespace {

/// The QR factorisation of the Lanczos matrices of all columns, by reflections.
template <typename T> struct Reflections {
  std::vector<double> &beta, &betaBefore, &alpha;
  std::vector<double> &cosine, &sine, &dBar, &epsilon, &phiBar, &size;
  // Of the current step.
  std::vector<double> &delta, &epsilonBefore, &gamma, &phi;

  explicit Reflections(Iteration<T> &it)
      : beta(it.reals()), betaBefore(it.reals()), alpha(it.reals()),
        cosine(it.reals()), sine(it.reals()), dBar(it.reals()),
        epsilon(it.reals()), phiBar(it.reals()), size(it.reals()),
        delta(it.reals()), epsilonBefore(it.reals()), gamma(it.reals()),
        phi(it.reals()) {}

  /// Column j, with alpha and the next beta. What remains of a column when the
  /// reflection is over nothing cannot be made smaller.
  Exit advance(int64_t j, double next) {
    const double eps = std::numeric_limits<Real<T>>::epsilon();
    epsilonBefore[j] = epsilon[j];
    delta[j] = cosine[j] * dBar[j] + sine[j] * alpha[j];
    const double gammaBar = sine[j] * dBar[j] - cosine[j] * alpha[j];
    epsilon[j] = sine[j] * next;
    dBar[j] = -cosine[j] * next;
    size[j] = std::hypot(std::hypot(size[j], alpha[j]), next);
    // norm(A r) / norm(r) of the residual before this step.
    const double slope = std::hypot(gammaBar, dBar[j]);
    gamma[j] = std::hypot(gammaBar, next);
    if (slope <= 10 * eps * size[j] || gamma[j] <= eps * size[j]) {
      phi[j] = 0;
      return Exit::Inconsistent;
    }
    cosine[j] = gammaBar / gamma[j], sine[j] = next / gamma[j];
    phi[j] = cosine[j] * phiBar[j], phiBar[j] *= sine[j];
    return Exit::None;
  }
};

double inverse(double x) { return x > 0 ? 1 / x : 0; }

/// before = (y - alpha v - beta vBefore), the next u; squares of it.
template <typename T>
void nextLanczos(Iteration<T> &it, const Reflections<T> &q, const T *y,
                 const T *u, T *before, Wide<T> *squares) {
  VectorOps<T> &ops = it.ops;
  const int64_t k = it.active();
  std::vector<double> first(k), second(k), third(k);
  for (int64_t j = 0; j < k; ++j) {
    first[j] = inverse(q.beta[j]);
    second[j] = -q.alpha[j] * first[j];
    third[j] = -q.beta[j] * inverse(q.betaBefore[j]);
  }
  const T *a = ops.spread(first, 0), *b = ops.spread(second, 1),
          *c = ops.spread(third, 2);
  ops.template sweep<1>(squares, [=](auto e, auto j, auto &sum) TSGU_INLINE {
    const auto value = times(at(a, j), at(y, e)) + times(at(b, j), at(u, e)) +
                       times(at(c, j), at(before, e));
    at(before, e) = value;
    sum += squareOf(value);
  });
}

/// x += pending w, the step of the iteration before, and the next direction
/// wBefore = (v - epsilon wBefore - delta w) / gamma; squares of it.
template <typename T>
void step(Iteration<T> &it, const Reflections<T> &q,
          const std::vector<double> &pending, const T *z, const T *w,
          T *wBefore, T *x, Wide<T> *squares) {
  VectorOps<T> &ops = it.ops;
  const int64_t k = it.active();
  std::vector<double> first(k), second(k), third(k);
  for (int64_t j = 0; j < k; ++j) {
    const double scale = inverse(q.gamma[j]);
    first[j] = scale * inverse(q.beta[j]);
    second[j] = -scale * q.epsilonBefore[j];
    third[j] = -scale * q.delta[j];
  }
  const T *a = ops.spread(first, 0), *b = ops.spread(second, 1),
          *c = ops.spread(third, 2), *f = ops.spread(pending, 3);
  ops.template sweep<1>(squares, [=](auto e, auto j, auto &sum) TSGU_INLINE {
    const auto value = times(at(a, j), at(z, e)) +
                       times(at(b, j), at(wBefore, e)) +
                       times(at(c, j), at(w, e));
    at(x, e) += times(at(f, j), at(w, e));
    at(wBefore, e) = value;
    sum += squareOf(value);
  });
}

/// A step whose rounding errors are too large a part of the residual that it
/// starts from: of a singular matrix, or of one that is nearly. A column begins
/// again without it; if one is needed then too, it is taken.
template <typename T>
bool isTooLong(const Reflections<T> &q, int64_t j, double length,
               double residual, int64_t attempts) {
  const double eps = std::numeric_limits<Real<T>>::epsilon();
  const double part = attempts == 0 ? 64 * std::sqrt(eps) : 0.1;
  return std::abs(q.phi[j]) * length * q.size[j] * eps > part * residual;
}

/// Steps wait until the next direction is made, unless a column leaves.
template <typename T>
void retire(Iteration<T> &it, std::vector<double> &pending, const T *w, T *x) {
  bool any = false;
  for (int64_t j = 0; j < it.active(); ++j)
    any |= it.leaving(j);
  if (!any)
    return;
  const T *f = it.ops.spread(pending, 0);
  it.ops.each([=](auto e, auto j)
                  TSGU_INLINE { at(x, e) += times(at(f, j), at(w, e)); });
  std::fill(pending.begin(), pending.end(), 0);
  it.retire();
}

/// r = sine^2 r - phiBar cosine v, the residual itself, whose norm is not
/// phiBar where there is a preconditioner.
template <typename T>
void followResidual(Iteration<T> &it, const Reflections<T> &q,
                    const std::vector<double> &next, const T *u, T *r,
                    Wide<T> *squares) {
  VectorOps<T> &ops = it.ops;
  const int64_t k = it.active();
  std::vector<double> first(k), second(k);
  for (int64_t j = 0; j < k; ++j) {
    first[j] = q.sine[j] * q.sine[j];
    second[j] = -q.phiBar[j] * q.cosine[j] * inverse(next[j]);
  }
  const T *a = ops.spread(first, 0), *b = ops.spread(second, 1);
  ops.template sweep<1>(squares, [=](auto e, auto j, auto &sum) TSGU_INLINE {
    const auto value = times(at(a, j), at(r, e)) + times(at(b, j), at(u, e));
    at(r, e) = value;
    sum += squareOf(value);
  });
}

/// sqrt(u^H z), or the column leaves.
template <typename T>
double lanczosNorm(Iteration<T> &it, int64_t j, Wide<T> product) {
  const double square = realOf(product);
  if (square >= 0)
    return std::sqrt(square);
  it.leave(j, std::isfinite(square) ? Exit::IndefinitePreconditioner
                                    : Exit::NotFinite);
  return 0;
}

} // namespace

template <typename T> Task minres(Iteration<T> &it) {
  VectorOps<T> &ops = it.ops;
  const bool preconditioned = it.preconditioned;
  T *const x = it.correction, *const y = it.block();
  // Without a preconditioner the residual is the first Lanczos vector.
  T *const r = it.residual;
  T *u = preconditioned ? it.block() : r, *before = it.block();
  T *z = preconditioned ? it.block() : nullptr;
  T *zNext = preconditioned ? it.block() : nullptr;
  T *w = it.block(), *wBefore = it.block();
  Reflections<T> q(it);
  std::vector<double> &next = it.reals(), &norms = it.reals(),
                      &pending = it.reals();
  std::vector<Wide<T>> &sums = it.scalars();

  ops.each([=](auto e, auto) TSGU_INLINE {
    at(before, e) = at(w, e) = at(wBefore, e) = zeroOf(at(w, e));
    at(u, e) = at(r, e);
  });
  if (preconditioned)
    co_await it.precondition(u, z);
  ops.dot(u, preconditioned ? z : u, sums.data());
  for (int64_t j = 0; j < it.active(); ++j) {
    q.beta[j] = q.phiBar[j] = lanczosNorm(it, j, sums[j]);
    q.cosine[j] = -1, norms[j] = it.start[j];
    if (q.beta[j] == 0)
      it.leave(j, Exit::IndefinitePreconditioner);
  }
  it.retire();

  while (it.active() > 0) {
    const T *const direction = preconditioned ? z : u;
    co_await it.productAndDot(direction, y, direction, sums.data());
    for (int64_t j = 0; j < it.active(); ++j)
      q.alpha[j] = realOf(sums[j]) / (q.beta[j] * q.beta[j]);
    nextLanczos(it, q, y, u, before, sums.data());
    if (preconditioned) {
      co_await it.precondition(before, zNext);
      ops.dot(before, zNext, sums.data());
    }
    for (int64_t j = 0; j < it.active(); ++j) {
      next[j] = lanczosNorm(it, j, sums[j]);
      if (const Exit exit = q.advance(j, next[j]); exit != Exit::None)
        it.leave(j, exit);
    }
    step(it, q, pending, direction, w, wBefore, x, sums.data());
    for (int64_t j = 0; j < it.active(); ++j) {
      const double length = std::sqrt(realOf(sums[j]));
      // The norms of a preconditioned solve are others.
      const bool refused =
          !preconditioned && isTooLong(q, j, length, norms[j], it.attempts[j]);
      pending[j] = refused ? 0 : q.phi[j];
      if (refused)
        it.leave(j, it.attempts[j] == 0 ? Exit::Breakdown : Exit::Restart);
      else
        norms[j] = q.phiBar[j];
    }
    if (preconditioned) {
      followResidual(it, q, next, before, r, sums.data());
      for (int64_t j = 0; j < it.active(); ++j)
        norms[j] = std::sqrt(realOf(sums[j]));
    }
    for (int64_t j = 0; j < it.active(); ++j)
      q.betaBefore[j] = q.beta[j], q.beta[j] = next[j];
    std::swap(u, before), std::swap(z, zNext), std::swap(w, wBefore);
    it.count(norms);
    retire(it, pending, w, x);
  }
}

#define INSTANTIATE(T) template Task minres(Iteration<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
