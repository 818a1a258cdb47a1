//===- PatternCache.cpp - From index tensors to patterns --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PatternCache.h"
#include "Queue.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <unordered_set>
#if defined(__unix__)
#include <pthread.h>
#include <unistd.h>
#endif

using namespace tsgu::torch_plugin;

/// What an entry costs besides its arrays: the list, the map, small objects.
static constexpr int64_t aliasBytes = 1024;

CachedPattern::CachedPattern(tsgu_pattern *pattern,
                             std::shared_ptr<IndexSource> source)
    : pattern(pattern), source(std::move(source)) {
  tsgu_pattern_info info;
  tsgu_pattern_describe(pattern, &info);
  stored = info.stored;
  entries = info.entries;
  entryMap = info.entry_map;
}

/// Of the canonical tensors of all patterns.
static std::atomic<int64_t> allCanonicalBytes{0};

CachedPattern::~CachedPattern() {
  allCanonicalBytes -= canonicalBytes;
  tsgu_pattern_release(pattern);
}

/// An eighth of the machine's memory, so that a few matrices of a size that can
/// be trained at all stay cached.
static int64_t defaultLimit() {
  if (const char *given = std::getenv("TSGU_PATTERN_CACHE_BYTES")) {
    char *end = nullptr;
    long long bytes = std::strtoll(given, &end, 10);
    if (end != given && *end == '\0' && bytes >= 0)
      return bytes;
  }
#if defined(__unix__)
  int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && size > 0)
    return pages / 8 * size;
#endif
  return int64_t(1) << 30;
}

PatternCache::PatternCache() { count.limit = defaultLimit(); }

/// Never destroyed: at exit torch may be gone before this library.
PatternCache &PatternCache::get() {
  static PatternCache *cache = [] {
    auto *made = new PatternCache;
#if defined(__unix__)
    // A child of fork() must not inherit a lock held by a thread it has not.
    static PatternCache *forked;
    forked = made;
    pthread_atfork(
        [] {
          forked->building.lock();
          forked->access.lock();
        },
        [] {
          forked->access.unlock();
          forked->building.unlock();
        },
        [] {
          forked->access.unlock();
          forked->building.unlock();
        });
#endif
    return made;
  }();
  return *cache;
}

/// When the library is loaded: a child would wait for ever for what another
/// thread of its parent had begun to initialise.
[[gnu::constructor]] static void prepareForks() { PatternCache::get(); }

size_t PatternCache::KeyHash::operator()(const IndexArrays::Key &key) const {
  uint64_t hash = 0;
  for (int64_t word : key)
    hash = (hash ^ static_cast<uint64_t>(word)) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 32);
}

std::shared_ptr<CachedPattern>
PatternCache::findIdentity(const IndexArrays &arrays) {
  std::lock_guard<std::mutex> lock(access);
  auto it = byIdentity.find(arrays.key);
  if (it == byIdentity.end() || it->second->version != arrays.version)
    return nullptr;
  ++count.hits;
  if (it->second != aliases.begin())
    aliases.splice(aliases.begin(), aliases, it->second);
  return it->second->pattern;
}

std::shared_ptr<CachedPattern>
PatternCache::findContent(const IndexSource &source, uint64_t fingerprint) {
  std::vector<std::shared_ptr<CachedPattern>> candidates;
  {
    std::lock_guard<std::mutex> lock(access);
    auto [first, last] = byContent.equal_range(fingerprint);
    while (first != last) {
      if (auto pattern = first->second.lock()) {
        candidates.push_back(std::move(pattern));
        ++first;
      } else {
        first = byContent.erase(first);
      }
    }
  }
  // The same storage with the same fingerprint (its version moved because the
  // values were written, as by an optimizer) compares equal without a read.
  for (auto &candidate : candidates)
    if (candidate->source->sameContent(source))
      return candidate;
  return nullptr;
}

