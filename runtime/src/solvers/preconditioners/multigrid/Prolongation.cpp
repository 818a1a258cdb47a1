//===- Prolongation.cpp - Smoothed prolongators ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/Makers.h"
#include "solvers/preconditioners/multigrid/Coarsening.h"

namespace tsgu::runtime::multigrid {

template <typename T>
std::vector<T> inverseDiagonal(const CSR<T> &A, int64_t level) {
  std::vector<T> inverse(A.rows, T(0));
  for (int64_t i = 0; i < A.rows; ++i) {
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k)
      if (A.coordinates[k] == i)
        inverse[i] = A.values[k];
    if (inverse[i] == T(0))
      fail(Status::Singular, "AMG: the diagonal of row ", i, " on level ",
           level,
           " is zero; AMG is for matrices that are nearly positive "
           "definite: use another preconditioner");
    inverse[i] = T(1) / inverse[i];
  }
  return inverse;
}

/// Of all elements, in chunks fixed by their number.
template <typename F>
static double sumInChunks(const tsgu_executor &executor, int64_t rows,
                          F &&term) {
  constexpr int64_t chunk = 4096;
  std::vector<double> sums((rows + chunk - 1) / chunk);
  forRows(executor, sums.size(), chunk, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      for (int64_t i = c * chunk; i < std::min(rows, (c + 1) * chunk); ++i)
        sums[c] += term(i);
  });
  double sum = 0;
  for (double part : sums)
    sum += part;
  return sum;
}

template <typename T>
static double infinityNorm(const CSR<T> &A, const std::vector<T> &inverse) {
  double most = 0;
  for (int64_t i = 0; i < A.rows; ++i) {
    double sum = 0;
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k)
      sum += std::abs(A.values[k]);
    most = std::max(most, sum * std::abs(inverse[i]));
  }
  return most;
}

template <typename T>
double spectralRadius(const CSR<T> &A, const std::vector<T> &inverse,
                      const tsgu_executor &executor) {
  // Power iterations from a vector of all frequencies; the estimate approaches
  // the radius from below, hence a tenth more.
  constexpr int iterations = 10;
  std::vector<T> v(A.rows), w(A.rows);
  uint32_t state = 1;
  for (T &entry : v) {
    state = state * 1664525 + 1013904223;
    entry = Real<T>(state >> 8) / Real<T>(1 << 23) - Real<T>(1);
  }
  double length = 0, radius = 0;
  auto square = [&](const std::vector<T> &of) {
    return std::sqrt(sumInChunks(executor, A.rows, [&](int64_t i) {
      return static_cast<double>(squaredNorm(of[i]));
    }));
  };
  length = square(v);
  for (int step = 0; step < iterations && length > 0; ++step) {
    const Real<T> scale = static_cast<Real<T>>(1 / length);
    forProduct(A, Vectors<const T>{v.data(), A.rows, 1, 1}, executor,
               [&](int64_t i, int64_t, T sum) {
                 w[i] = times(inverse[i], sum) * scale;
               });
    radius = length = square(w);
    v.swap(w);
  }
  return std::min(1.1 * radius, infinityNorm(A, inverse));
}

template <typename T>
CSR<T> prolongator(const CSR<T> &A, const Aggregates &aggregates, int64_t level,
                   const tsgu_executor &executor) {
  CSR<T> tentative;
  tentative.rows = A.rows, tentative.columns = aggregates.count;
  int64_t *positions = tentative.ownPositions();
  for (int64_t i = 0; i < A.rows; ++i)
    positions[i + 1] = positions[i] + (aggregates.of[i] >= 0);
  tentative.ownEntries();
  for (int64_t i = 0; i < A.rows; ++i)
    if (aggregates.of[i] >= 0) {
      tentative.ownCoordinates()[positions[i]] = aggregates.of[i];
      tentative.ownValues()[positions[i]] = T(1);
    }

  const std::vector<T> inverse = inverseDiagonal(A, level);
  const double radius = spectralRadius(A, inverse, executor);
  const Real<T> omega = static_cast<Real<T>>(4.0 / 3.0 / radius);
  CSR<T> P = product(A, tentative, executor);
  forRows(executor, P.rows, P.workOfRow(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t k = P.positions[i]; k < P.positions[i + 1]; ++k) {
        const T own(P.coordinates[k] == aggregates.of[i] ? 1 : 0);
        T &value = P.ownValues()[k];
        value = own - omega * times(inverse[i], value);
      }
  });
  return P;
}

#define INSTANTIATE(T)                                                         \
  template std::vector<T> inverseDiagonal(const CSR<T> &, int64_t);            \
  template double spectralRadius(const CSR<T> &, const std::vector<T> &,       \
                                 const tsgu_executor &);                       \
  template CSR<T> prolongator(const CSR<T> &, const Aggregates &, int64_t,     \
                              const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::multigrid
