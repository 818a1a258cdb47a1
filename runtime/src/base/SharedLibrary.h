//===- SharedLibrary.h - Libraries opened when needed -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_SHAREDLIBRARY_H
#define TSGU_SRC_BASE_SHAREDLIBRARY_H

#include <string>

namespace tsgu::runtime {

/// The path of a file in the folder of the library (or program) that this code
/// is part of.
std::string besideThisLibrary(const char *file);

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_SHAREDLIBRARY_H
