//===- LSMR.cpp - Least squares by Golub-Kahan bidiagonalisation ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fong, Saunders, LSMR: an iterative algorithm for sparse least-squares
// problems, 2011, whose names the scalars have. Damping is in the matrix that
// it is given.
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"

#include <cmath>

namespace tsgu::runtime {
namespace {

double inverse(double x) { return x > 0 ? 1 / x : 0; }

/// to = from / norm - factor to; squares of it.
template <typename T>
void nextVector(VectorOps<T> &ops, const std::vector<double> &norm,
                const std::vector<double> &factor, const T *from, T *to,
                Wide<T> *squares) {
  std::vector<double> scale(norm);
  for (double &value : scale)
    value = inverse(value);
  const T *a = ops.spread(scale, 0), *b = ops.spread(factor, 1);
  ops.template sweep<1>(squares, [=](auto e, auto c, auto &sum) TSGU_INLINE {
    const auto value =
        times(at(a, c), at(from, e)) - times(at(b, c), at(to, e));
    at(to, e) = value;
    sum += squareOf(value);
  });
}

/// The scalars of one column; norms of residuals as in section 5 of the paper.
struct Column {
  double alphaBar = 0, zetaBar = 0, rho = 1, rhoBar = 1, cBar = 1, sBar = 0;
  double zeta = 0, zetaBefore = 0;
  double betaDD = 0, betaD = 0, rhoD = 1, tau = 0, theta = 0;
  double residual = 0, matrixNorm = 0;
  // Of the updates of h, hBar and x.
  double hBarFactor = 0, xFactor = 0, hFactor = 0;

  void start(double alpha, double beta) {
    alphaBar = alpha, zetaBar = alpha * beta;
    betaDD = residual = beta;
    matrixNorm = alpha;
  }

  void advance(double alphaBefore, double beta, double alpha) {
    matrixNorm = std::max(matrixNorm, std::hypot(alphaBefore, beta));
    const double rhoBefore = rho, rhoBarBefore = rhoBar;
    rho = std::hypot(alphaBar, beta);
    const double c = alphaBar * inverse(rho), s = beta * inverse(rho);
    const double thetaNew = s * alpha;
    alphaBar = c * alpha;
    const double thetaBar = sBar * rho, rotated = cBar * rho;
    rhoBar = std::hypot(rotated, thetaNew);
    cBar = rotated * inverse(rhoBar), sBar = thetaNew * inverse(rhoBar);
    zetaBefore = zeta;
    zeta = cBar * zetaBar, zetaBar = -sBar * zetaBar;
    hBarFactor = thetaBar * rho * inverse(rhoBefore * rhoBarBefore);
    xFactor = zeta * inverse(rho * rhoBar);
    hFactor = thetaNew * inverse(rho);
    estimateResidual(c, s, thetaBar);
  }

