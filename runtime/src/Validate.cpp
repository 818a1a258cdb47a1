//===- Validate.cpp - Are positions and coordinates sound? ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Validate.h"

#include <algorithm>
#include <type_traits>

namespace tsgu::runtime {

std::string rowName(int64_t flatRow, int64_t rowsPerItem, bool batched) {
  if (!batched)
    return "row " + std::to_string(flatRow);
  return "item " + std::to_string(flatRow / rowsPerItem) + ", row " +
         std::to_string(flatRow % rowsPerItem);
}

static std::string itemPrefix(int64_t item) {
  return item < 0 ? "" : "item " + std::to_string(item) + ": ";
}

template <typename I>
[[noreturn]] static void reportPositions(const I *positions, int64_t rows,
                                         int64_t stored, int64_t item) {
  std::string where = itemPrefix(item);
  if (positions[0] != 0)
    fail(Status::InvalidPattern, where, "positions[0] is ", positions[0],
         ", but the first row starts at entry 0");
  for (int64_t row = 0; row < rows; ++row) {
    if (positions[row + 1] < positions[row])
      fail(Status::InvalidPattern, where, "positions decrease at row ", row,
           ": positions[", row, "] is ", positions[row], ", positions[",
           row + 1, "] is ", positions[row + 1],
           "; each row must end where the next begins");
    if (positions[row + 1] > stored)
      fail(Status::InvalidPattern, where, "row ", row, " ends at positions[",
           row + 1, "] = ", positions[row + 1], ", beyond the ", stored,
           " stored entries");
  }
  fail(Status::InvalidPattern, where, "the last position, positions[", rows,
       "], is ", positions[rows], ", but there are ", stored,
       " stored entries; they must be equal");
}

template <typename I>
void checkPositions(const I *positions, int64_t rows, int64_t stored,
                    int64_t item) {
  bool bad = positions[0] != 0 || positions[rows] != stored;
  for (int64_t row = 0; row < rows; ++row)
    bad |= positions[row + 1] < positions[row];
  if (bad)
    reportPositions(positions, rows, stored, item);
}

/// The entry that lies outside [0, extent), or -1.
template <typename I>
static int64_t outside(const I *coordinates, int64_t stored, int64_t extent) {
  using Unsigned = std::make_unsigned_t<I>;
  // Negative coordinates are large ones when read as unsigned.
  constexpr auto beyond =
      static_cast<uint64_t>(std::numeric_limits<I>::max()) + 1;
  const auto limit = static_cast<Unsigned>(
      std::min<uint64_t>(static_cast<uint64_t>(extent), beyond));
  bool bad = false;
  for (int64_t k = 0; k < stored; ++k)
    bad |= static_cast<Unsigned>(coordinates[k]) >= limit;
  if (!bad)
    return -1;
  return std::find_if(coordinates, coordinates + stored,
                      [&](I c) { return static_cast<Unsigned>(c) >= limit; }) -
         coordinates;
}

static std::string mendRange(int64_t extent) {
  if (extent == 0)
    return "; the pattern has none, so it can store no entries";
  return "; valid are 0 to " + std::to_string(extent - 1);
}

template <typename I>
void checkColumns(const I *positions, int64_t flatRows, int64_t rowsPerItem,
                  bool batched, const I *coordinates, int64_t stored,
                  int64_t columns) {
  int64_t k = outside(coordinates, stored, columns);
  if (k < 0)
    return;
  int64_t row = std::upper_bound(positions, positions + flatRows + 1, k,
                                 [](int64_t entry, I p) { return entry < p; }) -
                positions - 1;
  fail(Status::InvalidPattern, rowName(row, rowsPerItem, batched), ", entry ",
       k, ": column ", coordinates[k], " is out of range", mendRange(columns));
}

template <typename I>
void checkCoordinates(const I *coordinates, int64_t stored, int32_t dimension,
                      int64_t extent) {
  int64_t k = outside(coordinates, stored, extent);
  if (k >= 0)
    fail(Status::InvalidPattern, "entry ", k, ": coordinate ", coordinates[k],
         " of dimension ", dimension, " is out of range", mendRange(extent));
}

template <typename I>
bool columnsAscend(const I *positions, int64_t flatRows, const I *coordinates,
                   int64_t stored) {
  // Neighbours that do not ascend, less those that meet where rows meet.
  int64_t descents = 0;
  for (int64_t k = 0; k + 1 < stored; ++k)
    descents += coordinates[k] >= coordinates[k + 1];
  int64_t last = 0;
  for (int64_t row = 1; row < flatRows; ++row) {
    int64_t k = positions[row];
    if (k != last && k < stored)
      descents -= coordinates[k - 1] >= coordinates[k];
    last = k;
  }
  return descents == 0;
}

template <typename I>
bool entriesAscend(const I *const *coordinates, int32_t rank, int64_t stored) {
  bool bad = false;
  const I *x = coordinates[0], *y = coordinates[1];
  if (rank == 2) {
    for (int64_t k = 0; k + 1 < stored; ++k)
      bad |= (x[k] > x[k + 1]) | ((x[k] == x[k + 1]) & (y[k] >= y[k + 1]));
    return !bad;
  }
  const I *z = coordinates[2];
  for (int64_t k = 0; k + 1 < stored; ++k)
    bad |= (x[k] > x[k + 1]) |
           ((x[k] == x[k + 1]) &
            ((y[k] > y[k + 1]) | ((y[k] == y[k + 1]) & (z[k] >= z[k + 1]))));
  return !bad;
}

#define INSTANTIATE(I)                                                         \
  template void checkPositions(const I *, int64_t, int64_t, int64_t);          \
  template void checkColumns(const I *, int64_t, int64_t, bool, const I *,     \
                             int64_t, int64_t);                                \
  template void checkCoordinates(const I *, int64_t, int32_t, int64_t);        \
  template bool columnsAscend(const I *, int64_t, const I *, int64_t);         \
  template bool entriesAscend(const I *const *, int32_t, int64_t);
INSTANTIATE(int32_t)
INSTANTIATE(int64_t)
#undef INSTANTIATE

} // namespace tsgu::runtime
