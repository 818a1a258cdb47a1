//===- gradient.cpp - A sparse product and its gradient, without torch ----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fits the values of a tridiagonal matrix A so that A X equals given data Y, by
// gradient descent on |A X - Y|^2. The gradient program is derived and compiled
// when it is asked for, and computes exactly the stored entries.
//
//===----------------------------------------------------------------------===//

#include "tsgu/tsgu.hpp"

#include <cmath>
#include <cstdio>

int main() try {
  const int64_t n = 200, width = 8;
  std::vector<int32_t> positions{0}, columns;
  std::vector<double> truth;
  for (int32_t row = 0; row < n; ++row) {
    for (int32_t column = row - 1; column <= row + 1; ++column)
      if (column >= 0 && column < n) {
        columns.push_back(column);
        truth.push_back(column == row ? 2 + std::sin(row) : -1);
      }
    positions.push_back(static_cast<int32_t>(columns.size()));
  }
  auto pattern = tsgu::Pattern::csr<int32_t>({n, n}, positions, columns);
  tsgu::Program spmm("spmm"), gradient("spmm/vjp0");

  std::vector<double> X(n * width);
  for (size_t i = 0; i < X.size(); ++i)
    X[i] = std::cos(0.7 * static_cast<double>(i * i % 1009));
  std::vector<double> Y =
      spmm.compute<double>({pattern}, {truth, {X, {n, width}}});

  std::vector<double> values(truth.size(), 0.0);
  double loss = 0;
  for (int step = 0; step <= 500; ++step) {
    std::vector<double> residual =
        spmm.compute<double>({pattern}, {values, {X, {n, width}}});
    loss = 0;
    for (size_t i = 0; i < residual.size(); ++i) {
      residual[i] -= Y[i];
      loss += residual[i] * residual[i];
    }
    if (step % 100 == 0)
      std::printf("step %3d  loss %.3e\n", step, loss);
    std::vector<double> slope = gradient.compute<double>(
        {pattern}, {values, {X, {n, width}}, {residual, {n, width}}});
    for (size_t k = 0; k < values.size(); ++k)
      values[k] -= 0.1 * slope[k];
  }
  double error = 0;
  for (size_t k = 0; k < values.size(); ++k)
    error = std::fmax(error, std::fabs(values[k] - truth[k]));
  std::printf("largest error of a value: %.1e\n", error);
  return error < 1e-6 ? 0 : 1;
} catch (const tsgu::Error &error) {
  std::fprintf(stderr, "tsgu: %s\n", error.what());
  return 1;
}
