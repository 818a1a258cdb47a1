//===- Condition.cpp - How near a matrix is to a singular one -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The 1-norm of the inverse from a few solves (Hager 1984; Higham 1988, whose
// last vector with signs in turns finds what the ascent misses).
//
//===----------------------------------------------------------------------===//

#include "direct/Factorization.h"
#include "pattern/Rows.h"

#include <cmath>

namespace tsgu::runtime {
namespace {

/// Products with the inverse of R A C.
template <typename T> class Inverse {
public:
  explicit Inverse(const Factorization<T> &factors)
      : factors(factors), memory(factors.rowScale.size()) {}

  void multiply(std::vector<T> &v, bool adjoint) {
    const auto n = static_cast<int64_t>(v.size());
    const auto &in = adjoint ? factors.columnScale : factors.rowScale;
    const auto &out = adjoint ? factors.rowScale : factors.columnScale;
    for (int64_t i = 0; i < n; ++i)
      v[i] /= in[i];
    factors.apply(adjoint ? Mode::C : Mode::N, {v.data(), n, 1, 1},
                  {memory.data(), n, 1, 1}, {1, nullptr});
    for (int64_t i = 0; i < n; ++i)
      v[i] = memory[i] / out[i];
  }

private:
  const Factorization<T> &factors;
  std::vector<T> memory;
};

template <typename T> double oneNorm(const std::vector<T> &v) {
  double sum = 0;
  for (const T &value : v)
    sum += std::abs(value);
  return sum;
}

template <typename T> void toSigns(std::vector<T> &v) {
  for (T &value : v)
    if (const Real<T> size = std::abs(value); size > 0)
      value /= size;
    else
      value = T(1);
}

template <typename T> size_t largestOf(const std::vector<T> &v) {
  return std::max_element(
             v.begin(), v.end(),
             [](const T &a, const T &b) { return std::abs(a) < std::abs(b); }) -
         v.begin();
}

} // namespace

template <typename T>
double
normOfInverse(const std::function<void(std::vector<T> &, bool)> &multiply,
              size_t n) {
  std::vector<T> v(n, T(Real<T>(1) / Real<T>(n)));
  multiply(v, false);
  double norm = oneNorm(v);
  size_t column = n;
  for (int step = 0; step < 4; ++step) {
    toSigns(v);
    multiply(v, true);
    const size_t next = largestOf(v);
    if (next == column)
      break;
    column = next;
    v.assign(n, T(0)), v[column] = T(1);
    multiply(v, false);
    const double now = oneNorm(v);
    if (!(now > norm))
      break;
    norm = now;
  }
  for (size_t i = 0; i < n; ++i) {
    const auto size =
        Real<T>(1 + double(i) / double(std::max<size_t>(n, 2) - 1));
    v[i] = i % 2 ? -size : size;
  }
  multiply(v, false);
  return std::max(norm, 2 * oneNorm(v) / (3 * double(n)));
}

template <typename T>
double reciprocalCondition(const Matrix<T> &A,
                           const Factorization<T> &factors) {
  const auto n = static_cast<size_t>(A.rows());
  std::vector<double> sums(n);
  withRows(A, [&](auto *positions, auto *coordinates) {
    for (size_t i = 0; i < n; ++i)
      for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
        const auto j = static_cast<size_t>(coordinates[e]);
        sums[j] += std::abs(A.values[e] * factors.rowScale[i] *
                            factors.columnScale[j]);
      }
  });
  const double norm = *std::max_element(sums.begin(), sums.end());
  Inverse<T> M(factors);
  const double inverse = normOfInverse<T>(
      [&](std::vector<T> &v, bool adjoint) { M.multiply(v, adjoint); }, n);
  return std::isfinite(inverse) ? 1 / (norm * inverse) : 0;
}

#define INSTANTIATE(T)                                                         \
  template double normOfInverse(                                               \
      const std::function<void(std::vector<T> &, bool)> &, size_t);            \
  template double reciprocalCondition(const Matrix<T> &,                       \
                                      const Factorization<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
