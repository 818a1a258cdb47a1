//===- Matrix.h - Matrices and blocks of vectors of solvers -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_MATRIX_H
#define TSGU_SRC_PATTERN_MATRIX_H

#include "base/Numbers.h"
#include "pattern/Pattern.h"

namespace tsgu::runtime {

/// As tsgu_mode: A, its transpose, its conjugate transpose.
enum class Mode : uint8_t { N = 0, T = 1, C = 2 };

/// function(T{}) for float, double, complex<float> or complex<double>, the
/// types of solvers.
template <typename F>
decltype(auto) withValueType(ElementType type, F &&function) {
  switch (type) {
  case ElementType::F32:
    return function(float{});
  case ElementType::F64:
    return function(double{});
  case ElementType::C64:
    return function(std::complex<float>{});
  case ElementType::C128:
    return function(std::complex<double>{});
  default:
    fail(Status::Internal, "solvers compute in ", solverTypes, ", not in ",
         elementName(type));
  }
}

/// One matrix: item `item` of a pattern (0 for rank 2). Its row i is row
/// item * rows + i of the pattern's CSR layout, whose positions count from the
/// first item's first entry; `values` are those of all items.
template <typename T> struct Matrix {
  Pattern *pattern;
  int64_t item;
  const T *values;

  int64_t rows() const { return pattern->rows(); }
  int64_t columns() const { return pattern->columns(); }
  int64_t firstRow() const { return item * pattern->rows(); }
};

/// `count` vectors of length `length`: element i of vector j is
/// data[i * stride + j].
template <typename T> struct Vectors {
  T *data;
  int64_t length, count, stride;

  T *row(int64_t i) const { return data + i * stride; }
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_MATRIX_H
