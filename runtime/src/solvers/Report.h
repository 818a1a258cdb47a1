//===- Report.h - How a solve ended, for people -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_REPORT_H
#define TSGU_SRC_SOLVERS_REPORT_H

#include "solvers/Refinement.h"
#include "solvers/Solve.h"

#include <string>

namespace tsgu::runtime {

/// One or two sentences: the method, how many columns failed and why, the worst
/// residual and its goal, what to try. `flaw` is a sentence about the matrix,
/// or empty.
std::string explain(const tsgu_solver &solver, const Result &result,
                    const std::string &flaw);

/// The outcome that points into `result` and `explanation`.
tsgu_outcome outcomeOf(const tsgu_solver &solver, Mode mode, int64_t item,
                       const Result &result, const std::string &explanation);

/// Concludes the solve.
template <typename T>
void report(const Problem &problem, const Matrix<T> &A, const Result &result);

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_REPORT_H
