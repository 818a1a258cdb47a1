//===- ContentCache.h - What was made of values -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_CONTENTCACHE_H
#define TSGU_SRC_PATTERN_CONTENTCACHE_H

#include "base/Attachments.h"
#include "pattern/Matrix.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tsgu::runtime {

/// The values of A's item, to be told from others bit by bit.
template <typename T> class KeptValues {
public:
  explicit KeptValues(const Matrix<T> &A)
      : first(A.pattern->csr().position(A.firstRow())),
        copy(blockOf<T>(A.pattern->csr().position(A.firstRow() + A.rows()) -
                        first)) {
    if (copy.bytes())
      std::memcpy(copy.data(), A.values + first, copy.bytes());
  }

  /// Of the same item.
  bool areThoseOf(const Matrix<T> &A) const {
    return copy.bytes() == 0 ||
           std::memcmp(copy.data(), A.values + first, copy.bytes()) == 0;
  }
  /// A with the copy, which nobody writes to.
  Matrix<T> of(const Matrix<T> &A) const {
    return {A.pattern, A.item, copy.template as<T>() - first};
  }
  int64_t bytes() const { return copy.bytes(); }

private:
  int64_t first;
  Block copy;
};

/// The latest of what was made from values of one pattern: two, so that solves
/// with two matrices may alternate, and up to `most` that have no more than
/// `mostBytes` together. Who uses one keeps it alive.
template <typename Made> class ContentCache : public Attachment {
public:
  using Entry = std::shared_ptr<const Made>;

  explicit ContentCache(size_t most, int64_t mostBytes)
      : most(most), mostBytes(mostBytes) {}

  /// The entry that `fits`, which is then the latest; or NULL.
  template <typename F> Entry find(F &&fits) {
    std::lock_guard guard(lock);
    auto found = std::find_if(entries.begin(), entries.end(), fits);
    if (found == entries.end())
      return nullptr;
    std::rotate(entries.begin(), found, found + 1);
    return entries.front();
  }

  void insert(Entry entry) {
    std::vector<Entry> dropped; // Freed without the lock.
    std::lock_guard guard(lock);
    entries.insert(entries.begin(), std::move(entry));
    while (entries.size() > most || (entries.size() > 2 && sum() > mostBytes)) {
      dropped.push_back(std::move(entries.back()));
      entries.pop_back();
    }
  }

  int64_t bytes() const override {
    std::lock_guard guard(lock);
    return sum();
  }

private:
  int64_t sum() const {
    int64_t sum = 0;
    for (const Entry &entry : entries)
      sum += entry->bytes();
    return sum;
  }

  size_t most;
  int64_t mostBytes;
  mutable ForkSafeMutex lock;
  std::vector<Entry> entries;
};

/// The type of T in the key of an attachment, of two bits.
template <typename T> constexpr uint64_t typeCode() {
  return (isComplex<T> ? 2 : 0) + (sizeof(Real<T>) == 8 ? 1 : 0);
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_CONTENTCACHE_H
