//===- Preconditioners.h - Approximate inverses -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_H

#include "pattern/Matrix.h"

namespace tsgu::runtime {

template <typename T> class Preconditioner {
public:
  virtual ~Preconditioner() = default;

  /// z = M^-1 r, or the same with M^T or M^H; z and r do not overlap. Bitwise
  /// the same for every number of threads.
  virtual void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
                     const tsgu_executor &executor) const = 0;

  virtual int64_t bytes() const = 0;
};

/// The preconditioner that the solver's options ask for; NULL for none. Kept
/// with the pattern and found again by options and by the content of the
/// values, bit by bit, so that an adjoint solve computes none; a few are kept.
/// Throws InvalidArgument unless A is square, Singular naming the row of a zero
/// or missing pivot, and how to mend it.
template <typename T>
std::shared_ptr<const Preconditioner<T>>
makePreconditioner(const tsgu_solver &solver, const Matrix<T> &A,
                   const tsgu_executor &executor);

/// Preconditioners computed in this process.
uint64_t preconditionerSetups();

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_H