/// The pattern of tensors on a device whose version moved, if their content is
/// still what it was: the values of a CSR tensor share its version, and
/// optimizers write them. It takes a copy to tell, made when the version moves
/// for the first time (`source` is where), for it will move again; and a wait,
/// so that it cannot be told while a graph is recorded.
std::shared_ptr<CachedPattern>
PatternCache::findRewritten(const IndexArrays &arrays,
                            std::shared_ptr<IndexSource> &source) {
  std::shared_ptr<IndexSource> known;
  std::shared_ptr<CachedPattern> pattern;
  {
    std::lock_guard<std::mutex> lock(access);
    auto it = byIdentity.find(arrays.key);
    if (it == byIdentity.end())
      return nullptr;
    known = it->second->source;
    pattern = it->second->pattern;
  }
  if (Queue(arrays.place()).recording())
    fail(ErrorKind::Device,
         "a sparse tensor was written to after it was last used, and whether "
         "its pattern changed cannot be found out while its stream records a "
         "graph: use it once before the capture begins");
  if (known->kept(*source)) {
    source = known;
    return pattern;
  }
  source->keepCopies();
  return nullptr;
}

std::shared_ptr<CachedPattern> PatternCache::find(IndexArrays &arrays) {
  arrays.inspect();
  if (auto pattern = findIdentity(arrays))
    return pattern;
  auto pattern = withRoom(arrays.place(), [&] { return make(arrays); });
  if (Sweeper sweeper = sweep.load(); sweeper && hasDoubled())
    sweeper(0);
  return pattern;
}

std::shared_ptr<CachedPattern> PatternCache::make(IndexArrays &arrays) {
  std::list<Alias> removed; // freed last, under no lock
  std::lock_guard<std::mutex> lock(building);
  if (auto pattern = findIdentity(arrays))
    return pattern;
  arrays.checkLengths();
  auto source = std::make_shared<IndexSource>(arrays);
  const bool readable = arrays.place().isCPU();
  uint64_t fingerprint = readable ? source->fingerprint() : 0;
  std::shared_ptr<CachedPattern> pattern =
      readable ? findContent(*source, fingerprint)
               : findRewritten(arrays, source);
  bool found = pattern != nullptr;
  if (!found)
    pattern = std::make_shared<CachedPattern>(buildPattern(source), source);

  std::lock_guard<std::mutex> guard(access);
  ++(found ? count.contentHits : count.built);
  if (!sweep.load()) // Python ends, and cannot free tensors that are held here.
    return pattern;
  if (!found && readable)
    byContent.emplace(fingerprint, pattern);
  removed = insert(
      {numbered++, arrays.key, arrays.version, std::move(source), pattern});
  return pattern;
}

std::array<TensorHandle, 3> PatternCache::canonical(CachedPattern &pattern) {
  std::lock_guard<std::mutex> lock(building);
  auto &[positions, coordinates, map] = pattern.canonical;
  if (!map) {
    const Place place = pattern.source->place;
    const Queue queue(place);
    if (queue.recording())
      fail(ErrorKind::Device,
           "the pattern's entries are not in order, and are not put in order "
           "while the stream records a graph: run the operation once before "
           "the capture begins");
    tsgu_layout layout;
    check(tsgu_pattern_layout(pattern.pattern, nullptr, &layout));
    const int64_t mapped = pattern.entryMap ? pattern.entries : 0;
    coordinates =
        copyOf(place, layout.index_type, pattern.stored, layout.coordinates);
    TensorHandle made = copyOf(place, TSGU_I64, mapped, pattern.entryMap);
    positions =
        copyOf(place, layout.index_type, layout.rows + 1, layout.positions);
    if (!place.isCPU()) // Waited for, since other streams may use them.
      copiedTo(Place(), positions.get(), inspect(positions.get(), "", -1));
    map = std::move(made);
    // With the indices (item, row, column) that Python makes of them.
    const int64_t indices = pattern.source->shape[1] < 0 ? 2 : 3;
    pattern.canonicalBytes =
        elementSize(layout.index_type) * (layout.rows + 1 + pattern.stored) +
        8 * (mapped + indices * pattern.stored);
    allCanonicalBytes += pattern.canonicalBytes;
  }
  return {TensorHandle::share(positions.get()),
          TensorHandle::share(coordinates.get()),
          TensorHandle::share(map.get())};
}

void PatternCache::remove(std::list<Alias>::iterator it,
                          std::list<Alias> &removed) {
  sourceBytes -= it->source->bytes;
  byIdentity.erase(it->key);
  removed.splice(removed.end(), aliases, it);
}

