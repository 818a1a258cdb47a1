//===- Outputs.cpp - Memory of results, kept for the next ones ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Outputs.h"
#include "base/Memory.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <mutex>

#include <sys/mman.h>

namespace tsgu::runtime {

static constexpr int64_t least = int64_t{1} << 20;
static constexpr int64_t hugePage = int64_t{2} << 20;
static constexpr int64_t hugeThreshold = int64_t{4} << 20;
/// Kept as they are: to mark 1 MiB of small pages and write to it again takes
/// as long as a short product.
static constexpr int64_t warmLimit = int64_t{64} << 20;

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

Outputs::Block::Block(int64_t bytes) : bytes(bytes) {
  const int64_t slack = bytes >= hugeThreshold ? hugePage : 0;
  void *mapped = mmap(nullptr, static_cast<size_t>(add(bytes, slack)),
                      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                      /*offset=*/0);
  if (mapped == MAP_FAILED)
    fail(Status::OutOfMemory, "out of memory: ", bytes,
         " bytes could not be allocated");
  data = static_cast<char *>(mapped);
  if (slack) { // From one huge page's boundary to another.
    const int64_t before = static_cast<int64_t>(
        -reinterpret_cast<uintptr_t>(mapped) % uintptr_t{hugePage});
    data += before;
    if (before)
      munmap(mapped, static_cast<size_t>(before));
    if (before < slack)
      munmap(data + bytes, static_cast<size_t>(slack - before));
  }
  adviseHuge(data, bytes);
}

Outputs::Block::~Block() { munmap(data, static_cast<size_t>(bytes)); }

bool Outputs::Block::markFree() const {
#ifdef MADV_FREE
  return madvise(data, static_cast<size_t>(bytes), MADV_FREE) == 0;
#else
  return false;
#endif
}

int64_t Outputs::sizeFor(int64_t bytes) {
  bytes = std::max(bytes, least);
  const auto power =
      static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes)));
  const int64_t step =
      std::max(power / 8, bytes >= hugeThreshold ? hugePage : 0);
  return add(bytes, step - 1) / step * step;
}

size_t Outputs::shelfOf(int64_t bytes) {
  const auto size = static_cast<uint64_t>(bytes);
  const uint64_t power = std::bit_floor(size);
  const auto octave = static_cast<size_t>(std::countr_zero(power / least));
  return 8 * octave + (size - power) / (power / 8);
}

//===----------------------------------------------------------------------===//
// What is kept
//===----------------------------------------------------------------------===//

/// Never destroyed: results may outlive main.
Outputs &Outputs::get() {
  static Outputs *const outputs =
      new Outputs(cacheLimit("TSGU_OUTPUT_CACHE_BYTES", 8));
  return *outputs;
}

/// When the library is loaded: a child would wait for ever for what another
/// thread of its parent had begun to initialise.
[[gnu::constructor]] static void prepareForks() { Outputs::get(); }

/// The shelf whose last block was given longest ago; NULL: all are empty.
Outputs::Blocks *Outputs::longestAgo(Shelves &shelves) {
  Blocks *oldest = nullptr;
  for (Blocks &shelf : shelves)
    if (!shelf.empty() &&
        (!oldest || shelf.back().given < oldest->back().given))
      oldest = &shelf;
  return oldest;
}

/// The block of that size that was given last, if any.
Outputs::Blocks Outputs::take(int64_t bytes) {
  Blocks taken;
  const size_t shelf = shelfOf(bytes);
  Blocks &from = warm[shelf].empty() ? cold[shelf] : warm[shelf];
  if (from.empty())
    return taken;
  if (&from == &warm[shelf])
    warmBytes -= bytes;
  count.kept -= bytes;
  taken.splice(taken.begin(), from, from.begin());
  return taken;
}

void *Outputs::lend(Blocks &block) {
  void *data = block.front().data;
  known.emplace(data, block.begin());
  count.lent += block.front().bytes;
  lent.splice(lent.begin(), block);
  return data;
}

void *Outputs::allocate(int64_t bytes) {
  const int64_t size = sizeFor(bytes);
  Blocks block; // Where lending it fails, it goes back to the system.
  {
    std::lock_guard guard(lock);
    block = take(size);
    if (!block.empty()) {
      ++count.reused;
      return lend(block);
    }
  }
  try {
    block.emplace_back(size);
  } catch (const Error &) {
    release();
    block.emplace_back(size);
  }
  std::lock_guard guard(lock);
  ++count.mapped;
  return lend(block);
}

/// Takes out what is too much to be left as it is, the latest first.
void Outputs::limitWarm(Blocks &cooling) {
  while (warmBytes > warmLimit) {
    Blocks &from = *longestAgo(warm);
    warmBytes -= from.back().bytes;
    cooling.splice(cooling.begin(), from, std::prev(from.end()));
  }
}

/// Takes out what is too much to be kept. What was marked was given before what
/// is about to be, and that before what is warm.
void Outputs::limitKept(Blocks &cooling, Blocks &dropped) {
  while (count.kept > count.limit) {
    Blocks *from = longestAgo(cold);
    if (!from && !cooling.empty())
      from = &cooling;
    if (!from) {
      from = longestAgo(warm);
      warmBytes -= from->back().bytes;
    }
    count.kept -= from->back().bytes;
    dropped.splice(dropped.begin(), *from, std::prev(from->end()));
  }
}

/// Marks blocks that nobody can take meanwhile, and keeps them.
void Outputs::cool(Blocks &cooling, Blocks &dropped) {
  Blocks refused;
  for (auto block = cooling.begin(); block != cooling.end();) {
    auto next = std::next(block);
    if (!block->markFree())
      refused.splice(refused.begin(), cooling, block);
    block = next;
  }
  std::lock_guard guard(lock);
  for (const Block &block : refused)
    count.kept -= block.bytes;
  dropped.splice(dropped.begin(), refused);
  while (!cooling.empty()) {
    Blocks &shelf = cold[shelfOf(cooling.back().bytes)];
    shelf.splice(shelf.begin(), cooling, std::prev(cooling.end()));
  }
}

void Outputs::free(void *data) noexcept {
  Blocks cooling, dropped; // Unmapped at last, without the lock.
  {
    std::lock_guard guard(lock);
    auto found = known.find(data);
    if (found == known.end())
      return;
    Block &block = *found->second;
    count.lent -= block.bytes;
    block.given = ++clock;
    const bool keep = block.bytes <= count.limit;
    Blocks &to = keep ? warm[shelfOf(block.bytes)] : dropped;
    if (keep) {
      count.kept += block.bytes;
      warmBytes += block.bytes;
    }
    to.splice(to.begin(), lent, found->second);
    known.erase(found);
    limitWarm(cooling);
    limitKept(cooling, dropped);
  }
  if (!cooling.empty())
    cool(cooling, dropped);
}

bool Outputs::has(const void *data) {
  std::lock_guard guard(lock);
  return known.contains(data);
}

void Outputs::release() noexcept {
  Blocks dropped;
  std::lock_guard guard(lock);
  for (Shelves *shelves : {&warm, &cold})
    for (Blocks &shelf : *shelves) {
      for (const Block &block : shelf)
        count.kept -= block.bytes;
      dropped.splice(dropped.begin(), shelf);
    }
  warmBytes = 0;
}

Outputs::Counters Outputs::counters() {
  std::lock_guard guard(lock);
  return count;
}

} // namespace tsgu::runtime
