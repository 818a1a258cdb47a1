//===- Product.h - A matrix times a block of vectors ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRODUCT_H
#define TSGU_SRC_SOLVERS_PRODUCT_H

#include "solvers/Iteration.h"

#include <memory>

namespace tsgu::runtime {

/// Products with op(A) 2^exponent and its adjoint; the exponent is 0 unless the
/// values are so large or so small that inner products would leave their range.
template <typename T> class Product {
public:
  Product(const Matrix<T> &A, Mode mode, const tsgu_executor &executor);
  ~Product();

  int64_t rows() const;
  int64_t columns() const;
  int exponent() const { return scale; }

  /// Answers a request for a product.
  void serve(const Request<T> &request);

private:
  struct Side;
  const Side &side(bool adjoint);

  Matrix<T> A;
  Mode mode;
  tsgu_executor executor;
  int scale = 0;
  std::unique_ptr<Side> forward, backward;
};

/// The sums that a request asks for, of a product made elsewhere.
template <typename T> void makeSums(VectorOps<T> &ops, const Request<T> &);

/// Row, column and value of the first entry that is not finite: "row 3, column
/// 4: nan"; empty if there is none.
template <typename T> std::string firstNotFinite(const Matrix<T> &A);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRODUCT_H
