//===- Hollow.cpp - Where most of a pattern is empty ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dense level goes through all coordinates, a compressed one through those of
// which there are entries. That pays where most have none and entries are so
// few that the empty ones take time. What is told here selects kernels: it
// depends on the pattern alone.
//
//===----------------------------------------------------------------------===//

#include "device/Device.h"
#include "pattern/Pattern.h"

namespace tsgu::runtime {

/// Coordinates with entries are at most this part of all: results are filled
/// first, and written twice there.
static constexpr int64_t mostFilled = 4;
/// With more entries for each coordinate, empty ones are no matter.
static constexpr int64_t mostEntries = 4;
/// Fewer coordinates are gone through in no time.
static constexpr int64_t leastExtent = 1024;
/// Of dimensions whose pairs of coordinates are counted, more than entries:
/// each must have enough to share out among threads, unless there are so many
/// pairs for an entry that the memory for them would be the matter. Nothing is
/// written twice for these.
static constexpr int64_t leastOfPair = 64;
static constexpr int64_t mostPairs = 64;

/// How many coordinates of a dimension of the canonical layout have entries.
template <typename I>
static int64_t countFilled(const Layout &csr, int32_t dimension, int32_t rank,
                           int64_t extent, int64_t rows) {
  Block block = blockOf<uint64_t>(extent / 64 + 1);
  auto *bits = block.as<uint64_t>();
  std::fill_n(bits, extent / 64 + 1, 0);
  int64_t count = 0;
  auto mark = [&](int64_t coordinate) {
    const uint64_t bit = uint64_t(1) << (coordinate % 64);
    count += (bits[coordinate / 64] & bit) == 0;
    bits[coordinate / 64] |= bit;
  };
  const auto *positions = static_cast<const I *>(csr.positions);
  const auto *coordinates = static_cast<const I *>(csr.coordinates);
  const auto *middle = static_cast<const I *>(csr.upper[1].coordinates);
  if (dimension == rank - 1)
    for (int64_t k = 0; k < csr.stored; ++k)
      mark(coordinates[k]);
  else if (middle && dimension == 1)
    for (int64_t k = 0; k < csr.stored; ++k)
      mark(middle[k]);
  else
    for (int64_t row = 0; row < csr.rows; ++row)
      if (positions[row] != positions[row + 1])
        mark(middle ? row : dimension == rank - 2 ? row % rows : row / rows);
  return count;
}

template <typename F>
bool Pattern::isHollow(int32_t dimension, F &&onHost) const {
  const int64_t extent = extents[dimension];
  if (extent < leastExtent || stored() / mostEntries >= extent)
    return false;
  if (stored() <= extent / mostFilled)
    return true;
  const Layout &layout = onHost();
  return withIndexType(layout.indexType, [&]<typename I>(I) {
    return countFilled<I>(layout, dimension, dims, extent, rows()) <=
           extent / mostFilled;
  });
}

__extension__ using Wide = __int128;

bool Pattern::isSpread(int32_t rank, const int64_t *shape, int64_t stored) {
  return rank == 3 && Wide(stored) * mostPairs < Wide(shape[0]) * shape[1];
}

bool Pattern::isHollow(int32_t a, int32_t b) const {
  const Wide pairs = Wide(extents[a]) * extents[b];
  return Wide(stored()) * mostPairs < pairs ||
         (stored() < pairs && std::min(extents[a], extents[b]) >= leastOfPair);
}

template <typename F> int Pattern::findHollow(F &&onHost) const {
  int found = paired << 7;
  for (int32_t a = 0; a < dims; ++a) {
    found |= isHollow(a, onHost) << (1 << a);
    for (int32_t b = 0; dims == 3 && b < a; ++b)
      found |= isHollow(a, b) << (1 << a | 1 << b);
  }
  return found;
}

uint8_t Pattern::hollow() {
  int known = hollowSets.load(std::memory_order_relaxed);
  if (known < 0) {
    known = findHollow([&]() -> const Layout & { return canonical; });
    hollowSets.store(known, std::memory_order_relaxed);
  }
  return static_cast<uint8_t>(known);
}

void Pattern::findHollowOn(const Place &place) {
  OwnedLayout host;
  hollowSets = findHollow([&]() -> const Layout & {
    if (!host.layout.positions)
      host = readLayout(place.device, place.stream(), canonical);
    return host.layout;
  });
}

} // namespace tsgu::runtime
