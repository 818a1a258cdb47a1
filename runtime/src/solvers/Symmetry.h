//===- Symmetry.h - Is a matrix its own adjoint? ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_SYMMETRY_H
#define TSGU_SRC_SOLVERS_SYMMETRY_H

#include "pattern/Matrix.h"

#include <string>

namespace tsgu::runtime {

/// Where a square matrix differs most from its adjoint, by more than rounding
/// errors: "entry (0, 1) is 2, entry (1, 0) is 1"; empty if it is Hermitian.
template <typename T> std::string asymmetry(const Matrix<T> &A);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_SYMMETRY_H
