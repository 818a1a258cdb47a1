//===- Canonicalize.cpp - Entries in canonical order ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Canonicalize.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tsgu::runtime {

template <typename I>
Canonical canonicalize(const I *positions, int64_t flatRows,
                       const I *coordinates, const int64_t *entryOf) {
  const int64_t entries = positions[flatRows];
  Canonical result;
  result.positions = blockOf<I>(add(flatRows, 1));
  result.coordinates = blockOf<I>(entries);
  result.entryMap = blockOf<int64_t>(entries);
  I *newPositions = result.positions.as<I>();
  I *newCoordinates = result.coordinates.as<I>();
  int64_t *entryMap = result.entryMap.as<int64_t>();

  struct Entry {
    I column;
    int64_t place;
  };
  std::vector<Entry> sorted; // Of the present row.
  int64_t stored = 0;
  newPositions[0] = 0;
  for (int64_t row = 0; row < flatRows; ++row) {
    sorted.clear();
    for (int64_t k = positions[row]; k < positions[row + 1]; ++k)
      sorted.push_back({coordinates[k], k});
    std::sort(sorted.begin(), sorted.end(), [](const Entry &a, const Entry &b) {
      return a.column != b.column ? a.column < b.column : a.place < b.place;
    });
    const int64_t begin = stored;
    for (const Entry &entry : sorted) {
      if (stored == begin || newCoordinates[stored - 1] != entry.column)
        newCoordinates[stored++] = entry.column;
      entryMap[entryOf ? entryOf[entry.place] : entry.place] = stored - 1;
    }
    newPositions[row + 1] = static_cast<I>(stored);
  }

  result.stored = stored;
  if (stored < entries) {
    Block shorter = blockOf<I>(stored);
    if (stored > 0)
      std::memcpy(shorter.data(), newCoordinates, shorter.bytes());
    result.coordinates = std::move(shorter);
  }
  return result;
}

template <typename I>
Canonical canonicalizeEntries(const I *const *coordinates, int32_t rank,
                              const int64_t *shape, int64_t stored) {
  const bool batched = rank == 3;
  const I *items = batched ? coordinates[0] : nullptr;
  const I *rows = coordinates[rank - 2], *columns = coordinates[rank - 1];
  const int64_t rowsPerItem = shape[rank - 2];
  const int64_t flatRows =
      batched ? multiply(shape[0], rowsPerItem) : rowsPerItem;
  auto rowOf = [&](int64_t k) -> int64_t {
    return batched ? items[k] * rowsPerItem + rows[k] : rows[k];
  };

  // A counting sort by row; the columns are then sorted row by row.
  Block positionBlock = blockOf<I>(add(flatRows, 1));
  Block columnBlock = blockOf<I>(stored), entryBlock = blockOf<int64_t>(stored);
  I *positions = positionBlock.as<I>();
  int64_t *entryOf = entryBlock.as<int64_t>();
  std::fill_n(positions, flatRows + 1, I(0));
  for (int64_t k = 0; k < stored; ++k)
    ++positions[rowOf(k) + 1];
  int64_t start = 0;
  for (int64_t row = 0; row < flatRows; ++row) {
    int64_t count = positions[row + 1];
    positions[row + 1] = static_cast<I>(start);
    start += count;
  }
  for (int64_t k = 0; k < stored; ++k) {
    int64_t to = positions[rowOf(k) + 1]++;
    columnBlock.as<I>()[to] = columns[k];
    entryOf[to] = k;
  }
  return canonicalize(positions, flatRows, columnBlock.as<I>(), entryOf);
}

#define INSTANTIATE(I)                                                         \
  template Canonical canonicalize(const I *, int64_t, const I *,               \
                                  const int64_t *);                            \
  template Canonical canonicalizeEntries(const I *const *, int32_t,            \
                                         const int64_t *, int64_t);
INSTANTIATE(int32_t)
INSTANTIATE(int64_t)
#undef INSTANTIATE

} // namespace tsgu::runtime
