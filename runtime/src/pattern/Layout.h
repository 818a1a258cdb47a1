//===- Layout.h - A pattern's levels in one order ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_LAYOUT_H
#define TSGU_SRC_PATTERN_LAYOUT_H

#include "base/Memory.h"

namespace tsgu::runtime {

/// Positions and coordinates of a compressed last level. The rows of a batched
/// layout are those of all items, one after the other, and positions count from
/// the first item's first entry.
struct Layout {
  ElementType indexType = ElementType::I32;
  ElementType permutationType = ElementType::I32;
  const void *positions = nullptr;
  const void *coordinates = nullptr;
  const void *permutation = nullptr; ///< To the CSR entries; NULL: identity.
  int64_t rows = 0;                  ///< Length of positions less one.
  int64_t stored = 0;

  int64_t position(int64_t row) const {
    return indexType == ElementType::I32
               ? static_cast<const int32_t *>(positions)[row]
               : static_cast<const int64_t *>(positions)[row];
  }
};

/// A layout with the memory behind it.
struct OwnedLayout {
  Layout layout;
  Block positions, coordinates, permutation;

  int64_t bytes() const {
    return positions.bytes() + coordinates.bytes() + permutation.bytes();
  }
};

/// int32 wherever rows, columns and stored entries fit, whatever the type of
/// the pattern's own indices.
ElementType derivedIndexType(int64_t rows, int64_t columns, int64_t stored);

/// The layout with rows and columns of every item exchanged, by a counting sort
/// of the entries: O(stored + items * columns), entries of a column in the
/// order of their rows.
OwnedLayout transpose(const Layout &csr, int64_t items, int64_t rows,
                      int64_t columns);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_LAYOUT_H
