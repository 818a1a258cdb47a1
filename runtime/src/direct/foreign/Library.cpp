//===- Library.cpp - Other people's libraries, if they are there ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/foreign/Library.h"
#include "tsgu/Error.h"

#include <cstdlib>

#include <dlfcn.h>

namespace tsgu::runtime::foreign {

Library::Library(const char *method, const char *name,
                 std::initializer_list<const char *> files, const char *remedy)
    : method(method), name(name), remedy(remedy), handle(nullptr) {
  const char *named = secure_getenv("TSGU_LIBRARIES");
  const std::string folder = named && *named ? std::string(named) + '/' : "";
  std::string reason;
  for (const char *file : files) {
    handle = dlopen((folder + file).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle)
      return;
    const char *text = dlerror();
    reason += (reason.empty() ? "" : ", ") + std::string(text ? text : file);
  }
  fail(Status::InvalidArgument, method, ": there is no ", name, ": ", reason,
       "; ", remedy, ", or use the factorisations of tsgu (backend=\"tsgu\")");
}

void Library::refuse(const char *found) const {
  fail(Status::InvalidArgument, method, ": ", name, " is there, but ", found,
       ", which is not known here; ", remedy);
}

void *Library::address(const char *symbol) const {
  void *found = dlsym(handle, symbol);
  if (!found)
    refuse((std::string("has no function ") + symbol).c_str());
  return found;
}

} // namespace tsgu::runtime::foreign
