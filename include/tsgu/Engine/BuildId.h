//===- BuildId.h - Which build of the compiler is this? --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_BUILDID_H
#define TSGU_ENGINE_BUILDID_H

#include "llvm/ADT/StringRef.h"

namespace tsgu {

/// The linker's build id of the library or program that holds this code:
/// another one for any other code. Where there is none, one for this process
/// alone.
llvm::StringRef getBuildId();

} // namespace tsgu

#endif // TSGU_ENGINE_BUILDID_H
