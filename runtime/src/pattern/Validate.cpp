//===- Validate.cpp - Are positions and coordinates sound? ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Validate.h"

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

//===----------------------------------------------------------------------===//
// Conditions are sign bits of differences, which are vectorised even where
// there are no comparisons of 64-bit integers. Blocks stay in the cache from
// one condition to the next.
//===----------------------------------------------------------------------===//

static constexpr int64_t blockLength = 4096;

template <typename I> static std::make_unsigned_t<I> bits(I value) {
  return static_cast<std::make_unsigned_t<I>>(value);
}

template <typename I> static bool isNegative(std::make_unsigned_t<I> bits) {
  return static_cast<I>(bits) < 0;
}

/// The largest coordinate in an extent; -1: there is none.
template <typename I> static I largest(int64_t extent) {
  return static_cast<I>(
      std::min<int64_t>(extent - 1, std::numeric_limits<I>::max()));
}

/// Whether a coordinate is negative or larger than `last`.
template <typename I>
static bool anyOutside(const I *coordinates, int64_t count, I last) {
  std::make_unsigned_t<I> outside = 0;
  for (int64_t k = 0; k < count; ++k)
    outside |= bits(coordinates[k]) | (bits(last) - bits(coordinates[k]));
  return isNegative<I>(outside);
}

template <typename I>
static int64_t firstOutside(const I *coordinates, int64_t count, I last) {
  return std::find_if(coordinates, coordinates + count,
                      [&](I c) { return c < 0 || c > last; }) -
         coordinates;
}

static std::string mendRange(int64_t extent) {
  if (extent == 0)
    return "; the pattern has none, so it can store no entries";
  return "; valid are 0 to " + std::to_string(extent - 1);
}

/// Neighbours that do not ascend. The coordinates are not negative.
template <typename I>
static int64_t countDescents(const I *coordinates, int64_t neighbours) {
  constexpr int signBit = 8 * sizeof(I) - 1;
  std::make_unsigned_t<I> descents = 0; // At most blockLength.
  for (int64_t k = 0; k < neighbours; ++k)
    descents +=
        (bits(coordinates[k + 1]) - bits(coordinates[k]) - 1) >> signBit;
  return static_cast<int64_t>(descents);
}

template <typename I>
bool checkColumns(const I *positions, int64_t flatRows, int64_t rowsPerItem,
                  bool batched, const I *coordinates, int64_t stored,
                  int64_t columns) {
  const I last = largest<I>(columns);
  int64_t descents = 0;
  for (int64_t begin = 0; begin < stored; begin += blockLength) {
    const int64_t count = std::min(blockLength, stored - begin);
    if (anyOutside(coordinates + begin, count, last)) {
      const int64_t k = begin + firstOutside(coordinates + begin, count, last);
      const I *end = std::upper_bound(
          positions, positions + flatRows + 1, k,
          [](int64_t entry, I position) { return entry < position; });
      fail(Status::InvalidPattern,
           rowName(end - positions - 1, rowsPerItem, batched), ", entry ", k,
           ": column ", coordinates[k], " is out of range", mendRange(columns));
    }
    // The block's first neighbour is the last entry of the block before.
    const int64_t from = std::max<int64_t>(begin - 1, 0);
    descents += countDescents(coordinates + from, begin + count - 1 - from);
  }
  // Those are no descents where rows meet.
  int64_t before = 0;
  for (int64_t row = 1; row < flatRows; ++row) {
    const int64_t k = positions[row];
    if (k != before && k < stored)
      descents -= coordinates[k - 1] >= coordinates[k];
    before = k;
  }
  return descents == 0;
}

/// Whether an entry does not come after the one before it.
template <typename I>
static bool anyDescent(const I *const *coordinates, int32_t rank, int64_t begin,
                       int64_t neighbours) {
  std::make_unsigned_t<I> descents = 0;
  const I *x = coordinates[0] + begin, *y = coordinates[1] + begin;
  if (rank == 2) {
    for (int64_t k = 0; k < neighbours; ++k) {
      const auto dx = bits(x[k + 1]) - bits(x[k]);
      const auto dy = bits(y[k + 1]) - bits(y[k]);
      descents |= dx | ((dx - 1) & (dy - 1));
    }
    return isNegative<I>(descents);
  }
  const I *z = coordinates[2] + begin;
  for (int64_t k = 0; k < neighbours; ++k) {
    const auto dx = bits(x[k + 1]) - bits(x[k]);
    const auto dy = bits(y[k + 1]) - bits(y[k]);
    const auto dz = bits(z[k + 1]) - bits(z[k]);
    descents |= dx | ((dx - 1) & (dy | ((dy - 1) & (dz - 1))));
  }
  return isNegative<I>(descents);
}

template <typename I>
bool checkEntries(const I *const *coordinates, int32_t rank,
                  const int64_t *shape, int64_t stored) {
  bool ascend = true;
  for (int64_t begin = 0; begin < stored; begin += blockLength) {
    const int64_t count = std::min(blockLength, stored - begin);
    for (int32_t d = 0; d < rank; ++d) {
      const I last = largest<I>(shape[d]);
      if (!anyOutside(coordinates[d] + begin, count, last))
        continue;
      const int64_t k =
          begin + firstOutside(coordinates[d] + begin, count, last);
      fail(Status::InvalidPattern, "entry ", k, ": coordinate ",
           coordinates[d][k], " of dimension ", d, " is out of range",
           mendRange(shape[d]));
    }
    const int64_t from = std::max<int64_t>(begin - 1, 0);
    if (ascend)
      ascend = !anyDescent(coordinates, rank, from, begin + count - 1 - from);
  }
  return ascend;
}

#define INSTANTIATE(I)                                                         \
  template void checkPositions(const I *, int64_t, int64_t, int64_t);          \
  template bool checkColumns(const I *, int64_t, int64_t, bool, const I *,     \
                             int64_t, int64_t);                                \
  template bool checkEntries(const I *const *, int32_t, const int64_t *,       \
                             int64_t);
INSTANTIATE(int32_t)
INSTANTIATE(int64_t)
#undef INSTANTIATE

} // namespace tsgu::runtime
