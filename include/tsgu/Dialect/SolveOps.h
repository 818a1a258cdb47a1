//===- SolveOps.h - Reading solves of programs -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_DIALECT_SOLVEOPS_H
#define TSGU_DIALECT_SOLVEOPS_H

#include "tsgu/Dialect/TsguDialect.h"

namespace tsgu {

/// The operand, and its dimension, from which dimension `dim` of a solve's
/// result has its extent.
std::pair<mlir::Value, int64_t> getExtentOrigin(SolveOpInterface op,
                                                int64_t dim);

/// Where the matrix is a linalg.transpose, takes what it transposes instead and
/// transposes the mode. False if there was nothing to do, or no mode or (for a
/// triangular solve, of which the solver says the triangle) no solver fits.
bool foldTransposedMatrix(SolveOpInterface op);

} // namespace tsgu

#endif // TSGU_DIALECT_SOLVEOPS_H
