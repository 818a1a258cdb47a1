//===- Blocks.cpp - Of which blocks a pattern is made ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows with the same columns are computed together: what belongs to a column is
// loaded once for all of them. Where each row has the columns of the one before
// moved by one, rows are the lanes of vectors. Blocks that are not full are
// found by kernels, which take their rows one by one; few may be. What is told
// here selects kernels: it depends on the pattern alone.
//
//===----------------------------------------------------------------------===//

#include "pattern/Pattern.h"

#include <algorithm>
#include <array>

namespace tsgu::runtime {

static constexpr int64_t largestBlock = 8;
/// Rows of a block of diagonals, and the entries in such blocks: 1 of so many.
static constexpr int32_t diagonalRows = 8;
static constexpr int64_t fewestInDiagonals = 2;
/// At most this part of the entries is in rows of blocks that are not full.
static constexpr int64_t mostPadded = 8;
/// Fewer entries are gone through in no time.
static constexpr int64_t leastStored = 4096;
/// So many rows are looked at first, and of them this part has to be as the
/// next one is.
static constexpr int64_t samples = 256;
static constexpr int64_t leastAlike = 4;

namespace {

template <typename I> class BlockSearch {
public:
  BlockSearch(const Layout &csr, int64_t rowsOfItem)
      : stored(csr.stored), rows(csr.rows), rowsOfItem(rowsOfItem),
        positions(static_cast<const I *>(csr.positions)),
        coordinates(static_cast<const I *>(csr.coordinates)) {}

  BlockShape run() const {
    BlockShape block;
    if (looksAlike(0) && (block.rows = findRows()) > 1)
      block.columns = findColumns(block.rows);
    else if (looksAlike(1) && hasDiagonals())
      block = {diagonalRows, 0};
    return block;
  }

private:
  int64_t length(int64_t row) const {
    return positions[row + 1] - positions[row];
  }
  bool isFew(int64_t entries) const { return entries <= stored / mostPadded; }

  /// Whether the next row has the same columns, or those moved by one.
  bool isAlike(int64_t row, I moved = 0) const {
    return length(row) == length(row + 1) &&
           std::equal(coordinates + positions[row],
                      coordinates + positions[row + 1],
                      coordinates + positions[row + 1],
                      [moved](I a, I b) { return a + moved == b; });
  }

  bool looksAlike(I moved) const {
    int64_t looked = 0, alike = 0;
    for (uint64_t i = 0; rows > 1 && i < samples; ++i) {
      const uint64_t fraction = (i * 0x9E3779B97F4A7C15u) >> 32;
      const int64_t row =
          mulDiv(rows - 1, static_cast<int64_t>(fraction), int64_t(1) << 32);
      looked += length(row) > 0;
      alike += length(row) > 0 && isAlike(row, moved);
    }
    return alike > looked / leastAlike;
  }

  /// The most rows for a block, so that few entries are in others.
  int32_t findRows() const {
    std::array<int64_t, largestBlock + 1> full{};
    for (int64_t item = 0; item < rows; item += rowsOfItem) {
      int64_t alike = 1; // Rows up to this one that have the same columns.
      for (int64_t row = 0; row < rowsOfItem; ++row) {
        alike = row > 0 && isAlike(item + row - 1) ? alike + 1 : 1;
        for (int64_t b = 2; b <= std::min(alike, largestBlock); ++b)
          if ((row + 1) % b == 0)
            full[b] += b * length(item + row);
      }
    }
    int32_t found = largestBlock;
    while (found > 1 && !isFew(stored - full[found]))
      --found;
    return found;
  }

  /// And the most columns.
  int32_t findColumns(int64_t blockRows) const {
    int32_t found = largestBlock;
    while (found > 1 && !fits(blockRows, found))
      --found;
    return found;
  }

  bool fits(int64_t blockRows, int64_t blockColumns) const {
    int64_t full = 0, gone = 0;
    for (int64_t item = 0; item < rows; item += rowsOfItem)
      for (int64_t row = 0; row < rowsOfItem; row += blockRows) {
        const int64_t first = item + row;
        const int64_t end = item + std::min(row + blockRows, rowsOfItem);
        bool isFull = end - first == blockRows;
        for (int64_t r = first; isFull && r + 1 < end; ++r)
          isFull = isAlike(r);
        if (isFull && hasFullBlocks(first, blockColumns))
          full += blockRows * length(first);
        gone = positions[end] - positions[0];
        if (!isFew(gone - full))
          return false;
      }
    return true;
  }

  bool hasFullBlocks(int64_t row, int64_t blockColumns) const {
    if (length(row) % blockColumns != 0)
      return false;
    for (int64_t k = positions[row]; k < positions[row + 1]; k += blockColumns)
      if (coordinates[k] % blockColumns != 0 ||
          coordinates[k + blockColumns - 1] - coordinates[k] !=
              blockColumns - 1)
        return false;
    return true;
  }

  /// Whether blocks of diagonals have most entries.
  bool hasDiagonals() const {
    int64_t inDiagonals = 0;
    for (int64_t item = 0; item < rows; item += rowsOfItem)
      for (int64_t row = 0; row + diagonalRows <= rowsOfItem;
           row += diagonalRows) {
        const int64_t first = item + row, last = first + diagonalRows - 1;
        int64_t r = first;
        while (r < last && isAlike(r, 1))
          ++r;
        if (r == last)
          inDiagonals += positions[last + 1] - positions[first];
      }
    return inDiagonals > stored / fewestInDiagonals;
  }

  const int64_t stored, rows, rowsOfItem;
  const I *const positions, *const coordinates;
};

} // namespace

BlockShape Pattern::blocks() {
  const int known = blockShape.load(std::memory_order_relaxed);
  if (known >= 0)
    return {known & 255, known >> 8};
  BlockShape found;
  if (!home && !spread && stored() >= leastStored)
    found = withIndexType(canonical.indexType, [&]<typename I>(I) {
      return BlockSearch<I>(canonical, rows()).run();
    });
  blockShape.store(found.rows | found.columns << 8, std::memory_order_relaxed);
  return found;
}

} // namespace tsgu::runtime
