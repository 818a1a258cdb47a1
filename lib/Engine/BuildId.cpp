//===- BuildId.cpp - Which build of the compiler is this? -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/BuildId.h"

#include <chrono>
#include <cstdint>
#include <elf.h>
#include <link.h>
#include <string>
#include <unistd.h>

/// Finds the note in a segment of notes: sizes of name and description, type,
/// then both, padded to 4 bytes.
static std::string findNote(const char *next, const char *end) {
  while (next + sizeof(ElfW(Nhdr)) <= end) {
    auto *note = reinterpret_cast<const ElfW(Nhdr) *>(next);
    const char *name = next + sizeof(*note);
    const char *description = name + ((note->n_namesz + 3) & ~3u);
    if (note->n_type == NT_GNU_BUILD_ID)
      return {description, note->n_descsz};
    next = description + ((note->n_descsz + 3) & ~3u);
  }
  return {};
}

/// Looks for the object that contains this very function.
static int visitObject(dl_phdr_info *info, size_t, void *found) {
  auto here = reinterpret_cast<uintptr_t>(&visitObject);
  bool contains = false;
  std::string id;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD)
      contains |= here >= begin && here < begin + segment.p_memsz;
    else if (segment.p_type == PT_NOTE && id.empty())
      id = findNote(reinterpret_cast<const char *>(begin),
                    reinterpret_cast<const char *>(begin + segment.p_memsz));
  }
  if (contains)
    *static_cast<std::string *>(found) = id;
  return contains;
}

llvm::StringRef tsgu::getBuildId() {
  static const std::string id = [] {
    std::string found;
    dl_iterate_phdr(visitObject, &found);
    if (found.empty())
      found = std::to_string(::getpid()) + "@" +
              std::to_string(
                  std::chrono::steady_clock::now().time_since_epoch().count());
    return found;
  }();
  return id;
}
