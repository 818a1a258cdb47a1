//===- Solves.h - Two ways to solve for a triangle --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_SOLVES_H
#define TSGU_SRC_TRIANGULAR_SOLVES_H

#include "triangular/Analysis.h"
#include "triangular/Kernels.h"
#include "triangular/Packed.h"

namespace tsgu::runtime {

template <typename T> struct TriangleSolve {
  const Matrix<T> &A;
  Triangle triangle;
  Mode mode;
  Vectors<const T> b;
  Vectors<T> x;
  const tsgu_executor &executor;
};

/// The analysis of the triangle of A. Throws InvalidArgument unless A is
/// square, Singular for a missing diagonal.
template <typename T>
std::shared_ptr<Analysis> analysed(const Matrix<T> &A, Triangle triangle);

/// Throws: there is a row whose diagonal is missing or zero.
template <typename T>
[[noreturn]] void failSingular(const Matrix<T> &A, bool upper);

/// Rows in their own order; each thread has some of the right-hand sides. Says
/// whether a zero was met on the diagonal.
template <typename T>
bool solveByRows(const TriangleSolve<T> &solve, const Analysis &analysis);

/// Level by level. `packed` NULL: from the pattern's values.
template <typename T>
bool solveBySweep(const TriangleSolve<T> &solve, const Sweep &sweep,
                  const Packed<T> *packed);

/// Whether sums are formed alike by rows and in a sweep.
template <typename T> bool sameBitsByRows(const TriangleSolve<T> &solve) {
  return solve.mode == Mode::N && solve.b.count == 1;
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_SOLVES_H
