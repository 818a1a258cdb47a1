//===- IncompleteCholesky.cpp - IC(0) -------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// M = L L^H with L on the lower triangle of A's pattern, where L L^H equals A
// (Meijerink, van der Vorst 1977). Only that triangle of A is read. Where a
// pivot is not positive, A + shift D is factorised instead, D the diagonal of
// A, with a shift doubled from 1e-3 until it works (Manteuffel 1980): it does
// for every A with a positive diagonal, at the latest when A + shift D is
// diagonally dominant.
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/Diagonal.h"
#include "solvers/preconditioners/Makers.h"
#include "triangular/PreparedTriangle.h"

namespace tsgu::runtime {
namespace {

/// L by rows in place of the lower triangle of `values`. The first row whose
/// pivot is not positive, or `rows`. A pivot that is NaN goes on.
template <typename T, typename I>
int64_t factorize(int64_t rows, const I *positions, const I *coordinates,
                  const std::vector<int64_t> &diagonal, T *values) {
  std::vector<T> row(rows, T(0)); // Row i of L, by column.
  InterruptCheck check;
  for (int64_t i = 0; i < rows; ++i) {
    Real<T> pivot = std::real(values[diagonal[i]]);
    const Real<T> least = pivot * std::numeric_limits<Real<T>>::epsilon();
    for (int64_t k = positions[i]; k < diagonal[i]; ++k) {
      const int64_t column = coordinates[k];
      T sum = values[k];
      check.after(diagonal[column] - positions[column]);
      for (int64_t l = positions[column]; l < diagonal[column]; ++l)
        sum -= times(row[coordinates[l]], conjugate(values[l]));
      sum /= std::real(values[diagonal[column]]);
      row[column] = values[k] = sum;
      pivot -= squaredNorm(sum);
    }
    for (int64_t k = positions[i]; k < diagonal[i]; ++k)
      row[coordinates[k]] = T(0);
    if (pivot <= least)
      return i;
    values[diagonal[i]] = std::sqrt(pivot);
  }
  return rows;
}

template <typename T> class IncompleteCholesky : public Prepared<T> {
public:
  IncompleteCholesky(const Matrix<T> &A, const tsgu_executor &executor)
      : values(factorized(A, executor)),
        lower(values.of(A), Triangle{false, false}, values, executor) {}

  void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor) const override {
    const Vectors<const T> same{z.data, z.length, z.count, z.stride};
    // M is Hermitian, and M^-T r = conj(M^-1 conj(r)).
    const bool conjugated = isComplex<T> && mode == Mode::T;
    if (conjugated)
      conjugateRows(r, z, executor);
    lower.apply(Mode::N, conjugated ? same : r, z, executor);
    lower.apply(Mode::C, same, z, executor);
    if (conjugated)
      conjugateRows(same, z, executor);
  }

  int64_t bytes() const override { return values.bytes() + lower.bytes(); }

private:
  static ItemValues<T> factorized(const Matrix<T> &A,
                                  const tsgu_executor &executor) {
    const std::vector<int64_t> diagonal = findDiagonal(A, "IC(0)");
    ItemValues<T> values(A, executor);
    withRows(A, [&](auto *positions, auto *coordinates) {
      double shift = 0;
      int64_t row =
          tryShift(A, positions, coordinates, diagonal, shift, values.data());
      for (shift = 1e-3; row < A.rows() && shift < 1e9; shift *= 2)
        row =
            tryShift(A, positions, coordinates, diagonal, shift, values.data());
      if (row < A.rows())
        fail(Status::Singular, "IC(0): the pivot of ", nameOfRow(A, row),
             " is not positive, whatever is added to the diagonal; the matrix "
             "is badly scaled: scale it, or use ILU(0)");
    });
    return values;
  }

  template <typename I>
  static int64_t
  tryShift(const Matrix<T> &A, const I *positions, const I *coordinates,
           const std::vector<int64_t> &diagonal, double shift, T *values) {
    std::copy(A.values + positions[0], A.values + positions[A.rows()],
              values + positions[0]);
    for (int64_t i = 0; i < A.rows(); ++i) {
      T &entry = values[diagonal[i]];
      if (std::real(entry) <= 0)
        fail(Status::Singular, "IC(0): the diagonal of ", nameOfRow(A, i),
             " is ", entry,
             ", not positive: the matrix is not positive definite; use ILU(0) "
             "and a method for such matrices");
      entry = std::real(entry) * Real<T>(1 + shift);
    }
    return factorize(A.rows(), positions, coordinates, diagonal, values);
  }

  static void conjugateRows(Vectors<const T> from, Vectors<T> to,
                            const tsgu_executor &executor) {
    forRows(executor, to.length, 2 * to.count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < to.count; ++j)
          to.row(i)[j] = conjugate(from.row(i)[j]);
    });
  }

  ItemValues<T> values;
  PreparedTriangle<T> lower;
};

} // namespace

template <typename T>
Made<T> makeIncompleteCholesky(const Matrix<T> &A, const tsgu_solver &,
                               const tsgu_executor &executor) {
  return std::make_shared<IncompleteCholesky<T>>(A, executor);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeIncompleteCholesky(                                     \
      const Matrix<T> &, const tsgu_solver &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
