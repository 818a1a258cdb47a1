//===- Aggregation.cpp - Strong connections, and rows grouped by them -----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/Makers.h"
#include "solvers/preconditioners/multigrid/Coarsening.h"

namespace tsgu::runtime::multigrid {

template <typename T>
static std::vector<Real<T>> diagonalSizes(const CSR<T> &A) {
  std::vector<Real<T>> sizes(A.rows, 0);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k)
      if (A.coordinates[k] == i)
        sizes[i] = std::abs(A.values[k]);
  return sizes;
}

template <typename T> static CSR<T> sameEntries(const CSR<T> &A) {
  CSR<T> same;
  same.rows = A.rows, same.columns = A.columns;
  same.positions = A.positions;
  same.coordinates = A.coordinates;
  same.values = A.values;
  return same;
}

template <typename T> CSR<T> strongPart(const CSR<T> &A, double threshold) {
  const std::vector<Real<T>> sizes = diagonalSizes(A);
  const Real<T> bound = static_cast<Real<T>>(threshold);
  auto weak = [&](int64_t i, int64_t k) {
    const int64_t j = A.coordinates[k];
    return j != i && std::abs(A.values[k]) <=
                         bound * std::sqrt(sizes[i]) * std::sqrt(sizes[j]);
  };
  CSR<T> strong;
  strong.rows = A.rows, strong.columns = A.columns;
  int64_t *positions = strong.ownPositions();
  for (int64_t i = 0; i < A.rows; ++i) {
    positions[i + 1] = positions[i];
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k)
      positions[i + 1] += !weak(i, k);
  }
  if (strong.stored() == A.stored())
    return sameEntries(A);
  strong.ownEntries();
  for (int64_t i = 0; i < A.rows; ++i) {
    int64_t to = positions[i], diagonal = -1;
    T dropped(0);
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
      if (weak(i, k)) {
        dropped += A.values[k];
        continue;
      }
      if (A.coordinates[k] == i)
        diagonal = to;
      strong.ownCoordinates()[to] = A.coordinates[k];
      strong.ownValues()[to++] = A.values[k];
    }
    // Never so much that the diagonal nearly vanishes.
    if (diagonal >= 0 && std::abs(dropped) < sizes[i] / 2)
      strong.ownValues()[diagonal] += dropped;
  }
  return strong;
}

template <typename T> Aggregates aggregate(const CSR<T> &A) {
  Aggregates result{std::vector<int32_t>(A.rows, -1), 0};
  std::vector<int32_t> &of = result.of;
  // calls function(neighbour) until it says false
  auto neighbours = [&](int64_t i, auto &&function) {
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k)
      if (A.coordinates[k] != i && !function(A.coordinates[k]))
        return false;
    return true;
  };
  auto begin = [&](int64_t i) {
    const auto number = static_cast<int32_t>(result.count++);
    of[i] = number;
    neighbours(i, [&](int64_t j) {
      if (of[j] < 0)
        of[j] = number;
      return true;
    });
  };
  auto isolated = [&](int64_t i) {
    return neighbours(i, [](int64_t) { return false; });
  };

  // Rows whose neighbourhood is free, with all of it.
  for (int64_t i = 0; i < A.rows; ++i)
    if (of[i] < 0 && !isolated(i) &&
        neighbours(i, [&](int64_t j) { return of[j] < 0; }))
      begin(i);
  // Then the others join the aggregate that pulls most.
  const std::vector<int32_t> before = of;
  for (int64_t i = 0; i < A.rows; ++i) {
    if (of[i] >= 0)
      continue;
    Real<T> most = -1;
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
      const int64_t j = A.coordinates[k];
      if (j != i && before[j] >= 0 && std::abs(A.values[k]) > most) {
        most = std::abs(A.values[k]);
        of[i] = before[j];
      }
    }
  }
  // What is left groups among itself.
  for (int64_t i = 0; i < A.rows; ++i)
    if (of[i] < 0 && !isolated(i))
      begin(i);
  return result;
}

#define INSTANTIATE(T)                                                         \
  template CSR<T> strongPart(const CSR<T> &, double);                          \
  template Aggregates aggregate(const CSR<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::multigrid
