//===- KrylovIterations.h - Running reverse communication -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_KRYLOVITERATIONS_H
#define TSGU_TEST_KRYLOVITERATIONS_H

#include "KrylovMatrices.h"

#include <gtest/gtest.h>

namespace tsgu::test {

template <typename T> struct Asked {
  std::vector<T> x;
  tsgu_status status = TSGU_OK;
  int64_t products = 0, fewest = 1 << 30, most = 0; ///< Columns of requests.
};

/// out = A in in the order of entries, as the runtime does.
template <typename T>
void multiply(const Sparse<T> &A, bool adjoint, const tsgu_tensor &in,
              const tsgu_tensor &out) {
  const int64_t k = in.shape[1];
  const T *x = static_cast<const T *>(in.data);
  T *y = static_cast<T *>(out.data);
  std::fill_n(y, out.shape[0] * k, T(0));
  for (int64_t i = 0; i < A.rows; ++i)
    for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
      for (int64_t j = 0; j < k; ++j)
        if (adjoint)
          y[A.coordinates[e] * k + j] +=
              conjugateOf(A.values[e]) * x[i * k + j];
        else
          y[i * k + j] += A.values[e] * x[A.coordinates[e] * k + j];
}

template <typename T>
tsgu_tensor tensorOf(std::vector<T> &data, int32_t rank, const int64_t *shape,
                     const int64_t *strides) {
  return {data.data(), typeOf<T>(), rank, shape, strides};
}

/// Runs an iteration; the preconditioner, if wanted, divides by `diagonal`.
template <typename T>
Asked<T> ask(const tsgu_solver &solver, tsgu_iteration_options options,
             const Sparse<T> &A, std::vector<T> b, int64_t p,
             tsgu_iteration **keep = nullptr, std::vector<T> start = {}) {
  const int64_t shifts = std::max<int64_t>(options.shift_count, 1);
  Asked<T> asked;
  asked.x = start;
  options.guess = !start.empty();
  asked.x.resize(A.columns * p * shifts);
  const int64_t bShape[2] = {A.rows, p}, bStrides[2] = {p, 1};
  const int64_t xShape[3] = {shifts, A.columns, p};
  const int64_t xStrides[3] = {A.columns * p, p, 1};
  const bool shifted = options.shift_count > 0;
  const tsgu_tensor bTensor = tensorOf(b, 2, bShape, bStrides);
  const tsgu_tensor xTensor = tensorOf(asked.x, shifted ? 3 : 2,
                                       xShape + !shifted, xStrides + !shifted);
  const tsgu_callbacks callbacks = listener();
  told = {};
  tsgu_set_callbacks(&callbacks);
  tsgu_iteration *iteration = nullptr;
  asked.status = tsgu_iteration_start(&solver, &options, &bTensor, &xTensor,
                                      nullptr, &iteration);
  if (asked.status != TSGU_OK)
    return asked;
  tsgu_request request;
  tsgu_tensor in, out;
  for (;;) {
    asked.status = tsgu_iteration_next(iteration, &request, &in, &out);
    if (asked.status != TSGU_OK || request == TSGU_DONE)
      break;
    ++asked.products;
    asked.fewest = std::min(asked.fewest, in.shape[1]);
    asked.most = std::max(asked.most, in.shape[1]);
    if (request == TSGU_PRECONDITION) {
      const int64_t k = in.shape[1];
      for (int64_t i = 0; i < A.rows; ++i)
        for (int32_t e = A.positions[i]; e < A.positions[i + 1]; ++e)
          if (A.coordinates[e] == i)
            for (int64_t j = 0; j < k; ++j)
              static_cast<T *>(out.data)[i * k + j] =
                  static_cast<const T *>(in.data)[i * k + j] / A.values[e];
    } else {
      multiply(A, request == TSGU_APPLY_ADJOINT, in, out);
    }
  }
  if (keep)
    *keep = iteration;
  else
    tsgu_iteration_free(iteration);
  return asked;
}

} // namespace tsgu::test

#endif // TSGU_TEST_KRYLOVITERATIONS_H
