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

#define TSGU_PRECONDITIONER(number, enumerator, name, function, option,        \
                            otherwise)                                         \
  template <typename T>                                                        \
  Made<T> function(const Matrix<T> &A, const tsgu_solver &options,             \
                   const tsgu_executor &executor);
#include "tsgu/Methods.def"

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_PRECONDITIONERS_MAKERS_H
