//===- Scratch.cpp - Memory kept between runs -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Scratch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <new>

namespace tsgu::runtime {
namespace {

/// Whoever finds the list in use goes without: memory is then allocated or
/// freed. So nobody waits, not even in the child of a fork that happened while
/// another thread held the lock.
class FreeList {
public:
  Block take(int64_t bytes) {
    std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
    if (!lock)
      return Block();
    Place *best = nullptr;
    for (Place &place : places)
      if (int64_t size = place.block.bytes();
          size >= bytes && size / 2 <= bytes &&
          (!best || size < best->block.bytes()))
        best = &place;
    if (!best)
      return Block();
    total.fetch_sub(best->block.bytes());
    return std::move(best->block);
  }

  /// Keeps the block, in place of the ones given longest ago.
  void give(Block block) {
    std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
    if (!lock || block.bytes() > maximum)
      return;
    while (total.load() + block.bytes() > maximum)
      drop(*std::min_element(places.begin(), places.end(), longerAgo));
    auto place = std::find_if(places.begin(), places.end(),
                              [](Place &p) { return !p.block.data(); });
    if (place == places.end()) {
      place = std::min_element(places.begin(), places.end(), longerAgo);
      drop(*place);
    }
    total.fetch_add(block.bytes());
    place->block = std::move(block);
    place->given = ++gifts;
  }

  std::atomic<int64_t> total{0};

private:
  struct Place {
    Block block;
    uint64_t given = 0;
  };

  static bool longerAgo(const Place &a, const Place &b) {
    return a.block.data() && (!b.block.data() || a.given < b.given);
  }

  void drop(Place &place) {
    total.fetch_sub(place.block.bytes());
    place.block = Block();
  }

  static constexpr int64_t maximum = int64_t{256} << 20;
  std::mutex mutex;
  std::array<Place, 16> places;
  uint64_t gifts = 0;
};

FreeList &freeList() {
  // Outlives threads that outlive main, and asks for no memory: the counters,
  // which cannot fail, read it.
  alignas(FreeList) static char storage[sizeof(FreeList)];
  static FreeList &list = *new (storage) FreeList;
  return list;
}

[[gnu::constructor]] void prepareForks() { freeList(); }

} // namespace

Scratch::Scratch(int64_t bytes) {
  if (bytes == 0)
    return;
  bytes = std::max<int64_t>(bytes, 4096); // So that small ones fit each other.
  block = freeList().take(bytes);
  if (!block.data())
    block = Block(bytes);
}

Scratch::~Scratch() {
  if (block.data())
    freeList().give(std::move(block));
}

int64_t Scratch::kept() { return freeList().total.load(); }

} // namespace tsgu::runtime
