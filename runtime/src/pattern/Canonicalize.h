//===- Canonicalize.h - Entries in canonical order --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_CANONICALIZE_H
#define TSGU_SRC_PATTERN_CANONICALIZE_H

#include "base/Memory.h"

namespace tsgu::runtime {

/// Rows with their columns strictly ascending, and where each of the entries
/// given went. Of entries at the same place one is stored.
struct Canonical {
  Block positions, coordinates; ///< In the index type of the input.
  Block entryMap;               ///< int64: entry given -> entry stored.
  int64_t stored = 0;
};

/// Sorts and merges the columns within each row of sound CSR arrays.
/// entryOf[k] is the caller's entry at place k; NULL: k itself.
template <typename I>
Canonical canonicalize(const I *positions, int64_t flatRows,
                       const I *coordinates, const int64_t *entryOf);

/// The same for entries in any order: coordinates[d] are sound coordinates of
/// dimension d of `rank`, shape[rank] gives the extents.
template <typename I>
Canonical canonicalizeEntries(const I *const *coordinates, int32_t rank,
                              const int64_t *shape, int64_t stored);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_CANONICALIZE_H
