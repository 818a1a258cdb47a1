//===- Cholesky.cpp - Hermitian positive definite matrices --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// P S A S P^T = L L^H, S of powers of two that bring the diagonal to between 1
// and 4. Both triangles have to be stored and to agree; of each pair of entries
// the one is read that stands in the row eliminated first. Without positive
// pivots nothing bounds the growth of L, so they are demanded.
//
//===----------------------------------------------------------------------===//

#include "direct/cholesky/Hermitian.h"

namespace tsgu::runtime {
namespace {

using namespace cholesky;

template <typename T> class Cholesky : public HermitianFactors<T> {
public:
  Cholesky(const Matrix<T> &A, const tsgu_executor &executor)
      : HermitianFactors<T>(analyse(A), false) {
    const Layout &csr = A.pattern->csr();
    const T *values = A.values + csr.position(A.firstRow());
    auto &scale = this->rowScale;
    scale = definiteScales("cholesky", A, *this->factor.symbolic, values);
    requireHermitian("cholesky", A, *this->factor.symbolic, scale, values);
    this->columnScale = scale;
    const Stop stop = factorise(this->factor, values, scale, executor);
    if (stop.column >= 0)
      failAt(A, stop);
    this->findWeakest();
  }

  void halfSolve(Mode mode, Vectors<const T> b, Vectors<T> x,
                 const tsgu_executor &executor) const override {
    const typename HermitianFactors<T>::Rows rows(b.length, b.count,
                                                  mode == Mode::T);
    const bool forward = mode == Mode::N;
    this->read(rows, b, forward);
    substitute(this->factor, forward, rows.y, rows.width, executor);
    this->write(rows, x, !forward);
  }

private:
  [[noreturn]] void failAt(const Matrix<T> &A, const Stop &stop) const {
    const Index row = this->factor.symbolic->order[stop.column];
    const auto scale = double(this->rowScale[row]);
    fail(Status::Singular, "cholesky: the matrix is not positive ",
         "definite: elimination leaves ", stop.pivot / (scale * scale),
         " of the diagonal of ", nameOfRow(A, row),
         "; try \"lu\" or, if the matrix is singular, sparse_generic_lstsq");
  }
};

} // namespace

template <typename T>
Factors<T> factorizeCholesky(const Matrix<T> &A,
                             const tsgu_executor &executor) {
  return std::make_shared<Cholesky<T>>(A, executor);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> factorizeCholesky(const Matrix<T> &,                     \
                                        const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
