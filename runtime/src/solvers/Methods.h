//===- Methods.h - The table of methods -------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_METHODS_H
#define TSGU_SRC_SOLVERS_METHODS_H

#include "tsgu/tsgu.h"

#include <string>

namespace tsgu::runtime {

/// A line of tsgu/Methods.def.
struct Method {
  enum Needs : uint8_t { Any, Hermitian, Definite };
  const char *enumerator, *name, *title;
  tsgu_kind kind = TSGU_OTHER;
  Needs needs = Any;
  int32_t products = 1; ///< That an iteration takes.
};

/// By number; throws InvalidArgument for one that no method has.
const Method &methodAt(int64_t number);
int64_t methodCount();
/// The enumerators of those for square matrices, with commas between them.
std::string squareMethods();

/// NULL: there is no such preconditioner.
const char *preconditionerName(int64_t number);
/// With TSGU_NO_PRECONDITIONER.
int64_t preconditionerCount();

inline bool isDirect(int64_t number) {
  return methodAt(number).kind == TSGU_DIRECT;
}

inline bool isLeastSquares(int64_t number) {
  return number == TSGU_LSMR || number == TSGU_QR;
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_METHODS_H
