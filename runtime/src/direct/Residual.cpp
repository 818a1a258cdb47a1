//===- Residual.cpp - What a solution leaves of a right-hand side ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/Residual.h"
#include "base/Callbacks.h"
#include "base/Scratch.h"
#include "pattern/Rows.h"

#include <cmath>

namespace tsgu::runtime {
namespace {

template <typename T> double sizeOf(T value) {
  return std::abs(double(std::real(value))) +
         std::abs(double(std::imag(value)));
}

/// r -= op(A) x and w += |op(A)| |x|. `Width` 0: any number of columns.
template <int64_t Width, typename T>
void subtractProduct(const Matrix<T> &A, Mode mode, int64_t columns, const T *x,
                     Wide<T> *r, double *w) {
  const int64_t width = Width ? Width : columns;
  InterruptCheck check;
  withRows(A, [&](auto *positions, auto *coordinates) {
    for (int64_t i = 0; i < A.rows(); ++i) {
      for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
        const int64_t j = coordinates[e];
        const auto to = (mode == Mode::N ? i : j) * width;
        const T *from = x + (mode == Mode::N ? j : i) * width;
        const auto value = static_cast<Wide<T>>(
            mode == Mode::C ? conjugate(A.values[e]) : A.values[e]);
        const double size = sizeOf(A.values[e]);
        for (int64_t c = 0; c < width; ++c) {
          r[to + c] -= times(value, static_cast<Wide<T>>(from[c]));
          w[to + c] += size * sizeOf(from[c]);
        }
      }
      check.after((positions[i + 1] - positions[i]) * width);
    }
  });
}

} // namespace

template <typename T>
void computeResidual(const Matrix<T> &A, Mode mode,
                     const std::vector<Real<T>> &scale, int exponent,
                     int64_t columns, const T *b, const T *x, Wide<T> *r,
                     std::vector<ResidualNorms> &norms) {
  const int64_t n = A.rows(), count = multiply(n, columns);
  const Scratch memory(multiply(count, sizeof(double)));
  auto *w = reinterpret_cast<double *>(memory.data());
  for (int64_t k = 0; k < count; ++k)
    r[k] = static_cast<Wide<T>>(b[k]), w[k] = sizeOf(b[k]);
  if (columns == 1)
    subtractProduct<1>(A, mode, columns, x, r, w);
  else
    subtractProduct<0>(A, mode, columns, x, r, w);

  const double unit = std::ldexp(1.0, -exponent);
  norms.assign(columns, {});
  std::vector<double> scaledTerms(columns);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < columns; ++c) {
      ResidualNorms &of = norms[c];
      const int64_t k = i * columns + c;
      const double scaled = scale[i];
      of.residual += squaredNorm(r[k] * unit);
      of.terms += squaredNorm(w[k] * unit);
      of.b += squaredNorm(static_cast<Wide<T>>(b[k]) * unit);
      of.relative += squaredNorm(r[k] * scaled);
      scaledTerms[c] += squaredNorm(w[k] * scaled);
    }
  for (int64_t c = 0; c < columns; ++c) {
    ResidualNorms &of = norms[c];
    of.residual = std::sqrt(of.residual), of.terms = std::sqrt(of.terms);
    of.b = std::sqrt(of.b);
    of.relative = scaledTerms[c] == 0
                      ? 0
                      : std::sqrt(of.relative) / std::sqrt(scaledTerms[c]);
  }
}

#define INSTANTIATE(T)                                                         \
  template void computeResidual(                                               \
      const Matrix<T> &, Mode, const std::vector<Real<T>> &, int, int64_t,     \
      const T *, const T *, Wide<T> *, std::vector<ResidualNorms> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
