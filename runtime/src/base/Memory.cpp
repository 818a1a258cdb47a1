//===- Memory.cpp - Owned memory and huge pages ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Memory.h"

#include <cstdlib>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

namespace tsgu::runtime {

static constexpr int64_t hugePage = int64_t{2} << 20;
static constexpr int64_t hugeThreshold = int64_t{4} << 20;

static std::align_val_t alignmentOf(int64_t bytes) {
  return std::align_val_t(bytes >= hugeThreshold ? hugePage : 64);
}

Block::Block(int64_t bytes) : length(bytes) {
  if (bytes == 0)
    return;
  memory = ::operator new(static_cast<size_t>(bytes), alignmentOf(bytes),
                          std::nothrow);
  if (!memory)
    fail(Status::OutOfMemory, "out of memory: ", bytes,
         " bytes could not be allocated");
  adviseHuge(memory, bytes);
}

Block::~Block() {
  if (memory)
    ::operator delete(memory, alignmentOf(length));
}

void adviseHuge(void *data, int64_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  if (!data || bytes < hugeThreshold)
    return;
  auto begin = reinterpret_cast<uintptr_t>(data);
  uintptr_t end = (begin + static_cast<uintptr_t>(bytes)) / hugePage * hugePage;
  begin = (begin + hugePage - 1) / hugePage * hugePage;
  if (begin < end)
    madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

int64_t cacheLimit(const char *variable, int64_t parts) {
  if (const char *given = secure_getenv(variable)) {
    char *end = nullptr;
    const long long bytes = std::strtoll(given, &end, 10);
    if (end != given && *end == '\0' && bytes >= 0)
      return bytes;
  }
  const int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
  return pages > 0 && size > 0 ? pages / parts * size : int64_t{1} << 30;
}

} // namespace tsgu::runtime
