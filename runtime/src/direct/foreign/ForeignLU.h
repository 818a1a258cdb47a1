//===- ForeignLU.h - LU by a library of others ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library factorises M = (R A C)^T, whose columns are the rows of A: a
// pivot belongs to a row of A. In double precision, whatever A's is.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_FOREIGN_FOREIGNLU_H
#define TSGU_SRC_DIRECT_FOREIGN_FOREIGNLU_H

#include "direct/foreign/Columns.h"
#include "direct/lu/Scales.h"

namespace tsgu::runtime::foreign {

template <typename T> class ForeignLU : public Factorization<T> {
public:
  using W = Wide<T>;

  // A^-1 = C M^-T R, A^-T = R M^-1 C, A^-H = conj(A^-T).
  void apply(Mode mode, Vectors<const T> b, Vectors<T> x,
             const tsgu_executor &executor) const override {
    const bool isForward = mode == Mode::N;
    throughColumns(
        b, x, isForward ? this->rowScale : this->columnScale,
        isForward ? this->columnScale : this->rowScale, mode == Mode::C,
        [&](std::vector<W> &y) { solve(isForward, y, b.count, executor); });
  }

protected:
  ForeignLU(const char *name, const Matrix<T> &A) : name(name) {
    setScales(name, A, *this);
    withRows(A, [&](auto *positions, auto *coordinates) {
      const int64_t n = A.rows(), first = positions[0];
      starts.assign(positions, positions + n + 1);
      rows.assign(coordinates + first, coordinates + positions[n]);
      values.resize(rows.size());
      for (int64_t i = 0; i < n; ++i)
        for (int64_t e = positions[i]; e < positions[i + 1]; ++e)
          values[e - first] = W(A.values[e]) * double(this->rowScale[i]) *
                              double(this->columnScale[coordinates[e]]);
      for (int64_t &start : starts)
        start -= first;
    });
    checkInterrupt();
  }

  /// y = M^-1 y, or M^-T y, column by column.
  virtual void solve(bool transposed, std::vector<W> &y, int64_t count,
                     const tsgu_executor &executor) const = 0;

  /// U has these pivots, of M's columns in this order.
  void setPivots(const W *pivots, const int64_t *columns) {
    for (size_t k = 0; k < this->rowScale.size(); ++k) {
      const auto pivot = static_cast<Real<T>>(std::abs(pivots[k]));
      if (pivot < this->weakestPivot || this->weakestRow < 0)
        this->weakestPivot = pivot, this->weakestRow = columns[k];
    }
  }
  Determinant<T> determinantOf(const W *pivots, int sign) const {
    ScaledProduct<W> product;
    product.multiply(W(double(sign)));
    for (size_t k = 0; k < this->rowScale.size(); ++k) {
      product.multiply(pivots[k]);
      product.divide(double(this->rowScale[k]));
      product.divide(double(this->columnScale[k]));
    }
    const Determinant<W> found = product.determinant();
    return {static_cast<T>(found.sign), static_cast<Real<T>>(found.log)};
  }

  [[noreturn]] void failSingular(const Matrix<T> &A, int64_t row) const {
    fail(Status::Singular, name, ": the matrix is singular: ",
         row < 0 || row >= A.rows() ? "a row" : nameOfRow(A, row),
         " is a combination of the rows eliminated before it; try "
         "sparse_generic_lstsq");
  }
  [[noreturn]] void failStatus(int64_t status, int64_t outOfMemory) const {
    foreign::failStatus(name, status, outOfMemory);
  }

  const char *name;
  std::vector<int64_t> starts, rows; ///< Of M, by columns.
  std::vector<W> values;
};

} // namespace tsgu::runtime::foreign

#endif // TSGU_SRC_DIRECT_FOREIGN_FOREIGNLU_H
