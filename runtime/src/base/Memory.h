//===- Memory.h - Owned memory and huge pages -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_MEMORY_H
#define TSGU_SRC_BASE_MEMORY_H

#include "base/Arithmetic.h"

#include <cstdint>
#include <utility>

namespace tsgu::runtime {

/// Uninitialised memory, aligned to 64 bytes; large blocks ask for huge pages.
class Block {
public:
  Block() = default;
  /// Throws OutOfMemory. No bytes: data() is NULL.
  explicit Block(int64_t bytes);
  Block(Block &&other) noexcept
      : memory(std::exchange(other.memory, nullptr)),
        length(std::exchange(other.length, 0)) {}
  Block &operator=(Block &&other) noexcept {
    std::swap(memory, other.memory);
    std::swap(length, other.length);
    return *this;
  }
  ~Block();

  void *data() const { return memory; }
  int64_t bytes() const { return length; }
  template <typename T> T *as() const { return static_cast<T *>(memory); }

private:
  void *memory = nullptr;
  int64_t length = 0;
};

/// A block for `count` elements of type T.
template <typename T> Block blockOf(int64_t count) {
  return Block(multiply(count, static_cast<int64_t>(sizeof(T))));
}

/// Asks the kernel to back the whole huge pages inside `data` with huge pages,
/// where there are enough of them to matter (4 MiB). Only a hint.
void adviseHuge(void *data, int64_t bytes) noexcept;

/// How many bytes a cache may keep: what a variable of the environment says,
/// otherwise one part in `parts` of the machine's memory.
int64_t cacheLimit(const char *variable, int64_t parts);

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_MEMORY_H
