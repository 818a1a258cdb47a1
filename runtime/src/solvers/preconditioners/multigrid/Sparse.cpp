//===- Sparse.cpp - The matrices of a hierarchy ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/multigrid/Sparse.h"
#include "solvers/preconditioners/Makers.h"

#include <limits>

namespace tsgu::runtime::multigrid {

template <typename T> int64_t *CSR<T>::ownPositions() {
  positionBlock = blockOf<int64_t>(rows + 1);
  int64_t *own = positionBlock.as<int64_t>();
  std::fill_n(own, rows + 1, int64_t{0});
  positions = own;
  return own;
}

template <typename T> void CSR<T>::ownEntries() {
  coordinateBlock = blockOf<int32_t>(stored());
  valueBlock = blockOf<T>(stored());
  coordinates = ownCoordinates();
  values = ownValues();
}

template <typename T> CSR<T> viewOf(const Matrix<T> &A) {
  CSR<T> view;
  view.rows = view.columns = A.rows();
  int64_t *own = view.ownPositions();
  withRows(A, [&](auto *positions, auto *coordinates) {
    const int64_t first = positions[0];
    for (int64_t i = 0; i <= A.rows(); ++i)
      own[i] = positions[i] - first;
    view.values = A.values + first;
    if constexpr (sizeof(*coordinates) == sizeof(int32_t)) {
      view.coordinates = coordinates + first;
    } else {
      view.coordinateBlock = blockOf<int32_t>(view.stored());
      std::copy_n(coordinates + first, view.stored(), view.ownCoordinates());
      view.coordinates = view.ownCoordinates();
    }
  });
  return view;
}

template <typename T> CSR<T> adjoint(const CSR<T> &A) {
  CSR<T> result;
  result.rows = A.columns, result.columns = A.rows;
  int64_t *next = result.ownPositions();
  for (int64_t k = 0; k < A.stored(); ++k)
    ++next[A.coordinates[k] + 1];
  for (int64_t i = 0; i < result.rows; ++i)
    next[i + 1] += next[i];
  result.ownEntries();
  for (int64_t i = 0; i < A.rows; ++i)
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
      const int64_t to = next[A.coordinates[k]]++;
      result.ownCoordinates()[to] = static_cast<int32_t>(i);
      result.ownValues()[to] = conjugate(A.values[k]);
    }
  // next[i] is now where row i ends.
  std::copy_backward(next, next + result.rows, next + result.rows + 1);
  next[0] = 0;
  return result;
}

/// What one thread needs to add up a row.
template <typename T> struct RowSum {
  explicit RowSum(int64_t columns) : place(columns, -1) {}

  /// The columns of row i of A B, in the order of their first terms.
  void count(const CSR<T> &A, const CSR<T> &B, int64_t i) {
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
      const int64_t row = A.coordinates[k];
      for (int64_t l = B.positions[row]; l < B.positions[row + 1]; ++l)
        if (place[B.coordinates[l]] < 0) {
          place[B.coordinates[l]] = 0;
          columns.push_back(B.coordinates[l]);
        }
    }
  }

  void clear() {
    for (int32_t column : columns)
      place[column] = -1;
    columns.clear();
  }

  std::vector<int32_t> place; ///< By column: -1, or where its sum is.
  std::vector<int32_t> columns;
};

template <typename T>
CSR<T> product(const CSR<T> &A, const CSR<T> &B,
               const tsgu_executor &executor) {
  CSR<T> result;
  result.rows = A.rows, result.columns = B.columns;
  int64_t *positions = result.ownPositions();
  const int64_t work = A.workOfRow() * B.workOfRow();
  forRows(executor, A.rows, work, [&](int64_t begin, int64_t end) {
    RowSum<T> row(B.columns);
    for (int64_t i = begin; i < end; ++i) {
      row.count(A, B, i);
      positions[i + 1] = row.columns.size();
      row.clear();
    }
  });
  for (int64_t i = 0; i < A.rows; ++i)
    positions[i + 1] += positions[i];
  result.ownEntries();
  forRows(executor, A.rows, work, [&](int64_t begin, int64_t end) {
    RowSum<T> row(B.columns);
    for (int64_t i = begin; i < end; ++i) {
      int32_t *coordinates = result.ownCoordinates() + positions[i];
      T *sums = result.ownValues() + positions[i];
      for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
        const int64_t from = A.coordinates[k];
        for (int64_t l = B.positions[from]; l < B.positions[from + 1]; ++l) {
          const int32_t column = B.coordinates[l];
          const T term = times(A.values[k], B.values[l]);
          if (int32_t &place = row.place[column]; place >= 0) {
            sums[place] += term;
          } else {
            place = static_cast<int32_t>(row.columns.size());
            row.columns.push_back(column);
            coordinates[place] = column;
            sums[place] = term;
          }
        }
      }
      row.clear();
    }
  });
  return result;
}

template <typename T> bool isHermitian(const CSR<T> &A) {
  const auto slack = 32 * std::numeric_limits<Real<T>>::epsilon();
  // The next entry of each row whose mirror image has not been met.
  std::vector<int64_t> next(A.positions, A.positions + A.rows);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k) {
      const int64_t j = A.coordinates[k];
      const int64_t mirror = next[j]++;
      if (mirror >= A.positions[j + 1] || A.coordinates[mirror] != i)
        return false;
      const T difference = A.values[k] - conjugate(A.values[mirror]);
      if (!(std::abs(difference) <= slack * std::abs(A.values[k])))
        return false;
    }
  return true;
}

#define INSTANTIATE(T)                                                         \
  template struct CSR<T>;                                                      \
  template CSR<T> viewOf(const Matrix<T> &);                                   \
  template CSR<T> adjoint(const CSR<T> &);                                     \
  template CSR<T> product(const CSR<T> &, const CSR<T> &,                      \
                          const tsgu_executor &);                              \
  template bool isHermitian(const CSR<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::multigrid
