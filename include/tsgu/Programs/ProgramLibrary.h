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

/// The files of lib/Programs/device: modules of device kernels that work on
/// patterns. They are no programs: nothing differentiates or batches them. They
/// name the index type of patterns' own layouts `!index`, that of derived
/// layouts `!derived`; both are i32 in the text.
llvm::ArrayRef<LibraryProgram> getDeviceLibraries();

} // namespace tsgu

#endif // TSGU_PROGRAMS_PROGRAMLIBRARY_H
