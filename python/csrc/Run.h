//===- Run.h - One run of a program over torch tensors ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_RUN_H
#define TSGU_TORCH_RUN_H

#include "IndexArrays.h"
#include "Program.h"

#include <utility>

namespace tsgu::torch_plugin {

/// The result of `program` for the patterns and operands given. Sparse operands
/// and results are values per entry of the index tensors, in their order.
/// Operands whose last stride is not 1 are copied first.
TensorHandle run(const Program &program, IndexArrays *patterns,
                 int32_t patternCount, const AtenTensorHandle *operands,
                 int32_t operandCount);

/// The results of two programs of one pattern and the same operands.
std::pair<TensorHandle, TensorHandle>
run(const Program &first, const Program &second, IndexArrays &pattern,
    const AtenTensorHandle *operands, int32_t operandCount);

/// op(A)^-1 b by the solver given, from `guess`, whose shape the result has.
TensorHandle solveFrom(tsgu_mode mode, IndexArrays &pattern,
                       AtenTensorHandle solver, AtenTensorHandle values,
                       AtenTensorHandle b, AtenTensorHandle guess);

/// torch's threads, for one call of the runtime, and what fails after it where
/// they did.
tsgu_executor torchExecutor();
void requirePool();

/// The most operands and patterns of a program.
inline constexpr int32_t maxOperands = 32;
inline constexpr int32_t maxPatterns = 8;

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_RUN_H
