//===- Triangular.cpp - Triangular solves ---------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Triangular.h"

namespace tsgu::runtime {

template <typename T>
void triangularSolve(const Matrix<T> &A, Triangle triangle, Mode mode,
                     Vectors<const T> b, Vectors<T> x, const tsgu_executor &) {
  const Layout &csr = A.pattern->csr();
  auto crd = [&](int64_t k) -> int64_t {
    return csr.indexType == ElementType::I32
               ? static_cast<const int32_t *>(csr.coordinates)[k]
               : static_cast<const int64_t *>(csr.coordinates)[k];
  };
  const int64_t n = A.rows();
  const bool backwards = triangle.upper != (mode != Mode::N);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < b.count; ++j)
      x.row(i)[j] = b.row(i)[j];
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = backwards ? n - 1 - step : step;
    T diagonal = T(triangle.unit ? 1 : 0);
    const int64_t row = A.firstRow() + i;
    for (int64_t k = csr.position(row); k < csr.position(row + 1); ++k)
      if (crd(k) == i && !triangle.unit)
        diagonal = A.values[k];
    if (diagonal == T(0))
      fail(Status::Singular, "the diagonal of row ", i, " is zero or missing");
    if (mode == Mode::C)
      diagonal = conjugate(diagonal);
    auto inside = [&](int64_t c) { return triangle.upper ? c > i : c < i; };
    for (int64_t j = 0; j < b.count; ++j) {
      if (mode == Mode::N)
        for (int64_t k = csr.position(row); k < csr.position(row + 1); ++k)
          if (inside(crd(k)))
            x.row(i)[j] -= A.values[k] * x.row(crd(k))[j];
      x.row(i)[j] /= diagonal;
      if (mode != Mode::N)
        for (int64_t k = csr.position(row); k < csr.position(row + 1); ++k)
          if (inside(crd(k)))
            x.row(crd(k))[j] -=
                (mode == Mode::C ? conjugate(A.values[k]) : A.values[k]) *
                x.row(i)[j];
    }
  }
}
template void triangularSolve(const Matrix<float> &, Triangle, Mode,
                              Vectors<const float>, Vectors<float>,
                              const tsgu_executor &);
template void triangularSolve(const Matrix<double> &, Triangle, Mode,
                              Vectors<const double>, Vectors<double>,
                              const tsgu_executor &);
template void triangularSolve(const Matrix<std::complex<float>> &, Triangle,
                              Mode, Vectors<const std::complex<float>>,
                              Vectors<std::complex<float>>,
                              const tsgu_executor &);
template void triangularSolve(const Matrix<std::complex<double>> &, Triangle,
                              Mode, Vectors<const std::complex<double>>,
                              Vectors<std::complex<double>>,
                              const tsgu_executor &);

void keepTriangle(Pattern &pattern, Triangle triangle, ElementType type,
                  const void *from, void *to, const tsgu_executor &) {
  const Layout &csr = pattern.csr();
  withValueType(type, [&]<typename T>(T) {
    for (int64_t row = 0; row < csr.rows; ++row)
      for (int64_t k = csr.position(row); k < csr.position(row + 1); ++k) {
        const int64_t i = row % pattern.rows();
        const int64_t c =
            csr.indexType == ElementType::I32
                ? static_cast<const int32_t *>(csr.coordinates)[k]
                : static_cast<const int64_t *>(csr.coordinates)[k];
        const bool keep = c == i ? !triangle.unit : triangle.upper == (c > i);
        static_cast<T *>(to)[k] = keep ? static_cast<const T *>(from)[k] : T(0);
      }
  });
}

uint64_t triangularAnalyses() { return 0; }

} // namespace tsgu::runtime
