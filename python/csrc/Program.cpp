//===- Program.cpp - A program as the operators know it ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Program.h"
#include "Errors.h"

#include <array>
#include <atomic>

using namespace tsgu::torch_plugin;

/// Programs are added rarely, read at every call and never removed.
static std::array<std::atomic<const Program *>, 1 << 16> programs;
static std::atomic<int64_t> programCount;

/// Adds a program and returns its number, -1 when there is no room.
/// `operandPatterns[k]` is the pattern of operand k or -1, `read[k]` whether
/// the program reads it, `solver[k]` whether it is a solver.
extern "C" TSGU_API int64_t tsgu_torch_add_program(
    tsgu_program *program, int32_t patterns, int32_t operands,
    const int32_t *operandPatterns, const int32_t *read, const int32_t *solver,
    int32_t resultPattern, int32_t sumsRepeated) {
  int64_t number = programCount.fetch_add(1);
  if (number >= static_cast<int64_t>(programs.size()))
    return -1;
  auto *added =
      new Program{program, patterns, {}, resultPattern, sumsRepeated != 0};
  for (int32_t k = 0; k < operands; ++k)
    added->operands.push_back(
        {operandPatterns[k], read[k] != 0, solver[k] != 0});
  programs[static_cast<size_t>(number)].store(added, std::memory_order_release);
  return number;
}

const Program &tsgu::torch_plugin::findProgram(int64_t number) {
  if (number >= 0 && number < static_cast<int64_t>(programs.size()))
    if (const Program *program = programs[static_cast<size_t>(number)].load(
            std::memory_order_acquire))
      return *program;
  fail(ErrorKind::Value, "no program has the number " + std::to_string(number));
}