  void estimateResidual(double c, double s, double thetaBar) {
    const double betaHat = c * betaDD;
    betaDD = -s * betaDD;
    const double thetaBefore = theta, rhoTilde = std::hypot(rhoD, thetaBar);
    const double cTilde = rhoD * inverse(rhoTilde);
    const double sTilde = thetaBar * inverse(rhoTilde);
    theta = sTilde * rhoBar, rhoD = cTilde * rhoBar;
    betaD = -sTilde * betaD + cTilde * betaHat;
    tau = (zetaBefore - thetaBefore * tau) * inverse(rhoTilde);
    const double tauD = (zeta - theta * tau) * inverse(rhoD);
    residual = std::hypot(betaD - tauD, betaDD);
  }
};

/// hBar = h - hBarFactor hBar, x += xFactor hBar, h = v / alpha - hFactor h.
template <typename T>
void step(VectorOps<T> &ops, const std::vector<double> *factors,
          const std::vector<double> &alpha, const T *v, T *h, T *hBar, T *x) {
  std::vector<double> scale(alpha);
  for (double &value : scale)
    value = inverse(value);
  const T *a = ops.spread(factors[0], 0), *b = ops.spread(factors[1], 1),
          *c = ops.spread(factors[2], 2), *d = ops.spread(scale, 3);
  ops.each([=](auto e, auto j) TSGU_INLINE {
    const auto old = at(h, e), bar = old - times(at(a, j), at(hBar, e));
    at(hBar, e) = bar;
    at(x, e) += times(at(b, j), bar);
    at(h, e) = times(at(d, j), at(v, e)) - times(at(c, j), old);
  });
}

} // namespace

template <typename T> Task lsmr(Iteration<T> &it) {
  VectorOps<T> &ops = it.ops, &rowOps = it.rowOps;
  // u and v are not normalised: their norms are beta and alpha.
  T *const u = it.residual, *const x = it.correction;
  T *const v = it.block(), *const h = it.block(), *const hBar = it.block();
  T *const Av = it.rowBlock(), *const Au = it.block();
  std::vector<double> &alpha = it.reals(), &beta = it.reals(),
                      &ratio = it.reals(), &norms = it.reals(),
                      &consistent = it.reals(), &place = it.reals();
  std::vector<double> factors[3];
  std::vector<Wide<T>> &sums = it.scalars();
  std::vector<Column> columns(it.ids.size());

  co_await it.product(u, v, Ask::Adjoint);
  ops.squares(v, alpha);
  for (int64_t j = 0; j < it.active(); ++j) {
    place[j] = static_cast<double>(j);
    consistent[j] = it.goals[j];
    beta[j] = it.start[j];
    alpha[j] = std::sqrt(alpha[j]) * inverse(beta[j]);
    columns[j].start(alpha[j], beta[j]);
  }
  // v = A^H u / beta.
  {
    std::vector<double> scale(beta), first(beta);
    for (size_t j = 0; j < scale.size(); ++j)
      scale[j] = inverse(beta[j]), first[j] = inverse(beta[j] * alpha[j]);
    const T *s = ops.spread(scale, 0), *f = ops.spread(first, 1);
    ops.each([=](auto e, auto j) TSGU_INLINE {
      at(h, e) = times(at(f, j), at(v, e));
      at(v, e) = times(at(s, j), at(v, e));
      at(hBar, e) = zeroOf(at(hBar, e));
    });
  }

  while (it.active() > 0) {
    const int64_t k = it.active();
    co_await it.product(v, Av);
    for (int64_t j = 0; j < k; ++j)
      ratio[j] = alpha[j] * inverse(beta[j]);
    nextVector(rowOps, alpha, ratio, Av, u, sums.data());
    for (int64_t j = 0; j < k; ++j)
      beta[j] = std::sqrt(realOf(sums[j]));
    co_await it.product(u, Au, Ask::Adjoint);
    for (int64_t j = 0; j < k; ++j)
      ratio[j] = beta[j] * inverse(alpha[j]);
    nextVector(ops, beta, ratio, Au, v, sums.data());
    for (auto &list : factors)
      list.assign(static_cast<size_t>(k), 0);
    for (int64_t j = 0; j < k; ++j) {
      Column &column = columns[static_cast<size_t>(place[j])];
      const double before = alpha[j];
      alpha[j] = std::sqrt(realOf(sums[j]));
      column.advance(before, beta[j], alpha[j]);
      factors[0][j] = column.hBarFactor, factors[1][j] = column.xFactor;
      factors[2][j] = column.hFactor;
      norms[j] = std::abs(column.zetaBar);
      double &known = (*it.matrixNorms)[it.ids[j]];
      known = std::max(known, column.matrixNorm);
      it.goals[j] = it.slopeGoals[j] * known * column.residual;
      if (column.residual <= consistent[j])
        it.leave(j, Exit::Goal);
    }
    step(ops, factors, alpha, v, h, hBar, x);
    it.next(norms);
  }
}

#define INSTANTIATE(T) template Task lsmr(Iteration<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
