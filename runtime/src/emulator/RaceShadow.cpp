//===- RaceShadow.cpp - Who has accessed each word of memory --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "emulator/RaceShadow.h"
#include "tsgu/Error.h"

#include <algorithm>
#include <cstring>

namespace tsgu::runtime {

// Large shadows come as pages that are zero and not there before they are used.
RaceShadow::RaceShadow(const void *memory, uint64_t bytes)
    : begin(reinterpret_cast<uintptr_t>(memory)), bytes(bytes),
      cells(static_cast<Cell *>(std::calloc(cellCount(), sizeof(Cell)))) {
  if (!cells)
    fail(Status::OutOfMemory, "out of memory: the emulator's checks of ", bytes,
         " bytes need ", cellCount() * sizeof(Cell));
}

bool RaceShadow::refine() noexcept {
  const uintptr_t firstWord = begin / granule;
  Cells words = std::move(cells);
  const size_t wordCount = cellCount();
  granule = 1;
  cells.reset(static_cast<Cell *>(std::calloc(cellCount(), sizeof(Cell))));
  if (!cells)
    return false;
  for (size_t word = 0; word < wordCount; ++word)
    for (uintptr_t byte = 4 * (firstWord + word), end = byte + 4; byte < end;
         ++byte)
      if (byte - begin < bytes)
        cells[indexOf(byte)] = words[word];
  return true;
}

RaceShadow::Outcome RaceShadow::access(const void *address, uint64_t accessed,
                                       AccessKind kind, const Moment &now,
                                       Race &race) noexcept {
  const auto from = reinterpret_cast<uintptr_t>(address);
  const uintptr_t to = std::min<uintptr_t>(from + accessed, begin + bytes);
  if (!cells || ((from % granule || accessed % granule) && !refine()))
    return Outcome::OutOfMemory;
  for (uintptr_t at = from; at < to; at += granule) {
    Cell &cell = cells[indexOf(at)];
    for (AccessKind earlier :
         {AccessKind::Load, AccessKind::Store, AccessKind::Atomic}) {
      const AccessHistory &history = cell.history[static_cast<int>(earlier)];
      const bool compatible = earlier == kind && kind != AccessKind::Store;
      if (!compatible && !history.isOrderedBefore(now)) {
        race = {reinterpret_cast<const void *>(at), history.latest(), earlier};
        return Outcome::Race;
      }
    }
    cell.history[static_cast<int>(kind)].add(now);
  }
  return Outcome::Ordered;
}

void RaceShadow::forget() noexcept {
  if (cells)
    std::memset(static_cast<void *>(cells.get()), 0,
                cellCount() * sizeof(Cell));
}

} // namespace tsgu::runtime
