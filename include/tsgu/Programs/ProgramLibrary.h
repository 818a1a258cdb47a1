//===- ProgramLibrary.h - The programs that come with tsgu -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_PROGRAMS_PROGRAMLIBRARY_H
#define TSGU_PROGRAMS_PROGRAMLIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace tsgu {

struct LibraryProgram {
  llvm::StringRef name;
  llvm::StringRef text; ///< MLIR.
};

/// The files of lib/Programs, in the order of their names.
llvm::ArrayRef<LibraryProgram> getProgramLibrary();

} // namespace tsgu

#endif // TSGU_PROGRAMS_PROGRAMLIBRARY_H
