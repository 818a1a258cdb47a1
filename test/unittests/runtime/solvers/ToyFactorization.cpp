//===- ToyFactorization.cpp - All that it takes to add a direct method ----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inverse, for matrices that need no pivots.
//
//===----------------------------------------------------------------------===//

#include "direct/Factorization.h"
#include "pattern/Rows.h"

namespace tsgu::runtime {

template <typename T> class Inverse : public Factorization<T> {
public:
  explicit Inverse(const Matrix<T> &A) : n(A.rows()), entries(n * n) {
    withRows(A, [&](auto *positions, auto *coordinates) {
      for (int64_t i = 0; i < n; ++i)
        for (auto k = positions[i]; k < positions[i + 1]; ++k)
          at(i, coordinates[k]) = A.values[k];
    });
    for (int64_t k = 0; k < n; ++k) // Gauss and Jordan, in place.
      eliminate(k);
  }

  void apply(Mode mode, Vectors<const T> b, Vectors<T> x,
             const tsgu_executor &) const override {
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < b.count; ++j) {
        T sum{};
        for (int64_t k = 0; k < n; ++k) {
          const T entry = entries[mode == Mode::N ? i * n + k : k * n + i];
          sum += (mode == Mode::C ? conjugate(entry) : entry) * b.row(k)[j];
        }
        x.row(i)[j] = sum;
      }
  }
  Determinant<T> determinant() const override { return pivots.determinant(); }
  int64_t bytes() const override { return n * n * int64_t{sizeof(T)}; }

private:
  T &at(int64_t i, int64_t j) { return entries[i * n + j]; }

  void eliminate(int64_t k) {
    const T pivot = at(k, k);
    pivots.multiply(pivot);
    at(k, k) = T(1);
    for (int64_t j = 0; j < n; ++j)
      at(k, j) /= pivot;
    for (int64_t i = 0; i < n; ++i) {
      if (i == k)
        continue;
      const T factor = at(i, k);
      at(i, k) = T(0);
      for (int64_t j = 0; j < n; ++j)
        at(i, j) -= factor * at(k, j);
    }
  }

  int64_t n;
  std::vector<T> entries;
  ScaledProduct<T> pivots;
};

template <typename T>
Factors<T> invert(const Matrix<T> &A, const tsgu_executor &) {
  return std::make_shared<Inverse<T>>(A);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> invert(const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
