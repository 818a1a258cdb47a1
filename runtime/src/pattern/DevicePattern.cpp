//===- DevicePattern.cpp - Patterns from a device's arrays ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The device copies the arrays and says whether they are canonical. If they are
// not, a pattern of the host is made of them: it says what is corrupt, or has
// the canonical order and the map from the entries.
//
//===----------------------------------------------------------------------===//

#include "device/Device.h"
#include "pattern/DeviceKernels.h"
#include "pattern/Pattern.h"

#include <vector>

namespace tsgu::runtime {
namespace {

using HostPattern = std::unique_ptr<Pattern, void (*)(Pattern *)>;

void releasePattern(Pattern *pattern) { pattern->release(); }

std::vector<char> readArray(const Place &place, const void *data,
                            int64_t bytes) {
  std::vector<char> host(static_cast<size_t>(bytes));
  if (bytes > 0)
    place.device.read(host.data(), data, bytes, place.stream());
  return host;
}

DeviceBlock writeArray(const Place &place, const void *data, int64_t bytes) {
  DeviceBlock block(place.device, bytes);
  if (bytes > 0)
    place.device.write(block.data(), data, bytes, place.stream());
  return block;
}

} // namespace

static constexpr const char *notMadeYet = "the pattern is not made yet";

/// The entries of each stored element, in their order.
static EntrySums groupEntries(const Place &place, const int64_t *map,
                              int64_t entries, int64_t stored) {
  std::vector<int64_t> positions(static_cast<size_t>(stored) + 1);
  std::vector<int64_t> grouped(static_cast<size_t>(entries));
  for (int64_t k = 0; k < entries; ++k)
    ++positions[map[k] + 1];
  for (int64_t s = 0; s < stored; ++s)
    positions[s + 1] += positions[s];
  std::vector<int64_t> next(positions.begin(), positions.end() - 1);
  for (int64_t k = 0; k < entries; ++k)
    grouped[next[map[k]]++] = k;
  EntrySums sums;
  sums.stored = stored;
  sums.positions = writeArray(place, positions.data(), 8 * (stored + 1));
  sums.entries = writeArray(place, grouped.data(), 8 * entries);
  return sums;
}

void Pattern::copyFrom(const Place &place, Pattern &host) {
  const Layout &csr = host.csr();
  const int64_t size = elementSize(csr.indexType);
  devicePositions =
      writeArray(place, csr.positions, multiply(csr.rows + 1, size));
  deviceCoordinates =
      writeArray(place, csr.coordinates, multiply(csr.stored, size));
  if (host.entryMap()) {
    deviceMap = writeArray(place, host.entryMap(), multiply(given, 8));
    sums = groupEntries(place, host.entryMap(), given, csr.stored);
  }
  setCanonical(csr.indexType, devicePositions.data(), deviceCoordinates.data(),
               csr.stored);
  constexpr int pairedSet = 1 << 7; // Of layouts that devices do not keep.
  hollowSets = host.hollow() & ~pairedSet;
}

Pattern *Pattern::fromCSROn(const Place &place, int32_t rank,
                            const int64_t *shape, tsgu_type givenType,
                            const void *positions, const void *coordinates,
                            int64_t stored) {
  const ElementType type =
      checkCSRArrays(rank, shape, givenType, positions, coordinates, stored);
  place.device.refuseCapture(place.stream(), notMadeYet);
  HostPattern pattern(new Pattern(rank, shape, stored), releasePattern);
  Pattern &made = *pattern;
  made.home = &place.device;
  const ElementType own = ownIndexType(rank, shape, stored, false);
  const int64_t positionCount = multiply(made.items(), add(made.rows(), 1));
  DeviceCopies copies(place.device, place.stream(), type, own);
  made.devicePositions = copies.copy(positions, positionCount);
  made.deviceCoordinates = copies.copy(coordinates, stored);
  const DeviceCSR csr{own,
                      made.devicePositions.data(),
                      made.deviceCoordinates.data(),
                      made.items(),
                      made.rows(),
                      made.columns(),
                      stored};
  if (isCanonicalOn(place.device, place.stream(), csr, copies.flags)) {
    if (rank == 3)
      made.devicePositions = joinItemsOn(place.device, place.stream(), csr);
    made.setCanonical(own, made.devicePositions.data(),
                      made.deviceCoordinates.data(), stored);
    made.findHollowOn(place);
    return pattern.release();
  }
  const int64_t size = elementSize(type);
  std::vector<char> hostPositions =
      readArray(place, positions, multiply(positionCount, size));
  std::vector<char> hostCoordinates =
      readArray(place, coordinates, multiply(stored, size));
  HostPattern host(fromCSR(rank, shape, givenType, hostPositions.data(),
                           hostCoordinates.data(), stored),
                   releasePattern);
  made.copyFrom(place, *host);
  return pattern.release();
}

Pattern *Pattern::fromCOOOn(const Place &place, int32_t rank,
                            const int64_t *shape, tsgu_type givenType,
                            const void *const *coordinates, int64_t stored) {
  const ElementType type =
      checkCOOArrays(rank, shape, givenType, coordinates, stored);
  place.device.refuseCapture(place.stream(), notMadeYet);
  HostPattern pattern(new Pattern(rank, shape, stored), releasePattern);
  Pattern &made = *pattern;
  made.home = &place.device;
  const ElementType own = ownIndexType(rank, shape, stored, false);
  DeviceCopies copies(place.device, place.stream(), type, own);
  DeviceBlock item, row = copies.copy(coordinates[rank - 2], stored);
  if (rank == 3)
    item = copies.copy(coordinates[0], stored);
  made.deviceCoordinates = copies.copy(coordinates[rank - 1], stored);
  const DeviceCOO coo{own,
                      rank == 3 ? item.data() : nullptr,
                      row.data(),
                      made.deviceCoordinates.data(),
                      made.items(),
                      made.rows(),
                      made.columns(),
                      stored};
  if (isCanonicalOn(place.device, place.stream(), coo, copies.flags)) {
    made.devicePositions =
        positionsFromRowsOn(place.device, place.stream(), coo);
    made.setCanonical(own, made.devicePositions.data(),
                      made.deviceCoordinates.data(), stored);
    made.findHollowOn(place);
    return pattern.release();
  }
  std::vector<std::vector<char>> host;
  std::vector<const void *> pointers;
  for (int32_t d = 0; d < rank; ++d) {
    host.push_back(
        readArray(place, coordinates[d], multiply(stored, elementSize(type))));
    pointers.push_back(host.back().data());
  }
  HostPattern canonical(
      fromCOO(rank, shape, givenType, pointers.data(), stored), releasePattern);
  made.copyFrom(place, *canonical);
  return pattern.release();
}

} // namespace tsgu::runtime