/// Returns what had to go for it.
std::list<PatternCache::Alias> PatternCache::insert(Alias alias) {
  std::list<Alias> removed;
  if (auto it = byIdentity.find(alias.key); it != byIdentity.end())
    remove(it->second, removed);
  sourceBytes += alias.source->bytes;
  aliases.push_front(std::move(alias));
  byIdentity[aliases.front().key] = aliases.begin();

  // The newest stays, whatever its size: the call at hand needs it. What goes
  // is freed after this call, so its layouts are counted here.
  int64_t excess = bytes() - count.limit;
  while (excess > 0 && aliases.size() > 1) {
    auto last = std::prev(aliases.end());
    excess -= last->source->bytes + aliasBytes;
    if (last->pattern.use_count() == 1) {
      tsgu_pattern_info info;
      tsgu_pattern_describe(last->pattern->pattern, &info);
      excess -= info.bytes + last->pattern->canonicalBytes;
    }
    remove(last, removed);
    ++count.evicted;
  }
  return removed;
}

//===-- What nobody else holds
//---------------------------------------------===//

/// Since the last sweep, or since there was anything worth one.
bool PatternCache::hasDoubled() {
  constexpr size_t fewEntries = 32;
  constexpr int64_t fewBytes = int64_t(64) << 20;
  std::lock_guard<std::mutex> lock(access);
  if (aliases.size() < std::max(2 * sweptEntries, fewEntries) &&
      bytes() < std::max(2 * sweptBytes, fewBytes))
    return false;
  // If nothing can be dropped, the next sweep comes at twice of this.
  sweptEntries = aliases.size();
  sweptBytes = bytes();
  return true;
}

/// Gives up what no call uses, which is made again when it is needed.
void PatternCache::makeRoom() {
  if (Sweeper sweeper = sweep.load())
    sweeper(1);
  std::list<Alias> removed; // freed last, under no lock
  std::lock_guard<std::mutex> lock(access);
  for (auto it = aliases.begin(); it != aliases.end();) {
    auto next = std::next(it);
    if (!it->source->place.isCPU() && it->pattern.use_count() == 1) {
      remove(it, removed);
      ++count.evicted;
    }
    it = next;
  }
}

std::vector<CachedTensor> PatternCache::tensors() {
  std::vector<CachedTensor> all;
  std::lock_guard<std::mutex> lock(access);
  for (const Alias &alias : aliases) {
    auto add = [&](int64_t number, const IndexSource &source) {
      for (const TensorHandle &tensor : source.tensors)
        all.push_back({number, TensorHandle::share(tensor.get())});
    };
    add(alias.number, *alias.source);
    if (alias.pattern->source != alias.source)
      add(-1, *alias.pattern->source);
  }
  return all;
}

void PatternCache::drop(const int64_t *entries, int64_t entryCount) {
  std::unordered_set<int64_t> dropped(entries, entries + entryCount);
  std::list<Alias> removed;
  std::lock_guard<std::mutex> lock(access);
  for (auto it = aliases.begin(); it != aliases.end();) {
    auto next = std::next(it);
    if (dropped.count(it->number)) {
      remove(it, removed);
      ++count.dropped;
    }
    it = next;
  }
  sweptEntries = aliases.size();
}

//===-- Numbers
//------------------------------------------------------------===//

int64_t PatternCache::bytes() const {
  tsgu_counters runtime;
  tsgu_get_counters(&runtime);
  return sourceBytes + runtime.pattern_bytes + allCanonicalBytes +
         static_cast<int64_t>(aliases.size()) * aliasBytes;
}

CacheCounters PatternCache::counters() {
  std::lock_guard<std::mutex> lock(access);
  CacheCounters now = count;
  now.entries = aliases.size();
  now.bytes = bytes();
  return now;
}

void PatternCache::clear() {
  std::list<Alias> dropped;
  std::lock_guard<std::mutex> lock(access);
  byIdentity.clear();
  byContent.clear();
  dropped.swap(aliases);
  sourceBytes = 0;
}

extern "C" TSGU_API void tsgu_torch_cache_counters(CacheCounters *counters) {
  *counters = PatternCache::get().counters();
}

extern "C" TSGU_API void tsgu_torch_cache_clear() {
  PatternCache::get().clear();
}

extern "C" TSGU_API void
tsgu_torch_cache_set_sweeper(PatternCache::Sweeper sweeper) {
  PatternCache::get().setSweeper(sweeper);
}

extern "C" TSGU_API void tsgu_torch_cache_drop(const int64_t *entries,
                                               int64_t count) {
  PatternCache::get().drop(entries, count);
}
