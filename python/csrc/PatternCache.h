//===- PatternCache.h - From index tensors to patterns ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the Pattern of index tensors by the identity of their memory and
// torch's count of writes to it. The cache keeps the tensors alive, so that a
// freed address is never mistaken for a new tensor, and reads them no more once
// the pattern is made. By content it finds what is new, so that equal patterns
// share one validation and one set of layouts, and what torch does not count:
// memory that others write to, and inference tensors, at every use. What nobody
// else holds is dropped whenever the cache has doubled since it was last looked
// for; the rest is bounded in bytes, least recently used first.
//
// Writes to torch's own memory behind its count (`.data`, `.numpy()`) cannot be
// seen; with TSGU_CHECK_PATTERNS=1 each use compares content and they are
// errors.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_PATTERNCACHE_H
#define TSGU_TORCH_PATTERNCACHE_H

#include "Errors.h"
#include "IndexContent.h"

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace tsgu::torch_plugin {

struct CacheCounters {
  uint64_t hits = 0;        ///< found by identity
  uint64_t contentHits = 0; ///< found by content
  uint64_t built = 0;       ///< not found
  uint64_t evicted = 0;     ///< for want of room
  uint64_t dropped = 0;     ///< because nobody else held the index tensors
  uint64_t entries = 0;     ///< index storages known now
  int64_t bytes = 0;        ///< memory held now
  int64_t limit = 0;        ///< TSGU_PATTERN_CACHE_BYTES
  uint64_t contents = 0;    ///< fingerprints known now
};

/// An index tensor that the cache keeps alive, and the entry that does.
struct CachedTensor {
  int64_t entry;
  TensorHandle tensor;
};

class PatternCache {
public:
  static PatternCache &get();

  /// Called when the cache has doubled (0), to `drop` what nobody else holds;
  /// and when a device's memory ran out (1), to have torch give back what it
  /// does not use, too. Only Python can see who holds what: the stable ABI has
  /// no reference counts.
  void setSweeper(void *callable) { sweep = callable; }
  std::vector<CachedTensor> tensors();
  void drop(const int64_t *entries, int64_t count);

  std::shared_ptr<CachedPattern> find(IndexArrays &arrays);

  /// Whether the pattern is what it was when the tensors had another version,
  /// as far as is known: an entry of the cache that had to go is not, and the
  /// first write to a device's tensors goes unseen.
  bool isAsOf(IndexArrays &arrays, int64_t version);

  /// Calls again, with room made, where a call found no memory on a device.
  template <typename F> static auto withRoom(Place place, F &&call) {
    try {
      return call();
    } catch (const OutOfMemory &) {
      if (place.isCPU())
        throw;
    }
    get().makeRoom();
    return call();
  }

  /// The canonical positions, coordinates and the entry map (empty: there is
  /// none) as tensors, the same ones at each call, so that what Python makes of
  /// them is found by its storage.
  std::array<TensorHandle, 3> canonical(CachedPattern &pattern);

  /// The meetings with another pattern, if they are known.
  std::optional<std::array<TensorHandle, 3>>
  findMet(CachedPattern &pattern, const std::shared_ptr<CachedPattern> &other,
          const Met::Key &key);
  /// Keeps them, or what another thread kept meanwhile, and gives what is kept.
  std::array<TensorHandle, 3>
  keepMet(CachedPattern &pattern, const std::shared_ptr<CachedPattern> &other,
          const Met::Key &key, std::array<TensorHandle, 3> made);

  CacheCounters counters();
  void clear();

private:
  PatternCache();

  struct KeyHash {
    size_t operator()(const IndexArrays::Key &key) const;
  };
  /// Index tensors by which a pattern is found.
  struct Alias {
    int64_t number;
    IndexArrays::Key key;
    std::vector<int64_t> versions; ///< with this pattern, the present one last
    bool counted; ///< by torch, all writes but those that it cannot see
    TensorHandle positions, coordinates;
    std::shared_ptr<CachedPattern> pattern;
    std::shared_ptr<IndexCopies> copies; ///< on devices; may be null
    int64_t bytes;                       ///< of the tensors and the copies
  };

  /// What the cache knows of tensors by their identity.
  struct Known {
    std::shared_ptr<CachedPattern> pattern;
    std::shared_ptr<IndexCopies> copies;
    std::vector<int64_t> versions; ///< unless this is current
    bool written = false;          ///< since, as torch counts
    bool counted = true;

    /// Whether the pattern is that of the tensors without a look at them.
    bool isCurrent() const;
  };

  Known findIdentity(const IndexArrays &arrays);
  std::shared_ptr<CachedPattern> findContent(const IndexContent &content,
                                             uint64_t fingerprint);
  bool isStill(const Known &known, const IndexContent &content);
  std::shared_ptr<CachedPattern> findCompared(const Known &known,
                                              const IndexArrays &arrays);
  std::shared_ptr<CachedPattern> make(IndexArrays &arrays);
  void forgetDead();
  std::list<Alias> insert(Alias alias);
  void remove(std::list<Alias>::iterator it, std::list<Alias> &removed);
  bool hasDoubled();
  void sweepOut(bool memoryRanOut);
  void makeRoom();
  int64_t bytes() const;

  /// `building` lets one thread at a time validate a new pattern; `access`
  /// guards the maps and is never held for long. Taken in this order.
  std::mutex building, access;
  std::list<Alias> aliases; ///< most recently used first
  std::unordered_map<IndexArrays::Key, std::list<Alias>::iterator, KeyHash>
      byIdentity;
  std::unordered_multimap<uint64_t, std::weak_ptr<CachedPattern>> byContent;
  size_t liveContents = 0; ///< of byContent, when that was last counted
  CacheCounters count;
  int64_t aliasedBytes = 0;            ///< of all aliases
  int64_t numbered = 0;                ///< aliases ever made
  std::atomic<void *> sweep = nullptr; ///< NULL: Python ends
  size_t sweptEntries = 0;             ///< after the last sweep
  int64_t sweptBytes = 0;
};

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_PATTERNCACHE_H
