//===- PatternCache.cpp - From index tensors to patterns --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PatternCache.h"
#include "Interpreter.h"
#include "Queue.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <unordered_set>
#if defined(__unix__)
#include <pthread.h>
#include <unistd.h>
#endif

using namespace tsgu::torch_plugin;

/// What an entry costs besides its arrays: the list, the map, small objects.
static constexpr int64_t aliasBytes = 1024;

CachedPattern::CachedPattern(tsgu_pattern *pattern, const IndexArrays &given)
    : pattern(pattern), place(given.place()),
      shape{given.form, given.items, given.rows, given.columns} {
  tsgu_pattern_info info;
  tsgu_pattern_describe(pattern, &info);
  stored = info.stored;
  entries = info.entries;
  entryMap = info.entry_map;
}

CachedPattern::~CachedPattern() {
  addBytes(-derivedBytes);
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

/// Whether every use is to be compared with content.
static bool checking() {
  static const bool wanted = [] {
    const char *given = std::getenv("TSGU_CHECK_PATTERNS");
    return given && *given && std::strcmp(given, "0") != 0;
  }();
  return wanted;
}

bool PatternCache::Known::isCurrent() const {
  return pattern && !written && counted && !checking();
}

PatternCache::Known PatternCache::findIdentity(const IndexArrays &arrays) {
  std::lock_guard<std::mutex> lock(access);
  auto it = byIdentity.find(arrays.key);
  if (it == byIdentity.end())
    return {};
  Alias &alias = *it->second;
  if (!arrays.isAt(alias.positions.get(), alias.coordinates.get()))
    return {};
  if (it->second != aliases.begin())
    aliases.splice(aliases.begin(), aliases, it->second);
  Known known{alias.pattern,
              alias.copies,
              {},
              alias.versions.back() != arrays.version,
              alias.counted};
  if (known.isCurrent())
    ++count.hits;
  else
    known.versions = alias.versions;
  return known;
}

std::shared_ptr<CachedPattern>
PatternCache::findContent(const IndexContent &content, uint64_t fingerprint) {
  std::vector<std::shared_ptr<CachedPattern>> candidates;
  {
    std::lock_guard<std::mutex> lock(access);
    auto [first, last] = byContent.equal_range(fingerprint);
    for (; first != last; ++first)
      if (auto pattern = first->second.lock())
        candidates.push_back(std::move(pattern));
  }
  for (auto &candidate : candidates)
    if (content.isOf(*candidate))
      return candidate;
  return nullptr;
}

/// Whether the pattern of tensors that may have been written to is still
/// theirs: the values of a CSR tensor share its version, and optimizers write
/// them. On a device it takes copies to tell.
bool PatternCache::isStill(const Known &known, const IndexContent &content) {
  if (content.place.isCPU())
    return content.isOf(*known.pattern);
  return known.copies && known.copies->equal(content);
}

/// Compares where torch does not count writes, or should not be trusted; null
/// if the pattern has to be found anew.
std::shared_ptr<CachedPattern>
PatternCache::findCompared(const Known &known, const IndexArrays &arrays) {
  if (!known.pattern || known.written)
    return nullptr;
  // Nothing can be compared while a stream records a graph, which would not see
  // later writes either.
  if (!arrays.place().isCPU() && Queue(arrays.place()).recording())
    return known.pattern;
  arrays.checkLengths();
  if (isStill(known, IndexContent(arrays))) {
    std::lock_guard<std::mutex> lock(access);
    ++count.hits;
    return known.pattern;
  }
  if (known.counted)
    fail(ErrorKind::Pattern,
         "index tensors were written to where torch does not count it (through "
         ".data, .numpy() or a pointer), so that their old pattern would be "
         "used (found by TSGU_CHECK_PATTERNS): write with operations of torch, "
         "as positions.copy_(...), or pass new tensors");
  return nullptr;
}

std::shared_ptr<CachedPattern> PatternCache::find(IndexArrays &arrays) {
  arrays.inspect();
  Known known = findIdentity(arrays);
  if (known.isCurrent())
    return std::move(known.pattern);
  if (auto pattern = findCompared(known, arrays))
    return pattern;
  arrays.counted = arrays.version >= 0 && sweep.load() && arrays.isTorchs();
  auto pattern = withRoom(arrays.place(), [&] { return make(arrays); });
  if (sweep.load() && hasDoubled())
    sweepOut(false);
  return pattern;
}

bool PatternCache::isAsOf(IndexArrays &arrays, int64_t version) {
  find(arrays);
  std::lock_guard<std::mutex> lock(access);
  auto it = byIdentity.find(arrays.key);
  if (it == byIdentity.end())
    return true; // Python ends, and nothing is kept
  const std::vector<int64_t> &versions = it->second->versions;
  return std::find(versions.begin(), versions.end(), version) != versions.end();
}

/// Those that died leave a node each.
void PatternCache::forgetDead() {
  constexpr size_t few = 32;
  if (byContent.size() < std::max(2 * liveContents, few))
    return;
  std::erase_if(byContent,
                [](const auto &node) { return node.second.expired(); });
  liveContents = byContent.size();
}

/// A few are enough: they matter between forward and backward.
static void addVersion(std::vector<int64_t> &versions, int64_t version) {
  constexpr size_t most = 64;
  if (versions.size() == most)
    versions.erase(versions.begin());
  versions.push_back(version);
}

std::shared_ptr<CachedPattern> PatternCache::make(IndexArrays &arrays) {
  std::list<Alias> removed; // freed last, under no lock
  std::lock_guard<std::mutex> lock(building);
  const Known known = findIdentity(arrays);
  if (known.isCurrent())
    return known.pattern; // by another thread
  arrays.checkLengths();
  const IndexContent content(arrays);
  const bool onCPU = arrays.place().isCPU();
  if (!onCPU && known.pattern && Queue(arrays.place()).recording())
    fail(ErrorKind::Device,
         "a sparse tensor was written to after it was last used, and whether "
         "its pattern changed cannot be found out while its stream records a "
         "graph: use it once before the capture begins");
  std::shared_ptr<CachedPattern> pattern;
  std::shared_ptr<IndexCopies> copies;
  std::vector<int64_t> versions;
  if (known.pattern && isStill(known, content)) {
    pattern = known.pattern;
    copies = known.copies;
    versions = known.versions;
  } else if (known.pattern && !onCPU && !known.copies) {
    versions = known.versions; // nobody can tell
  }
  addVersion(versions, arrays.version);
  uint64_t fingerprint = 0;
  if (!pattern && onCPU) {
    fingerprint = content.fingerprint();
    pattern = findContent(content, fingerprint);
  }
  // On a device they are made when the version moves for the first time, for it
  // will move again.
  if (!onCPU && !copies && (known.pattern || !arrays.counted || checking()))
    copies = std::make_shared<IndexCopies>(content);
  const bool found = pattern != nullptr;
  if (!found)
    pattern = std::make_shared<CachedPattern>(buildPattern(content), arrays);

  std::lock_guard<std::mutex> guard(access);
  ++(found ? count.contentHits : count.built);
  if (!sweep.load()) // Python ends, and cannot free tensors that are held here.
    return pattern;
  if (!found && onCPU) {
    forgetDead();
    byContent.emplace(fingerprint, pattern);
  }
  int64_t size = copies ? copies->bytes() : 0;
  for (int32_t k = 0; k < content.tensorCount(); ++k)
    size += content.views[k].elements() * elementSize(content.views[k].type);
  removed = insert({numbered++, arrays.key, std::move(versions), arrays.counted,
                    TensorHandle::share(arrays.positions),
                    TensorHandle::share(arrays.isCOO() ? arrays.positions
                                                       : arrays.coordinates),
                    pattern, std::move(copies), size});
  return pattern;
}

std::array<TensorHandle, 3> PatternCache::canonical(CachedPattern &pattern) {
  std::lock_guard<std::mutex> lock(building);
  auto &[positions, coordinates, map] = pattern.canonical;
  if (!map) {
    const Place place = pattern.place;
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
    const int64_t indices = pattern.shape[1] < 0 ? 2 : 3;
    pattern.addBytes(elementSize(layout.index_type) *
                         (layout.rows + 1 + pattern.stored) +
                     8 * (mapped + indices * pattern.stored));
  }
  return {TensorHandle::share(positions.get()),
          TensorHandle::share(coordinates.get()),
          TensorHandle::share(map.get())};
}

void PatternCache::remove(std::list<Alias>::iterator it,
                          std::list<Alias> &removed) {
  aliasedBytes -= it->bytes;
  byIdentity.erase(it->key);
  removed.splice(removed.end(), aliases, it);
}

/// Returns what had to go for it.
std::list<PatternCache::Alias> PatternCache::insert(Alias alias) {
  std::list<Alias> removed;
  if (auto it = byIdentity.find(alias.key); it != byIdentity.end())
    remove(it->second, removed);
  aliasedBytes += alias.bytes;
  aliases.push_front(std::move(alias));
  byIdentity[aliases.front().key] = aliases.begin();

  // The newest stays, whatever its size: the call at hand needs it. What goes
  // is freed after this call, so its layouts are counted here.
  int64_t excess = bytes() - count.limit;
  while (excess > 0 && aliases.size() > 1) {
    auto last = std::prev(aliases.end());
    excess -= last->bytes + aliasBytes;
    if (last->pattern.use_count() == 1) {
      tsgu_pattern_info info;
      tsgu_pattern_describe(last->pattern->pattern, &info);
      excess -= info.bytes + last->pattern->derivedBytes;
    }
    remove(last, removed);
    ++count.evicted;
  }
  return removed;
}

//===-- What nobody else holds --------------------------------------------===//

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

/// Has Python find out what nobody else holds. Fails where a signal's handler
/// raises meanwhile.
void PatternCache::sweepOut(bool memoryRanOut) {
  void *sweeper = sweep.load();
  if (sweeper && !callPython(sweeper, memoryRanOut))
    fail(ErrorKind::Interrupted, "interrupted by the caller");
}

/// Gives up what no call uses, which is made again when it is needed.
void PatternCache::makeRoom() {
  sweepOut(true);
  std::list<Alias> removed; // freed last, under no lock
  std::lock_guard<std::mutex> lock(access);
  for (auto it = aliases.begin(); it != aliases.end();) {
    auto next = std::next(it);
    if (!it->pattern->place.isCPU() && it->pattern.use_count() == 1) {
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
    all.push_back({alias.number, TensorHandle::share(alias.positions.get())});
    all.push_back({alias.number, TensorHandle::share(alias.coordinates.get())});
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

//===-- Numbers -----------------------------------------------------------===//

int64_t PatternCache::bytes() const {
  tsgu_counters runtime;
  tsgu_get_counters(&runtime);
  return aliasedBytes + runtime.pattern_bytes + CachedPattern::allDerivedBytes +
         static_cast<int64_t>(aliases.size()) * aliasBytes;
}

CacheCounters PatternCache::counters() {
  std::lock_guard<std::mutex> lock(access);
  CacheCounters now = count;
  now.entries = aliases.size();
  now.contents = byContent.size();
  now.bytes = bytes();
  return now;
}

void PatternCache::clear() {
  std::list<Alias> dropped;
  std::lock_guard<std::mutex> lock(access);
  byIdentity.clear();
  byContent.clear();
  dropped.swap(aliases);
  liveContents = 0;
  aliasedBytes = 0;
}

extern "C" TSGU_API void tsgu_torch_cache_counters(CacheCounters *counters) {
  *counters = PatternCache::get().counters();
}

extern "C" TSGU_API void tsgu_torch_cache_clear() {
  PatternCache::get().clear();
}

extern "C" TSGU_API void tsgu_torch_cache_set_sweeper(void *callable) {
  PatternCache::get().setSweeper(callable);
}

extern "C" TSGU_API void tsgu_torch_cache_drop(const int64_t *entries,
                                               int64_t count) {
  PatternCache::get().drop(entries, count);
}
