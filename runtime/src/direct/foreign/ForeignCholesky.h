//===- ForeignCholesky.h - Cholesky by a library of others ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library factorises S A S, S of powers of two that bring the diagonal to
// between 1 and 4, in double precision, whatever A's is. It is told the upper
// triangle, and both are compared before.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_FOREIGN_FOREIGNCHOLESKY_H
#define TSGU_SRC_DIRECT_FOREIGN_FOREIGNCHOLESKY_H

#include "direct/cholesky/Hermitian.h"
#include "direct/foreign/Columns.h"

namespace tsgu::runtime::foreign {

template <typename T> class ForeignCholesky : public Factorization<T> {
public:
  using W = Wide<T>;

  // The inverse is Hermitian, and that of A^T its conjugate.
  void apply(Mode mode, Vectors<const T> b, Vectors<T> x,
             const tsgu_executor &executor) const override {
    throughColumns(b, x, this->rowScale, this->rowScale, mode == Mode::T,
                   [&](std::vector<W> &y) { solve(y, b.count, executor); });
  }

  int64_t negative() const override { return 0; }

protected:
  ForeignCholesky(const char *name, const Matrix<T> &A) : name(name) {
    const auto symbolic = cholesky::analyse(A);
    const T *const own = A.values + A.pattern->csr().position(A.firstRow());
    auto &scale = this->rowScale;
    scale = cholesky::definiteScales(name, A, *symbolic, own);
    cholesky::requireHermitian(name, A, *symbolic, scale, own);
    this->columnScale = scale;
    starts.push_back(0);
    withRows(A, [&](auto *positions, auto *coordinates) {
      for (int64_t i = 0; i < A.rows(); ++i) {
        for (int64_t e = positions[i]; e < positions[i + 1]; ++e)
          if (const int64_t j = coordinates[e]; j >= i) {
            columns.push_back(j);
            values.push_back(W(A.values[e]) * double(scale[i]) *
                             double(scale[j]));
          }
        starts.push_back(static_cast<int64_t>(columns.size()));
      }
    });
    checkInterrupt();
  }

  /// y = (S A S)^-1 y, column by column.
  virtual void solve(std::vector<W> &y, int64_t count,
                     const tsgu_executor &executor) const = 0;

  [[noreturn]] void failIndefinite(const Matrix<T> &A, int64_t row) const {
    fail(Status::Singular, name, ": the matrix is not positive definite: ",
         "elimination leaves nothing above 0 of the diagonal of ",
         row < 0 || row >= A.rows() ? "a row" : nameOfRow(A, row),
         "; try \"lu\" or, if the matrix is singular, sparse_generic_lstsq");
  }
  [[noreturn]] void failStatus(int64_t status, int64_t outOfMemory) const {
    foreign::failStatus(name, status, outOfMemory);
  }

  const char *name;
  std::vector<int64_t> starts, columns; ///< Of the upper triangle, by rows.
  std::vector<W> values;
};

} // namespace tsgu::runtime::foreign

#endif // TSGU_SRC_DIRECT_FOREIGN_FOREIGNCHOLESKY_H
