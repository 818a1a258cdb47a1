//===- SharedLibrary.cpp - Libraries opened when needed -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/SharedLibrary.h"

#include <dlfcn.h>

namespace tsgu::runtime {

std::string besideThisLibrary(const char *file) {
  Dl_info info;
  const auto *self = reinterpret_cast<const void *>(&besideThisLibrary);
  if (!dladdr(self, &info) || !info.dli_fname)
    return file;
  const std::string own = info.dli_fname;
  return own.substr(0, own.rfind('/') + 1) + file;
}

} // namespace tsgu::runtime
