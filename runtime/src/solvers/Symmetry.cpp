//===- Symmetry.cpp - Is a matrix its own adjoint? ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Symmetry.h"
#include "solvers/VectorOps.h"

#include <cmath>
#include <limits>
#include <sstream>

namespace tsgu::runtime {
namespace {

/// Entries by row and column.
template <typename T, typename I> struct Entries {
  const Layout &csr;
  const Matrix<T> &A;
  const I *coordinates;

  int64_t begin(int64_t i) const { return csr.position(A.firstRow() + i); }
  int64_t end(int64_t i) const { return begin(i + 1); }
  T at(int64_t i, int64_t j) const {
    const I *last = coordinates + end(i),
            *found = std::lower_bound(coordinates + begin(i), last, j);
    return found < last && *found == j ? A.values[found - coordinates] : T(0);
  }
};

template <typename T, typename I>
std::string worstPair(const Entries<T, I> &entries) {
  const double rounding = std::sqrt(std::numeric_limits<Real<T>>::epsilon());
  double worst = 0;
  int64_t row = -1, column = -1;
  for (int64_t i = 0; i < entries.A.rows(); ++i)
    for (int64_t e = entries.begin(i); e < entries.end(i); ++e) {
      const int64_t j = entries.coordinates[e];
      const T here = entries.A.values[e], there = conjugate(entries.at(j, i));
      const double difference = std::abs(here - there);
      const double size = std::max(std::abs(here), std::abs(there));
      if (difference > rounding * size && difference > worst)
        worst = difference, row = i, column = j;
    }
  if (row < 0)
    return {};
  if (row > column)
    std::swap(row, column);
  std::ostringstream text;
  text << "entry (" << row << ", " << column << ") is "
       << entries.at(row, column);
  if (row != column)
    text << ", entry (" << column << ", " << row << ") is "
         << entries.at(column, row);
  return text.str();
}

} // namespace

template <typename T> std::string asymmetry(const Matrix<T> &A) {
  const Layout &csr = A.pattern->csr();
  if (csr.indexType == ElementType::I32)
    return worstPair(Entries<T, int32_t>{
        csr, A, static_cast<const int32_t *>(csr.coordinates)});
  return worstPair(Entries<T, int64_t>{
      csr, A, static_cast<const int64_t *>(csr.coordinates)});
}

#define INSTANTIATE(T) template std::string asymmetry(const Matrix<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
