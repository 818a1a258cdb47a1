//===- IndexContent.h - What index tensors say ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_INDEXCONTENT_H
#define TSGU_TORCH_INDEXCONTENT_H

#include "IndexArrays.h"

#include <atomic>

namespace tsgu::torch_plugin {

struct CachedPattern;

/// The meetings of a pattern's entries with those of another (see Meetings.h).
struct Met {
  using Key = std::array<int64_t, 3>; ///< kind, whether COO, whether wide

  std::weak_ptr<CachedPattern> other;
  Key key;
  std::array<TensorHandle, 3> tensors;
  int64_t bytes;
};

/// A pattern, validated, with what every call asks of it.
struct CachedPattern {
  CachedPattern(tsgu_pattern *pattern, const IndexArrays &given);
  ~CachedPattern();
  CachedPattern(const CachedPattern &) = delete;
  CachedPattern &operator=(const CachedPattern &) = delete;

  tsgu_pattern *pattern;
  Place place;
  std::array<int64_t, 4> shape; ///< form, items, rows, columns as given
  int64_t stored;
  int64_t entries;
  const int64_t *entryMap; ///< entry -> stored entry; null for the identity

  /// See PatternCache::canonical.
  std::array<TensorHandle, 3> canonical;
  std::vector<Met> met; ///< The latest used last.

  /// Of these two, of the pattern and of all patterns; any thread may add.
  std::atomic<int64_t> derivedBytes = 0;
  static inline std::atomic<int64_t> allDerivedBytes = 0;
  void addBytes(int64_t more) { derivedBytes += more, allDerivedBytes += more; }
};

/// The elements of index tensors, contiguous, for one call: nothing keeps what
/// it does not own.
struct IndexContent {
  /// The lengths have been checked.
  explicit IndexContent(const IndexArrays &given);

  struct Array {
    const void *data;
    tsgu_type type;
    int64_t length;
  };
  std::array<int64_t, 4> shape; ///< form, items, rows, columns
  Place place;
  TensorView views[2];           ///< of the tensors: one, or two
  AtenTensorHandle tensors[2];   ///< contiguous
  std::vector<Array> arrays;     ///< positions, coordinates; or coordinates by
                                 ///< dimension
  std::vector<TensorHandle> own; ///< made for this call

  bool isCOO() const { return shape[0] & COO; }
  int32_t tensorCount() const { return isCOO() ? 1 : 2; }
  int64_t entries() const { return arrays.back().length; }

  /// Of content on the CPU; devices have none that could be read. The same for
  /// either width of the indices.
  uint64_t fingerprint() const;

  /// Whether the pattern, on the CPU, is the one of this content.
  bool isOf(const CachedPattern &pattern) const;
};

/// Validates the content and builds its pattern, which keeps nothing of it.
tsgu_pattern *buildPattern(const IndexContent &content);

/// Copies of index tensors on a device, by which later ones are known.
class IndexCopies {
public:
  explicit IndexCopies(const IndexContent &content);
  /// Waits.
  bool equal(const IndexContent &later) const;
  int64_t bytes() const { return size; }

private:
  std::vector<TensorHandle> copies;
  int64_t size = 0;
};

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_INDEXCONTENT_H
