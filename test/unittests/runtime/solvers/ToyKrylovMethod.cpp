//===- ToyKrylovMethod.cpp - All that it takes to add a Krylov method -----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Steepest descent, with a preconditioner.
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"

namespace tsgu::runtime {

template <typename T> Task steepestDescent(Iteration<T> &it) {
  VectorOps<T> &ops = it.ops;
  T *const r = it.residual, *const x = it.correction, *const w = it.block();
  T *const hat = it.preconditioned ? it.block() : nullptr;
  const T *const z = hat ? hat : r;
  std::vector<Wide<T>> &alpha = it.scalars(), &zr = it.scalars();
  std::vector<double> &norms = it.reals();
  while (it.active() > 0) {
    if (hat)
      co_await it.precondition(r, hat);
    ops.dot(z, r, zr.data());
    co_await it.productAndDot(z, w, z, alpha.data());
    for (int64_t j = 0; j < it.active(); ++j)
      alpha[j] = zr[j] / alpha[j];
    const T *a = ops.spread(alpha, 0);
    ops.each([=](auto e, auto c) TSGU_INLINE {
      at(x, e) += times(at(a, c), at(z, e));
      at(r, e) = at(r, e) - times(at(a, c), at(w, e));
    });
    ops.squares(r, norms);
    for (int64_t j = 0; j < it.active(); ++j)
      norms[j] = std::sqrt(norms[j]);
    it.next(norms);
  }
}

#define INSTANTIATE(T) template Task steepestDescent(Iteration<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
