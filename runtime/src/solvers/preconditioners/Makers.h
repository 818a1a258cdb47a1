//===- Makers.h - One function for each preconditioner ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A is square, and its values need not outlive what is made.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_PRECONDITIONERS_MAKERS_H
#define TSGU_SRC_SOLVERS_PRECONDITIONERS_MAKERS_H

#include "solvers/Preconditioners.h"

namespace tsgu::runtime {

template <typename T> using Made = std::shared_ptr<const Prepared<T>>;

template <typename T>
Made<T> makeJacobi(const Matrix<T> &A, const tsgu_executor &executor);

template <typename T>
Made<T> makeBlockJacobi(const Matrix<T> &A, int64_t blockSize,
                        const tsgu_executor &executor);

template <typename T>
Made<T> makeSSOR(const Matrix<T> &A, double relaxation,
                 const tsgu_executor &executor);

template <typename T>
Made<T> makeIncompleteLU(const Matrix<T> &A, const tsgu_executor &executor);

template <typename T>
Made<T> makeIncompleteCholesky(const Matrix<T> &A,
                               const tsgu_executor &executor);

template <typename T>
Made<T> makeSmoothedAggregation(const Matrix<T> &A,
                                const tsgu_executor &executor);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_MAKERS_H
