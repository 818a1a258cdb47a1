//===- FailingAllocation.cpp - Memory that runs out when told to ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FailingAllocation.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace tsgu::test {
std::atomic<int64_t> live{0};
thread_local int64_t untilFailure = -1;

bool failsNow() { return untilFailure > 0 && --untilFailure == 0; }
} // namespace tsgu::test

using namespace tsgu::test;

static void *allocate(size_t size, size_t alignment) {
  if (failsNow())
    return nullptr;
  alignment = std::max(alignment, sizeof(void *));
  void *memory =
      std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
  live += memory != nullptr;
  return memory;
}

static void release(void *memory) {
  live -= memory != nullptr;
  std::free(memory);
}

void *operator new(size_t size) {
  if (void *memory = allocate(size, 16))
    return memory;
  throw std::bad_alloc();
}
void *operator new(size_t size, std::align_val_t alignment) {
  if (void *memory = allocate(size, static_cast<size_t>(alignment)))
    return memory;
  throw std::bad_alloc();
}
void *operator new(size_t size, std::align_val_t alignment,
                   const std::nothrow_t &) noexcept {
  return allocate(size, static_cast<size_t>(alignment));
}
void *operator new(size_t size, const std::nothrow_t &) noexcept {
  return allocate(size, 16);
}
void operator delete(void *memory) noexcept { release(memory); }
void operator delete(void *memory, size_t) noexcept { release(memory); }
void operator delete(void *memory, std::align_val_t) noexcept {
  release(memory);
}
void operator delete(void *memory, size_t, std::align_val_t) noexcept {
  release(memory);
}

// The linker (--wrap=malloc) leads calls of malloc here: Eigen's.
extern "C" void *__real_malloc(size_t size);
extern "C" void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
  return failsNow() ? nullptr : __real_malloc(size);
}
