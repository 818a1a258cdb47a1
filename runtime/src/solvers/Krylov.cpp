//===- Krylov.cpp - Iterative solves of one matrix ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Solve.h"

namespace tsgu::runtime {

template <typename T>
void solveIteratively(const Problem &, const Matrix<T> &, Vectors<const T>,
                      Vectors<T>, const tsgu_executor &) {
  fail(Status::InvalidArgument, "no iterative method yet");
}
template void solveIteratively(const Problem &, const Matrix<float> &,
                               Vectors<const float>, Vectors<float>,
                               const tsgu_executor &);
template void solveIteratively(const Problem &, const Matrix<double> &,
                               Vectors<const double>, Vectors<double>,
                               const tsgu_executor &);
template void solveIteratively(const Problem &,
                               const Matrix<std::complex<float>> &,
                               Vectors<const std::complex<float>>,
                               Vectors<std::complex<float>>,
                               const tsgu_executor &);
template void solveIteratively(const Problem &,
                               const Matrix<std::complex<double>> &,
                               Vectors<const std::complex<double>>,
                               Vectors<std::complex<double>>,
                               const tsgu_executor &);

} // namespace tsgu::runtime
