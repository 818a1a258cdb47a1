//===- Outputs.h - Memory of results, kept for the next ones ----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A first touch of memory costs more than the product that writes it. Blocks
// that results leave are kept by size, and the last one given is the first one
// taken, for it is in the caches. Beyond a few, which are still warm, they are
// marked as free, so that the kernel takes their pages when it needs some; a
// write makes a page the block's own again, and costs nothing on huge pages.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_OUTPUTS_H
#define TSGU_SRC_BASE_OUTPUTS_H

#include "base/ForkSafeMutex.h"

#include <array>
#include <cstdint>
#include <list>
#include <unordered_map>

namespace tsgu::runtime {

class Outputs {
public:
  struct Counters {
    uint64_t reused = 0, mapped = 0;
    int64_t lent = 0, kept = 0, limit = 0;
  };

  /// Never destroyed: results may outlive main.
  static Outputs &get();

  /// How many bytes a block for so many has: one of eight sizes between two
  /// powers of two, and whole huge pages from 4 MiB.
  static int64_t sizeFor(int64_t bytes);

  explicit Outputs(int64_t limit) { count.limit = limit; }
  Outputs(const Outputs &) = delete;
  Outputs &operator=(const Outputs &) = delete;

  /// Throws OutOfMemory, where what is kept was not enough either.
  void *allocate(int64_t bytes);
  void free(void *data) noexcept;
  bool has(const void *data);
  /// Gives back to the system what is kept.
  void release() noexcept;
  Counters counters();

private:
  /// Pages of its own.
  struct Block {
    /// Throws OutOfMemory.
    explicit Block(int64_t bytes);
    Block(const Block &) = delete;
    Block &operator=(const Block &) = delete;
    ~Block();
    bool markFree() const;

    char *data;
    int64_t bytes;
    uint64_t given = 0; ///< when it was last given back
  };
  /// Blocks move between lists, which takes no memory.
  using Blocks = std::list<Block>;
  static constexpr size_t sizes = 8 * 43;
  using Shelves = std::array<Blocks, sizes>; ///< by size, the latest first

  static size_t shelfOf(int64_t bytes);
  static Blocks *longestAgo(Shelves &shelves);
  Blocks take(int64_t bytes);
  void *lend(Blocks &block);
  void limitWarm(Blocks &cooling);
  void limitKept(Blocks &cooling, Blocks &dropped);
  void cool(Blocks &cooling, Blocks &dropped);

  ForkSafeMutex lock;
  Shelves warm; ///< as they were left
  Shelves cold; ///< marked as free
  int64_t warmBytes = 0;
  uint64_t clock = 0;
  Blocks lent;
  std::unordered_map<const void *, Blocks::iterator> known; ///< those lent
  Counters count;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_OUTPUTS_H
