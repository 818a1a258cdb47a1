//===- Sparse.h - The matrices of a hierarchy -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_SPARSE_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_SPARSE_H

#include "pattern/Rows.h"

namespace tsgu::runtime::multigrid {

/// Positions count from 0; the entries of a row are in no order, except on the
/// finest level. Coordinates and values may be somebody else's.
template <typename T> struct CSR {
  int64_t rows = 0, columns = 0;
  const int64_t *positions = nullptr;
  const int32_t *coordinates = nullptr;
  const T *values = nullptr;
  Block positionBlock, coordinateBlock, valueBlock;

  int64_t stored() const { return positions ? positions[rows] : 0; }
  int64_t workOfRow() const {
    return 2 + stored() / std::max<int64_t>(1, rows);
  }
  int64_t bytes() const {
    return positionBlock.bytes() + coordinateBlock.bytes() + valueBlock.bytes();
  }

  /// All zeros, to be counted.
  int64_t *ownPositions();
  /// Room for so many entries as the last position says.
  void ownEntries();
  int32_t *ownCoordinates() const { return coordinateBlock.as<int32_t>(); }
  T *ownValues() const { return valueBlock.as<T>(); }
};

/// A itself: its values are A's, its coordinates too if they are 32-bit.
template <typename T> CSR<T> viewOf(const Matrix<T> &A);

/// A^H. Entries of a row are in the order of their columns.
template <typename T> CSR<T> adjoint(const CSR<T> &A);

/// A B (Gustavson 1978), row by row.
template <typename T>
CSR<T> product(const CSR<T> &A, const CSR<T> &B, const tsgu_executor &executor);

/// Whether A = A^H but for a few rounding errors. Entries are in order.
template <typename T> bool isHermitian(const CSR<T> &A);

/// result(i, j, (A x)_ij) for every row i and vector j.
template <typename T, typename F>
void forProduct(const CSR<T> &A, Vectors<const T> x,
                const tsgu_executor &executor, F &&result) {
  auto rows = [&]<int width>(std::integral_constant<int, width>, int64_t begin,
                             int64_t end, int64_t j, int64_t count) {
    for (int64_t i = begin; i < end; ++i) {
      T sum[width] = {};
      for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
        const T value = A.values[k];
        const T *from = x.row(A.coordinates[k]) + j;
        if constexpr (width == 1)
          sum[0] += times(value, from[0]);
        else
          for (int64_t c = 0; c < count; ++c)
            sum[c] += times(value, from[c]);
      }
      for (int64_t c = 0; c < (width == 1 ? 1 : count); ++c)
        result(i, j + c, sum[c]);
    }
  };
  forRows(executor, A.rows, A.workOfRow() * x.count,
          [&](int64_t begin, int64_t end) {
            for (int64_t j = 0; j < x.count; j += 8) {
              const int64_t count = std::min<int64_t>(8, x.count - j);
              if (count == 1)
                rows(std::integral_constant<int, 1>(), begin, end, j, count);
              else
                rows(std::integral_constant<int, 8>(), begin, end, j, count);
            }
          });
}

} // namespace tsgu::runtime::multigrid

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_MULTIGRID_SPARSE_H
