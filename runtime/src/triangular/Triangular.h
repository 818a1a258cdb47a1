//===- Triangular.h - Triangular solves -------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_TRIANGULAR_H
#define TSGU_SRC_TRIANGULAR_TRIANGULAR_H

#include "pattern/Matrix.h"

namespace tsgu::runtime {

/// The part of a matrix that a triangular solve reads.
struct Triangle {
  bool upper = false;
  bool unit = false; ///< The diagonal is 1; a stored one is ignored.
};

/// x = op(triangle of A)^-1 b; x may be b. Analyses the pattern at its first
/// use for this triangle; every mode and all values share the analysis. Throws
/// InvalidArgument unless A is square, Singular naming the first row whose
/// diagonal is missing or zero. Bitwise the same for every number of threads.
template <typename T>
void triangularSolve(const Matrix<T> &A, Triangle triangle, Mode mode,
                     Vectors<const T> b, Vectors<T> x,
                     const tsgu_executor &executor);

/// The same with the same bits, by packed values where the caller says that
/// they have been these for a while (tsgu_values_known).
template <typename T>
void solveTriangle(const Matrix<T> &A, Triangle triangle, Mode mode,
                   Vectors<const T> b, Vectors<T> x,
                   const tsgu_executor &executor);

/// Throws InvalidArgument, naming the first row, where the item stores diagonal
/// entries: the user of a unit triangle says that there are none.
void requireStrict(Pattern &pattern, int64_t item, bool upper);

/// to[k] = from[k] where entry k is in the triangle, else 0, for the values of
/// all items; `to` may be `from`, which costs nothing when every entry is in
/// it.
void keepTriangle(Pattern &pattern, Triangle triangle, ElementType type,
                  const void *from, void *to, const tsgu_executor &executor);

/// Analyses made in this process.
uint64_t triangularAnalyses();

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_TRIANGULAR_H
