//===- ArgumentChecks.h - Do the tensors of a solve fit? --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_API_ARGUMENTCHECKS_H
#define TSGU_SRC_API_ARGUMENTCHECKS_H

#include "pattern/Matrix.h"
#include "program/Signature.h"

namespace tsgu::runtime {

/// Throws InvalidArgument unless the condition holds.
void requireNotNull(bool condition, const char *name);

/// What a program is called with. Throws InvalidArgument where there is less.
Arguments argumentsOf(tsgu_pattern *const *patterns, int32_t patternCount,
                      const tsgu_tensor *operands, int32_t operandCount);

/// Throws InvalidArgument unless `values` are values[stored] of the pattern in
/// a type that solvers compute in.
void checkValues(const Pattern &pattern, const tsgu_tensor *values);

/// Right-hand sides and solutions of all items: b is [n, p] or [items, n, p].
struct SystemShape {
  int64_t columns;
  int64_t bItem, xItem; ///< Strides between items; 0 for one matrix.
  int64_t bRow, xRow;
};

/// Throws InvalidArgument unless b and x fit op(A) x = b in shape and type, and
/// do not overlap; `inPlace`: x may be b.
SystemShape checkSystem(const Pattern &pattern, tsgu_mode mode, tsgu_type type,
                        const tsgu_tensor *b, const tsgu_tensor *x,
                        bool inPlace);

/// Throws InvalidArgument if the tensors share memory.
void checkApart(const char *name, const tsgu_tensor &tensor,
                const char *resultName, const tsgu_tensor &result);

/// Throws InvalidArgument for an executor of threads that has no way to them.
void checkExecutor(const tsgu_executor *executor);

} // namespace tsgu::runtime

#endif // TSGU_SRC_API_ARGUMENTCHECKS_H
