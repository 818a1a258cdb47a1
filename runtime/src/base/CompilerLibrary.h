//===- CompilerLibrary.h - libtsgu-compiler, opened when needed -*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_COMPILERLIBRARY_H
#define TSGU_SRC_BASE_COMPILERLIBRARY_H

#include "tsgu/CompilerInterface.h"
#include "tsgu/Manifest.h"

#include <string>
#include <vector>

namespace tsgu::runtime {

// The compiler is used under processLock() alone: a fork finds it at rest.
// All functions throw CompileFailed with what the compiler reported.

/// Opens the compiler from this file. Throws InvalidArgument if another one is
/// in use already.
void openCompiler(const std::string &library);

/// The version of LLVM in the compiler, which is opened.
const char *llvmVersion();

void addProgram(const std::string &name, const std::string &text);
Manifest signatureOf(const std::string &path);
const tsgu_object &compile(const std::string &path,
                           const tsgu_specialization &specialization);
/// An object file for a CPU; null: this machine's.
std::vector<uint8_t> emit(const std::string &path,
                          const tsgu_specialization &specialization,
                          const char *cpu);

/// Zero while no compiler is open.
void compilerCounters(uint64_t &compiled, uint64_t &loaded);

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_COMPILERLIBRARY_H
