//===- Krylov.h - The methods by name ---------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_KRYLOV_H
#define TSGU_SRC_SOLVERS_KRYLOV_H

#include "Iteration.h"

namespace tsgu::runtime {

/// Of a tsgu_method for square matrices that iterates. Throws InvalidArgument
/// for others.
template <typename T> Task (*methodOf(int64_t method))(Iteration<T> &);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_KRYLOV_H
