//===- tsgu-check.cpp - Reads a program where that can do no harm ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// `tsgu-check NAME < TEXT` says whether the text is a program (CheckProgram.h).
//
//===----------------------------------------------------------------------===//

#include "tsgu/CompilerInterface.h"
#include "tsgu/Engine/CheckAnswer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
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
  if (argc != 2) {
    std::cerr << "usage: tsgu-check NAME < TEXT\n";
    return 2;
  }
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  std::string reason;
  auto report = [](void *reason, const char *message) {
    *static_cast<std::string *>(reason) += message;
  };
  const int refused =
      tsgu_compiler_interface()->check(argv[1], text.c_str(), &reason, report);
  std::cout << (refused ? tsgu::programRefused : tsgu::programAccepted)
            << reason << std::flush;
  std::_Exit(0); // Nobody waits for memory to be freed.
}
