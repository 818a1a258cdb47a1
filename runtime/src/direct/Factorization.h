//===- Factorization.h - A factorised matrix --------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_FACTORIZATION_H
#define TSGU_SRC_DIRECT_FACTORIZATION_H

#include "direct/Determinant.h"
#include "pattern/Prepared.h"

#include <functional>
#include <memory>
#include <vector>

namespace tsgu::runtime {

/// The factors of R A C, where R and C are powers of two that bring the entries
/// to the size of 1. `in` and `out` do not overlap, and what becomes of a
/// column does not depend on the others.
template <typename T> class Factorization : public Prepared<T> {
public:
  virtual Determinant<T> determinant() const = 0;

  /// Entries of the factors, explicit zeros included, and additions and
  /// multiplications; 0: not known.
  virtual double entries() const { return 0; }
  virtual double flops() const { return 0; }
  /// Negative eigenvalues of A; -1: not known.
  virtual int64_t negative() const { return -1; }

  /// values[e] = conj((A^-1)(j, i)) for the e-th stored entry (i, j) of A's
  /// item, from 0: A^-H on A's pattern. Unless a method does better, by solves
  /// with as many right-hand sides as there are rows, in memory for 16.
  virtual void selectedInverse(const Matrix<T> &A, T *values,
                               const tsgu_executor &executor) const;

  /// values[e] = (A^-H D^H A^-H)(i, j) likewise, D on A's pattern with the
  /// values `direction`, from 0 as well: minus the derivative of the selected
  /// inverse in the direction D, and of its adjoint.
  virtual void selectedProduct(const Matrix<T> &A, const T *direction,
                               T *values, const tsgu_executor &executor) const;

  /// N: z = L^-1 P b; C: x = P^T L^-H z; T: with the transpose in place of the
  /// adjoint; for P A P^T = L L^H. Throws InvalidArgument where a method has no
  /// such factors.
  virtual void halfSolve(Mode mode, Vectors<const T> in, Vectors<T> out,
                         const tsgu_executor &executor) const;

  /// R and C; a method that leaves them out has ones.
  std::vector<Real<T>> rowScale, columnScale;
  /// Of the largest entry of A where that is far from 0, within what leaves
  /// room for solutions; else 0.
  int exponent = 0;
  /// The row of A whose pivot is the smallest, of a matrix with entries of 1.
  int64_t weakestRow = -1;
  Real<T> weakestPivot = 1;
};

/// The factorisation of A by a direct method, prepared once for its values; the
/// analysis of the pattern serves them all. Throws InvalidArgument for an entry
/// that is not finite, or for a matrix that is not Hermitian where it must be;
/// Singular, naming a row of A, for one that is singular to working precision
/// or not positive definite.
template <typename T>
std::shared_ptr<const Factorization<T>>
factorize(int64_t method, const Matrix<T> &A, const tsgu_executor &executor);

/// The size of the largest entry. Throws InvalidArgument for one that is not
/// finite, in the name of a method.
template <typename T> double largestEntry(const char *name, const Matrix<T> &A);
/// Of a matrix with that largest entry: Factorization::exponent.
template <typename T> int exponentOfMatrix(double largest);

/// Factorisations made in this process.
uint64_t factorizations();
void countFactorizations(int64_t more);

//===-- One function for each method, on a matrix of at least one row -----===//

template <typename T> using Factors = std::shared_ptr<Factorization<T>>;
#define TSGU_DIRECT_METHOD(number, enumerator, name, title, needs, function)   \
  template <typename T>                                                        \
  Factors<T> function(const Matrix<T> &A, const tsgu_executor &executor);
#include "tsgu/Methods.def"

/// An estimate of 1 / (norm1(R A C) norm1((R A C)^-1)): Condition.cpp.
template <typename T>
double reciprocalCondition(const Matrix<T> &A, const Factorization<T> &factors);
/// A lower bound of norm1(M^-1), most often within a factor of 3, of n x n.
/// multiply(v, adjoint): v = M^-1 v or M^-H v, in place.
template <typename T>
double
normOfInverse(const std::function<void(std::vector<T> &, bool)> &multiply,
              size_t n);

/// A power of two that brings `size` to between 1 and 2, unless it is so small
/// or large that right-hand sides could not be multiplied by it; 1 for 0.
template <typename R> R scaleOf(R size);

} // namespace tsgu::runtime

#endif // TSGU_SRC_DIRECT_FACTORIZATION_H
