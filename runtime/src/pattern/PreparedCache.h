//===- PreparedCache.h - Where prepared things are found --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One cache for the process: by pattern, by what is wanted, by the content of
// the values. It only finds: what it had to drop is still found while somebody
// holds it.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_PREPAREDCACHE_H
#define TSGU_SRC_PATTERN_PREPAREDCACHE_H

#include "base/ContentHash.h"
#include "base/ForkSafeMutex.h"

#include <array>
#include <compare>
#include <list>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace tsgu::runtime {

struct AnyPrepared;
class Pattern;

struct PreparedKey {
  int64_t kind = 0; ///< A line of the table of methods.
  std::array<int64_t, 2> options{};
  int64_t item = 0, type = 0;
};

/// What the caller's thread said of values (tsgu_values_known).
struct KnownValues {
  const void *values = nullptr;
  uint64_t number = 0; ///< 0: nothing is known.
  bool sure = false;

  static void set(const KnownValues &known) { here = known; }
  /// Of the values at this address.
  static KnownValues of(const void *values) {
    return here.values == values ? here : KnownValues();
  }

private:
  static thread_local KnownValues here;
};

/// Holds what the thread that made it prepares or finds until end().
class Keeping {
public:
  Keeping() : outer(current) { current = this; }
  ~Keeping();
  Keeping(const Keeping &) = delete;
  /// By the same thread, in the reverse order of their making.
  void end() { current = outer; }

  static void add(Pattern &pattern,
                  const std::shared_ptr<const AnyPrepared> &made);

private:
  static thread_local Keeping *current;
  Keeping *const outer;
  std::vector<std::pair<Pattern *, std::shared_ptr<const AnyPrepared>>> held;
};

struct PreparedCounters {
  uint64_t hits = 0, made = 0, evicted = 0, entries = 0;
  int64_t bytes = 0, limit = 0;
};

class PreparedCache {
public:
  using Shared = std::shared_ptr<const AnyPrepared>;

  static PreparedCache &get();

  /// What was made of this content, or NULL. From now on it is also found by
  /// the number, unless that is 0.
  Shared find(Pattern &pattern, const PreparedKey &key,
              const ContentHash &content, uint64_t number);
  Shared find(Pattern &pattern, const PreparedKey &key, uint64_t number);
  void insert(Pattern &pattern, const PreparedKey &key,
              const ContentHash &content, uint64_t number, Shared made);
  /// When the pattern goes.
  void forget(const Pattern &pattern);

  PreparedCounters counters();
  /// Returns the one before.
  int64_t setLimit(int64_t bytes);

private:
  PreparedCache();

  struct Entry;
  template <typename F>
  Shared findIf(Pattern &pattern, const PreparedKey &key, uint64_t number,
                F &&fits);
  /// The entries of one item, kind and type, the latest found first.
  using Slot = std::vector<std::unique_ptr<Entry>>;
  using SlotKey = std::array<int64_t, 3>;
  using Shelf = std::map<SlotKey, Slot>;
  using Dropped = std::vector<Shared>;

  void keep(Entry &entry, Shared made);
  void drop(Entry &entry, Dropped &dropped);
  void limitSlot(Slot &slot, int64_t items, Dropped &dropped);
  void limitAll(Dropped &dropped);

  ForkSafeMutex lock;
  std::unordered_map<const Pattern *, Shelf> shelves;
  std::list<Entry *> kept, spare; ///< Kept ones, the latest found first.
  PreparedCounters count;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_PREPAREDCACHE_H
