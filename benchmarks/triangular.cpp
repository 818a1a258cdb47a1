//===- triangular.cpp - Serial triangular solves to compare with ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Kernels.h"

#define EIGEN_MPL2_ONLY
#include <Eigen/SparseCore>

using namespace tsgu::runtime;

/// Eigen solves for one right-hand side after the other: b and x are stored by
/// columns.
extern "C" __attribute__((visibility("default"))) void
bench_eigen_triangular(int64_t n, int64_t p, const int32_t *positions,
                       const int32_t *coordinates, const double *values,
                       const double *b, double *x) {
  const Eigen::Map<const Eigen::SparseMatrix<double, Eigen::RowMajor>> L(
      n, n, positions[n], positions, coordinates, values);
  const Eigen::Map<const Eigen::MatrixXd> right(b, n, p);
  Eigen::Map<Eigen::MatrixXd> left(x, n, p);
  left = right;
  L.triangularView<Eigen::Lower>().solveInPlace(left);
}

/// Our own serial path, rows in their own order.
extern "C" __attribute__((visibility("default"))) void
bench_serial_triangular(int64_t n, int64_t p, const int32_t *positions,
                        const int32_t *coordinates, const double *values,
                        const double *b, double *x) {
  solveRows<double, int32_t>({positions,
                              coordinates,
                              nullptr,
                              values,
                              positions[n] - 1,
                              n,
                              false,
                              false,
                              false,
                              false,
                              {b, n, p, p},
                              {x, n, p, p}},
                             0, p);
}
