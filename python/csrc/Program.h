//===- Program.h - A program as the operators know it -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_PROGRAM_H
#define TSGU_TORCH_PROGRAM_H

#include "tsgu/tsgu.h"

#include <vector>

namespace tsgu::torch_plugin {

struct Program {
  struct Operand {
    int32_t pattern = -1; ///< >= 0: values on this pattern
    bool read = true;     ///< false: only its shape matters
    bool solver = false;  ///< a tsgu_solver, as int64
  };
  tsgu_program *program = nullptr;
  int32_t patterns = 0;
  std::vector<Operand> operands;
  int32_t resultPattern = -1;
  /// Whether entries that name one element of the matrix may be summed. Not for
  /// a program with a sparse result, where the sum has no place to be returned.
  bool sumsRepeated = true;
};

/// The program with this number. Operators carry numbers, not pointers, so that
/// a wrong one is an error. Fails with a ValueError.
const Program &findProgram(int64_t number);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_PROGRAM_H
