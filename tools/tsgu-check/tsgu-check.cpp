//===- tsgu-check.cpp - Reads a program where that can do no harm
//------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// `tsgu-check NAME < TEXT` says whether the text is a program (CheckProgram.h).
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/CheckProgram.h"
#include "tsgu/Engine/Context.h"
#include "tsgu/Engine/ParseProgram.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstdlib>
#include <sys/resource.h>

/// So that a text which has the parser run away ends this process alone. What
/// waits for it has a limit of its own; this one holds if it is gone.
static void limit() {
  auto set = [](auto resource, rlim_t most) {
    rlimit limit;
    if (getrlimit(resource, &limit) == 0) {
      limit.rlim_cur = std::min(limit.rlim_max, most);
      setrlimit(resource, &limit);
    }
  };
  set(RLIMIT_CORE, 0);
  set(RLIMIT_CPU, 60);
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  set(RLIMIT_AS, rlim_t(4) << 30);
#endif
}

int main(int argc, char **argv) {
  limit();
  auto text = llvm::MemoryBuffer::getSTDIN();
  if (argc != 2 || !text) {
    llvm::errs() << "usage: tsgu-check NAME < TEXT\n";
    return 2;
  }
  auto context = tsgu::createContext();
  auto module = tsgu::parseProgram(argv[1], (*text)->getBuffer(), *context);
  if (module)
    llvm::outs() << tsgu::programAccepted;
  else
    llvm::outs() << tsgu::programRefused << toString(module.takeError());
  llvm::outs().flush();
  std::_Exit(0); // Nobody waits for memory to be freed.
}
