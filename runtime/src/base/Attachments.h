//===- Attachments.h - What is kept with a pattern --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Solvers work things out from a pattern once: level sets, orderings. The
// pattern keeps them, so that they are found again by everyone who has the
// pattern, and go when it goes.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_ATTACHMENTS_H
#define TSGU_SRC_BASE_ATTACHMENTS_H

#include "base/ForkSafeMutex.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace tsgu::runtime {

/// Memory counted in the process's sum while this lives.
class CountedBytes {
public:
  explicit CountedBytes(int64_t bytes = 0) { set(bytes); }
  CountedBytes(const CountedBytes &) = delete;
  ~CountedBytes() { set(0); }
  void set(int64_t bytes) {
    sum.fetch_add(bytes - counted, std::memory_order_relaxed);
    counted = bytes;
  }
  static int64_t all() { return sum.load(std::memory_order_relaxed); }

private:
  static inline std::atomic<int64_t> sum{0};
  int64_t counted = 0;
};

/// What grows later counts that itself.
struct Attachment {
  virtual ~Attachment() = default;
  virtual int64_t bytes() const = 0;
};

class Attachments {
public:
  /// The attachment of this key, made by `make` at the first request. Others
  /// who ask for it meanwhile wait. What `make` throws is passed on, and the
  /// next request tries again.
  template <typename T, typename Make>
  std::shared_ptr<T> get(uint64_t key, Make &&make) {
    std::shared_ptr<Slot> slot = slotOf(key);
    std::lock_guard lock(slot->making);
    if (!slot->made) {
      slot->made = make();
      slot->counted.set(slot->made->bytes());
    }
    return std::static_pointer_cast<T>(slot->made);
  }

  int64_t bytes() const;

private:
  struct Slot {
    ForkSafeMutex making;
    std::shared_ptr<Attachment> made;
    CountedBytes counted;
  };
  std::shared_ptr<Slot> slotOf(uint64_t key);

  mutable ForkSafeMutex lock;
  std::map<uint64_t, std::shared_ptr<Slot>> slots;
};

/// What a key is about; the rest of the key is the maker's.
enum class AttachmentKind : uint64_t {
  Triangle = 1,
  Elimination = 2,
  LongRows = 3,
  Uses = 4,
  Lanes = 5,
  Pivots = 6
};
inline uint64_t attachmentKey(AttachmentKind kind, uint64_t rest) {
  return static_cast<uint64_t>(kind) << 56 | rest;
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_ATTACHMENTS_H
