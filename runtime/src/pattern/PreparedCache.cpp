//===- PreparedCache.cpp - Where prepared things are found ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/PreparedCache.h"
#include "base/Memory.h"
#include "pattern/Prepared.h"

#include <algorithm>
#include <mutex>

namespace tsgu::runtime {

thread_local KnownValues KnownValues::here;
thread_local Keeping *Keeping::current = nullptr;

//===----------------------------------------------------------------------===//
// What a caller keeps
//===----------------------------------------------------------------------===//

Keeping::~Keeping() {
  for (auto &[pattern, made] : held) {
    made.reset(); // It refers to the pattern.
    pattern->release();
  }
}

void Keeping::add(Pattern &pattern,
                  const std::shared_ptr<const AnyPrepared> &made) {
  if (!current)
    return;
  for (const auto &[of, other] : current->held)
    if (other == made)
      return;
  current->held.emplace_back(&pattern, made);
  pattern.retain();
}

//===----------------------------------------------------------------------===//
// The cache
//===----------------------------------------------------------------------===//

/// Of one item, kind and type two are kept, so that solves with two matrices
/// may alternate, and up to `most` that have no more than this together, the
/// bytes being those of all items: values that go by leave little behind.
static constexpr size_t few = 2, most = 128;
static constexpr int64_t fewBytes = int64_t{64} << 20;
/// What an entry costs besides.
static constexpr int64_t entryBytes = 512;
static constexpr size_t mostNumbers = 4;

struct PreparedCache::Entry {
  std::array<int64_t, 2> options;
  ContentHash content;
  std::vector<uint64_t> numbers; ///< The latest ones that stood for it.
  std::weak_ptr<const AnyPrepared> made;
  Shared kept;
  int64_t bytes = 0;                  ///< While it is kept.
  std::list<Entry *>::iterator place; ///< In `kept`, or in `spare`.

  bool is(uint64_t number) const {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
  }
  void call(uint64_t number) {
    if (number == 0 || is(number))
      return;
    if (numbers.size() == mostNumbers)
      numbers.erase(numbers.begin());
    numbers.push_back(number);
  }
};

PreparedCache::PreparedCache() {
  count.limit = cacheLimit("TSGU_PREPARED_CACHE_BYTES", 16);
}

/// Never destroyed: patterns may go later.
PreparedCache &PreparedCache::get() {
  static PreparedCache *const cache = new PreparedCache;
  return *cache;
}

/// When the library is loaded: a child would wait for ever for what another
/// thread of its parent had begun to initialise.
[[gnu::constructor]] static void prepareForks() { PreparedCache::get(); }

template <typename F>
PreparedCache::Shared PreparedCache::findIf(Pattern &pattern,
                                            const PreparedKey &key,
                                            uint64_t number, F &&fits) {
  Dropped dropped; // Freed without the lock.
  std::lock_guard guard(lock);
  auto shelf = shelves.find(&pattern);
  if (shelf == shelves.end())
    return nullptr;
  auto known = shelf->second.find({key.item, key.kind, key.type});
  if (known == shelf->second.end())
    return nullptr;
  Slot &slot = known->second;
  const auto at =
      std::find_if(slot.begin(), slot.end(), [&](const auto &entry) {
        return entry->options == key.options && fits(*entry);
      });
  Shared found = at == slot.end() ? nullptr : (*at)->made.lock();
  if (!found)
    return nullptr;
  (*at)->call(number);
  keep(**at, found);
  std::rotate(slot.begin(), at, at + 1);
  ++count.hits;
  limitSlot(slot, pattern.items(), dropped);
  limitAll(dropped);
  return found;
}

PreparedCache::Shared PreparedCache::find(Pattern &pattern,
                                          const PreparedKey &key,
                                          const ContentHash &content,
                                          uint64_t number) {
  return findIf(pattern, key, number,
                [&](const Entry &entry) { return entry.content == content; });
}

PreparedCache::Shared
PreparedCache::find(Pattern &pattern, const PreparedKey &key, uint64_t number) {
  return findIf(pattern, key, 0,
                [&](const Entry &entry) { return entry.is(number); });
}

void PreparedCache::insert(Pattern &pattern, const PreparedKey &key,
                           const ContentHash &content, uint64_t number,
                           Shared made) {
  auto entry = std::make_unique<Entry>();
  entry->options = key.options;
  entry->content = content;
  entry->call(number);
  entry->made = made;
  std::list<Entry *> place{entry.get()};
  entry->place = place.begin();
  Dropped dropped;
  std::lock_guard guard(lock);
  ++count.made;
  Slot &slot = shelves[&pattern][{key.item, key.kind, key.type}];
  std::erase_if(slot, [&](const auto &other) {
    return !other->kept && other->made.expired();
  });
  slot.insert(slot.begin(), std::move(entry));
  spare.splice(spare.begin(), place);
  keep(*slot.front(), std::move(made));
  limitSlot(slot, pattern.items(), dropped);
  limitAll(dropped);
}

void PreparedCache::forget(const Pattern &pattern) {
  std::unordered_map<const Pattern *, Shelf>::node_type shelf;
  Dropped dropped;
  std::lock_guard guard(lock);
  shelf = shelves.extract(&pattern);
  if (!shelf)
    return;
  for (auto &[key, slot] : shelf.mapped())
    for (const std::unique_ptr<Entry> &entry : slot) {
      drop(*entry, dropped);
      spare.erase(entry->place);
    }
}

/// Is the latest then. What it has grown by is counted now.
void PreparedCache::keep(Entry &entry, Shared made) {
  std::list<Entry *> &from = entry.kept ? kept : spare;
  kept.splice(kept.begin(), from, entry.place);
  count.entries += !entry.kept;
  count.bytes -= entry.bytes;
  entry.bytes = made->bytes() + entryBytes;
  count.bytes += entry.bytes;
  entry.kept = std::move(made);
}

void PreparedCache::drop(Entry &entry, Dropped &dropped) {
  if (!entry.kept)
    return;
  dropped.push_back(std::move(entry.kept));
  count.bytes -= std::exchange(entry.bytes, 0);
  --count.entries;
  spare.splice(spare.begin(), kept, entry.place);
}

void PreparedCache::limitSlot(Slot &slot, int64_t items, Dropped &dropped) {
  int64_t bytes = 0;
  size_t number = 0;
  for (const std::unique_ptr<Entry> &entry : slot) {
    bytes += entry->bytes;
    number += entry->kept != nullptr;
    if (number > most || (number > few && bytes > fewBytes / items))
      drop(*entry, dropped);
  }
}

/// The latest stays, whatever its size: the call at hand needs it.
void PreparedCache::limitAll(Dropped &dropped) {
  while (count.bytes > count.limit && kept.size() > 1) {
    drop(*kept.back(), dropped);
    ++count.evicted;
  }
}

int64_t PreparedCache::setLimit(int64_t bytes) {
  Dropped dropped;
  std::lock_guard guard(lock);
  const int64_t before = std::exchange(count.limit, bytes);
  limitAll(dropped);
  return before;
}

PreparedCounters PreparedCache::counters() {
  std::lock_guard guard(lock);
  return count;
}

} // namespace tsgu::runtime
