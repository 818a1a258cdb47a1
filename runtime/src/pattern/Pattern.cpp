//===- Pattern.cpp - An immutable sparsity pattern ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Pattern.h"
#include "pattern/PreparedCache.h"

#include <algorithm>

namespace tsgu::runtime {

static std::atomic<uint64_t> patternsAlive{0};
static std::atomic<int64_t> patternBytes{0};

Pattern::Pattern(int32_t rank, const int64_t *shape, int64_t entries)
    : dims(rank), given(entries) {
  std::copy_n(shape, rank, extents);
  patternsAlive.fetch_add(1, std::memory_order_relaxed);
  own(sizeof(Pattern));
}

Pattern::~Pattern() {
  PreparedCache::get().forget(*this);
  patternsAlive.fetch_sub(1, std::memory_order_relaxed);
  patternBytes.fetch_sub(owned.load(std::memory_order_relaxed),
                         std::memory_order_relaxed);
}

void Pattern::own(int64_t bytes) {
  owned.fetch_add(bytes, std::memory_order_relaxed);
  patternBytes.fetch_add(bytes, std::memory_order_relaxed);
}

void Pattern::release() {
  if (references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete this;
}

const Layout &Pattern::transposed() {
  if (const Layout *ready = transposedReady.load(std::memory_order_acquire))
    return *ready;
  std::lock_guard lock(transposing);
  if (!transposedReady.load(std::memory_order_relaxed)) {
    transposedMemory = transpose(canonical, items(), rows(), columns());
    own(transposedMemory.bytes());
    transposedReady.store(&transposedMemory.layout, std::memory_order_release);
  }
  return transposedMemory.layout;
}

const Layout &Pattern::layout(const int32_t *order) {
  requireHost();
  if (!order)
    return canonical;
  const int32_t *inner = order + (dims - 2);
  if (dims == 2 || order[0] == 0) {
    if (inner[0] == dims - 2 && inner[1] == dims - 1)
      return canonical;
    if (inner[0] == dims - 1 && inner[1] == dims - 2)
      return transposed();
  }
  fail(Status::InvalidArgument, "no layout has this level order; a pattern of ",
       dims == 2 ? "rank 2 has {0, 1} and {1, 0}"
                 : "rank 3 has {0, 1, 2} and {0, 2, 1}");
}

int64_t Pattern::bytes() const {
  const DeviceLayouts *layouts = placedReady.load(std::memory_order_acquire);
  return owned.load(std::memory_order_relaxed) + kept.bytes() +
         devicePositions.bytes() + deviceCoordinates.bytes() +
         deviceMap.bytes() + sums.positions.bytes() + sums.entries.bytes() +
         (layouts ? layouts->bytes() : 0);
}

void Pattern::requireHost() const {
  if (home)
    fail(Status::InvalidArgument, "the pattern is in the memory of device ",
         home->number(),
         ", and this runs on the CPU: build the pattern from arrays there");
}

DeviceLayouts &Pattern::layoutsOn(Device &device) {
  const bool here = home ? home == &device : device.isEmulator();
  if (!here)
    fail(Status::InvalidArgument, "the pattern is in the memory of ",
         home ? "another device" : "the host", ", the program runs on device ",
         device.number(), ": build the pattern from arrays of that device");
  if (!placedReady.load(std::memory_order_acquire)) {
    std::lock_guard lock(transposing);
    if (!placed)
      placed = std::make_unique<DeviceLayouts>(device, canonical, items(),
                                               rows(), columns());
    placedReady.store(placed.get(), std::memory_order_release);
  }
  return *placed;
}

uint64_t Pattern::alive() { return patternsAlive.load(); }
int64_t Pattern::bytesAlive() {
  return patternBytes.load() + CountedBytes::all();
}

} // namespace tsgu::runtime
