//===- Preconditioners.h - Approximate inverses -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_H

#include "pattern/Prepared.h"

namespace tsgu::runtime {

/// The preconditioner that the solver's options ask for, an approximate inverse
/// whose `in` and `out` do not overlap; NULL for none. Prepared once for its
/// options and values, so that an adjoint solve computes none. Throws
/// InvalidArgument unless A is square, Singular naming the row of a zero or
/// missing pivot, and how to mend it.
template <typename T>
std::shared_ptr<const Prepared<T>>
makePreconditioner(const tsgu_solver &solver, const Matrix<T> &A,
                   const tsgu_executor &executor);

/// Preconditioners computed in this process.
uint64_t preconditionerSetups();

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_H
