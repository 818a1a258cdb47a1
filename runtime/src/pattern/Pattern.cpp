//===- Pattern.cpp - An immutable sparsity pattern ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Pattern.h"
#include "pattern/PreparedCache.h"

#include <algorithm>
#include <utility>

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

void Pattern::checkLevels(std::span<const Level> levels) const {
  const auto count = static_cast<int32_t>(levels.size());
  bool named[3] = {};
  bool valid = count == dims;
  for (int32_t i = 0; valid && i < count; ++i) {
    const Level &level = levels[i];
    valid = level.dimension >= 0 && level.dimension < dims &&
            !std::exchange(named[level.dimension], true) &&
            (level.kind == Level::Compressed ||
             (level.kind == Level::Dense && i + 1 < count &&
              (i == 0 || levels[i - 1].kind == Level::Dense)) ||
             (level.kind == Level::Singleton && paired && i == 2 &&
              level.dimension != 0 && levels[1].kind == Level::Compressed) ||
             (level.kind == Level::Diagonal && i > 0 && level.block == 1 &&
              levels[i - 1].block > 1));
    valid &= level.block > 0;
    for (int32_t outer = 0; level.block > 1 && outer + 1 < count; ++outer)
      valid &= i + 2 >= count && levels[outer].kind == Level::Dense;
  }
  if (!valid)
    fail(Status::InvalidArgument, "a pattern of rank ", dims,
         " has no layout {", print(levels), "}: levels are its dimensions, ",
         "dense ones before compressed ones, of which there is one at least, ",
         "and a singleton where coordinates tell it; the last two may have ",
         "blocks where only one is compressed, or the last one diagonals of ",
         "blocks of the one before");
}

const Pattern::MadeLayout *Pattern::find(std::span<const Level> levels,
                                         bool permuted) const {
  const MadeLayout *found = madeReady.load(std::memory_order_acquire);
  while (found && ((permuted && !found->permuted) ||
                   !std::ranges::equal(found->levels, levels)))
    found = found->next.get();
  return found;
}

/// `single`: for blocks, the layout without them.
OwnedLayout Pattern::make(std::span<const Level> levels, const Layout *single,
                          bool permuted) const {
  if (single) {
    const Level *last = &levels.back();
    return layoutByBlocks(
        *single, extents[last[-1].dimension],
        {last[-1].block, last->kind == Level::Diagonal ? 0 : last->block},
        derivedIndexType(), permuted);
  }
  if (!spread && std::ranges::equal(levels, transposedLevels(dims)))
    return transpose(canonical, items(), rows(), columns());
  return layoutByLevels(canonical, {extents, static_cast<size_t>(dims)}, levels,
                        derivedIndexType());
}

const Layout &Pattern::layout(std::span<const Level> levels, bool permuted) {
  requireHost();
  if (spread
          ? paired && std::ranges::equal(levels, pairedLevels())
          : static_cast<int32_t>(levels.size()) == dims && isCanonical(levels))
    return canonical;
  if (const MadeLayout *ready = find(levels, permuted))
    return ready->owned.layout;
  checkLevels(levels);
  permuted |= !hasBlocks(levels);
  const Layout *single =
      hasBlocks(levels) ? &layout(withoutBlocks(levels)) : nullptr;
  std::lock_guard lock(making);
  if (const MadeLayout *ready = find(levels, permuted))
    return ready->owned.layout;
  auto next = std::make_unique<MadeLayout>(
      Levels(levels.begin(), levels.end()), permuted,
      make(levels, single, permuted), nullptr);
  own(next->owned.bytes());
  next->owned.layout.number = made ? made->owned.layout.number + 1 : 1;
  next->next = std::move(made);
  made = std::move(next);
  madeReady.store(made.get(), std::memory_order_release);
  return made->owned.layout;
}

const Layout &Pattern::transposed() { return layout(transposedLevels(dims)); }

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
    const Layout &rowsOfItems = csr();
    std::lock_guard lock(making);
    if (!placed)
      placed = std::make_unique<DeviceLayouts>(
          device, rowsOfItems, std::span(extents, static_cast<size_t>(dims)),
          derivedIndexType());
    placedReady.store(placed.get(), std::memory_order_release);
  }
  return *placed;
}

uint64_t Pattern::alive() { return patternsAlive.load(); }
int64_t Pattern::bytesAlive() {
  return patternBytes.load() + CountedBytes::all();
}

} // namespace tsgu::runtime
