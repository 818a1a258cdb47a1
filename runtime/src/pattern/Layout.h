//===- Layout.h - A pattern's entries by levels -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_LAYOUT_H
#define TSGU_SRC_PATTERN_LAYOUT_H

#include "base/Memory.h"

#include <span>

namespace tsgu::runtime {

/// The arrays of a compressed level before the last.
struct UpperLevel {
  const void *positions = nullptr; ///< Of the first level: none, {0, nodes}.
  const void *coordinates = nullptr;
  int64_t parents = 0; ///< Nodes of the level before it.
  int64_t nodes = -1;  ///< -1: the level is dense.

  bool isCompressed() const { return nodes >= 0; }
};

/// How many rows and columns stand together. No columns: rows whose diagonals
/// are the same, each of which has the columns of the one before moved by one.
struct BlockShape {
  int32_t rows = 1, columns = 1;

  bool isOfDiagonals() const { return columns == 0; }
};

/// A pattern's entries in the order of a layout's levels. The last one is
/// compressed; its parents are called rows, whatever they are: those of a
/// batched CSR layout are the rows of all items, one after the other, and
/// positions count from the first item's first entry. Of blocks, coordinates
/// and positions are those of blocks, and each has all its elements in the
/// permutation, -1 for one that the pattern has not; a diagonal's coordinate is
/// negative where only later rows of the block have it. Where the last level is
/// a singleton, rows are the parents of the compressed one before it, of which
/// `upper` has the coordinates.
struct Layout {
  ElementType indexType = ElementType::I32;
  ElementType permutationType = ElementType::I32;
  const void *positions = nullptr;
  const void *coordinates = nullptr;
  const void *permutation = nullptr; ///< To canonical order; NULL: identity.
  int64_t rows = 0;                  ///< Length of positions less one.
  int64_t stored = 0;
  UpperLevel upper[2] = {};
  uint32_t number = 0; ///< Among the pattern's layouts; 0: the canonical one.

  int64_t position(int64_t row) const { return at(positions, row); }
  int64_t at(const void *indices, int64_t i) const {
    return indexType == ElementType::I32
               ? static_cast<const int32_t *>(indices)[i]
               : static_cast<const int64_t *>(indices)[i];
  }

  /// Where the e-th entry is in canonical order.
  int64_t permutationOf(int64_t e) const {
    return !permutation ? e
           : permutationType == ElementType::I32
               ? static_cast<const int32_t *>(permutation)[e]
               : static_cast<const int64_t *>(permutation)[e];
  }

  /// The nodes of the levels whose loops are cut into ranges: rows, or those of
  /// the first level where the one below it is compressed and not the last.
  int64_t iterations() const {
    return upper[1].isCompressed() ? upper[1].parents : rows;
  }
  /// Stored entries before those of such a node.
  int64_t entriesBefore(int64_t node) const {
    return position(upper[1].isCompressed() ? at(upper[1].positions, node)
                                            : node);
  }
  /// The coordinate that a node of the first level stands for.
  int64_t coordinateOf(int64_t node) const {
    return upper[0].isCompressed() ? at(upper[0].coordinates, node) : node;
  }
};

/// A layout with the memory behind it.
struct OwnedLayout {
  Layout layout;
  Block positions, coordinates, permutation;
  Block upperPositions[2], upperCoordinates[2];

  int64_t bytes() const {
    int64_t sum = positions.bytes() + coordinates.bytes() + permutation.bytes();
    for (int level = 0; level < 2; ++level)
      sum += upperPositions[level].bytes() + upperCoordinates[level].bytes();
    return sum;
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

/// The layout by any levels, from the canonical one of a pattern of this shape,
/// with indices of this type, which shape and entries fit.
OwnedLayout layoutByLevels(const Layout &canonical,
                           std::span<const int64_t> shape,
                           std::span<const Level> levels, ElementType type);

/// The layout by blocks of the rows and columns of one by single coordinates,
/// so many rows for each item.
OwnedLayout layoutByBlocks(const Layout &single, int64_t rows, BlockShape block,
                           ElementType type, bool withPermutation);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_LAYOUT_H
