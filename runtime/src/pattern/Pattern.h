//===- Pattern.h - An immutable sparsity pattern ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_PATTERN_H
#define TSGU_SRC_PATTERN_PATTERN_H

#include "base/Attachments.h"
#include "base/ForkSafeMutex.h"
#include "pattern/DeviceLayouts.h"
#include "pattern/Layout.h"
#include "tsgu/tsgu.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>

namespace tsgu::runtime {

/// A canonical, validated pattern: its CSR layout, and other ones from their
/// first use on. One of three dimensions with few entries for the rows of all
/// items has them by the first dimension instead (see `spread`). Nothing of the
/// caller's is kept, and indices are int32 wherever they fit. Thread-safe.
class Pattern {
public:
  /// As tsgu_pattern_from_csr and _from_coo, with one reference held.
  static Pattern *fromCSR(int32_t rank, const int64_t *shape, tsgu_type type,
                          const void *positions, const void *coordinates,
                          int64_t stored);
  static Pattern *fromCOO(int32_t rank, const int64_t *shape, tsgu_type type,
                          const void *const *coordinates, int64_t stored);

  /// The same from arrays in a device's memory. What the pattern computes stays
  /// there; the layouts of the host are not to be had.
  static Pattern *fromCSROn(const struct Place &place, int32_t rank,
                            const int64_t *shape, tsgu_type type,
                            const void *positions, const void *coordinates,
                            int64_t stored);
  static Pattern *fromCOOOn(const struct Place &place, int32_t rank,
                            const int64_t *shape, tsgu_type type,
                            const void *const *coordinates, int64_t stored);

  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  void release();

  int32_t rank() const { return dims; }
  int64_t extent(int32_t dim) const { return extents[dim]; }
  int64_t items() const { return dims == 3 ? extents[0] : 1; }
  int64_t rows() const { return extents[dims - 2]; }
  int64_t columns() const { return extents[dims - 1]; }
  int64_t stored() const { return canonical.stored; }
  int64_t entries() const { return given; }
  /// NULL: the entries were given in canonical order.
  const int64_t *entryMap() const {
    return home ? deviceMap.as<int64_t>() : map.as<int64_t>();
  }
  ElementType indexType() const { return canonical.indexType; }
  /// That of every layout but the canonical one.
  ElementType derivedIndexType() const {
    return runtime::derivedIndexType(std::max(items(), rows()), columns(),
                                     stored());
  }

  const Layout &csr() {
    return spread ? layout(canonicalLevels(dims)) : canonical;
  }
  /// Made at its first use. Throws InvalidArgument for levels that are not all
  /// of the pattern's dimensions, with a compressed one at the end and after
  /// each compressed one. Only the last two may have blocks, and only where
  /// they alone may be compressed, and diagonals only below blocks. A
  /// permutation for these is made if needed.
  const Layout &layout(std::span<const Level> levels, bool permuted = true);
  /// Rows and columns exchanged.
  const Layout &transposed();

  /// Bit m: of the tuples of coordinates of the dimensions in the set m, most
  /// are in no entry. The set of all three stands for something else: the first
  /// coordinate and one of the others tell the third, so that the last level
  /// may be a singleton.
  uint8_t hollow();
  /// The blocks of which the pattern is made, but for few entries: the largest
  /// ones that are full, or those of diagonals, of most entries. One by one
  /// where there are none, and for a pattern on a device.
  BlockShape blocks();

  /// The layouts in the memory of a device. The emulator's memory is the
  /// host's, and so it serves every pattern of the host. Throws InvalidArgument
  /// where the pattern is elsewhere.
  DeviceLayouts &layoutsOn(Device &device);
  /// NULL: on the host.
  Device *device() const { return home; }
  /// What the device sums by; only with an entry map on a device.
  const EntrySums &entrySums() const { return sums; }
  /// Throws InvalidArgument for a pattern that is on a device.
  void requireHost() const;

  /// What solvers keep here.
  Attachments &attachments() { return kept; }

  /// Memory owned, that of devices included.
  int64_t bytes() const;

  /// Patterns alive, and what they own together.
  static uint64_t alive();
  static int64_t bytesAlive();

private:
  Pattern(int32_t rank, const int64_t *shape, int64_t entries);
  ~Pattern();
  Pattern(const Pattern &) = delete;

  /// I: the indices given; O: the pattern's own.
  template <typename I, typename O>
  void importCSR(const I *positions, const I *coordinates);
  template <typename I, typename O>
  void importCOO(const void *const *coordinates);
  void adopt(ElementType type, struct Canonical made);
  void setCanonical(ElementType type, const void *positions,
                    const void *coordinates, int64_t stored);
  void copyFrom(const struct Place &place, Pattern &host);
  void own(int64_t bytes);

  /// int32 if it can also number the rows of all items, where those are kept.
  static ElementType ownIndexType(int32_t rank, const int64_t *shape,
                                  int64_t stored, bool ofEntries);
  /// Whether there are many more rows of all items than entries.
  static bool isSpread(int32_t rank, const int64_t *shape, int64_t stored);
  static ElementType checkCSRArrays(int32_t rank, const int64_t *shape,
                                    tsgu_type type, const void *positions,
                                    const void *coordinates, int64_t stored);
  static ElementType checkCOOArrays(int32_t rank, const int64_t *shape,
                                    tsgu_type type,
                                    const void *const *coordinates,
                                    int64_t stored);

  std::atomic<int64_t> references{1};
  int32_t dims;
  int64_t extents[3] = {0, 0, 0};
  int64_t given;
  /// The entries by levels 0 dense, 1 compressed, 2 singleton, whether or not
  /// the coordinates of level 1 repeat (`paired`: they do not, nor do those of
  /// level 2). Otherwise by the canonical levels.
  bool spread = false, paired = false;
  Layout canonical;
  Block positionBlock, middleBlock, coordinateBlock, map;
  std::atomic<int64_t> owned{0};

  Device *home = nullptr;
  DeviceBlock devicePositions, deviceCoordinates, deviceMap;
  EntrySums sums; ///< With deviceMap.
  std::unique_ptr<DeviceLayouts> placed;
  std::atomic<const DeviceLayouts *> placedReady{nullptr};

  /// A layout that was made, in a list that only grows.
  struct MadeLayout {
    Levels levels;
    bool permuted; ///< Or without what blocks would need for that.
    OwnedLayout owned;
    std::unique_ptr<MadeLayout> next;
  };
  template <typename F> bool isHollow(int32_t dimension, F &&onHost) const;
  template <typename F> int findHollow(F &&onHost) const;
  /// When the pattern is made on a device: later nothing may be waited for.
  void findHollowOn(const struct Place &place);
  bool isHollow(int32_t a, int32_t b) const;
  const MadeLayout *find(std::span<const Level> levels, bool permuted) const;
  void checkLevels(std::span<const Level> levels) const;
  OwnedLayout make(std::span<const Level> levels, const Layout *single,
                   bool permuted) const;

  Attachments kept;
  std::atomic<int> hollowSets{-1}; ///< -1: not known yet.
  std::atomic<int> blockShape{-1}; ///< The same.
  ForkSafeMutex making;
  std::unique_ptr<MadeLayout> made;
  std::atomic<const MadeLayout *> madeReady{nullptr};
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_PATTERN_H
