//===- CheckProgram.h - Text is read by a child first ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some malformed texts take down MLIR's own parser, and with it the process.
// So a text that is not the library's goes to a child process first, which
// reads it as parseProgram() will. Whatever becomes of the child is an error.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_CHECKPROGRAM_H
#define TSGU_ENGINE_CHECKPROGRAM_H

#include "tsgu/Engine/CheckAnswer.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace tsgu {

/// The program tsgu-check, and how long it may take.
struct Checker {
  std::string path;
  unsigned seconds = 60;

  /// $TSGU_CHECKER, or tsgu-check beside this library or in ../bin; an empty
  /// path if there is none.
  static Checker find();
};

/// Succeeds if a child process could read the text, and found it a program.
llvm::Error checkProgram(const Checker &checker, llvm::StringRef name,
                         llvm::StringRef text);

} // namespace tsgu

#endif // TSGU_ENGINE_CHECKPROGRAM_H
