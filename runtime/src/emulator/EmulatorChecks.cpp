//===- EmulatorChecks.cpp - Whether threads may access memory -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "emulator/EmulatorChecks.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace tsgu::runtime {

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

MemoryChecks::MemoryChecks(std::span<const EmulatedMemory> regions) {
  for (const EmulatedMemory &region : regions) {
    if (!region.begin || region.bytes <= 0)
      continue;
    const auto begin = reinterpret_cast<uintptr_t>(region.begin);
    pieces.push_back({begin, begin + static_cast<uintptr_t>(region.bytes), 0,
                      region.written, region.name ? region.name : "memory"});
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece &a, const Piece &b) { return a.begin < b.begin; });
  uintptr_t reach = 0;
  for (Piece &piece : pieces)
    piece.reach = reach = std::max(reach, piece.end);
}

const MemoryChecks::Piece *
MemoryChecks::around(const Access &access) const noexcept {
  const auto begin = reinterpret_cast<uintptr_t>(access.address);
  auto next = std::upper_bound(
      pieces.begin(), pieces.end(), begin,
      [](uintptr_t at, const Piece &piece) { return at < piece.begin; });
  const Piece *found = nullptr;
  while (next != pieces.begin()) {
    --next;
    if (next->reach <= begin)
      break;
    if (begin >= next->end || access.bytes > next->end - begin)
      continue;
    found = &*next;
    if (found->written || access.kind == AccessKind::Load)
      break;
  }
  return found;
}

const MemoryChecks::Piece *
MemoryChecks::nearest(uintptr_t address) const noexcept {
  auto distance = [&](const Piece &piece) {
    return address < piece.begin ? piece.begin - address
           : address > piece.end ? address - piece.end
                                 : 0;
  };
  auto found = std::min_element(pieces.begin(), pieces.end(),
                                [&](const Piece &a, const Piece &b) {
                                  return distance(a) < distance(b);
                                });
  return found == pieces.end() ? nullptr : &*found;
}

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

static const char *verb(AccessKind kind) {
  switch (kind) {
  case AccessKind::Load:
    return "loads";
  case AccessKind::Store:
    return "stores";
  case AccessKind::Atomic:
    return "updates";
  }
  return "accesses";
}

void MemoryChecks::explainOutside(const Access &access, char *why,
                                  size_t size) const noexcept {
  const auto at = reinterpret_cast<uintptr_t>(access.address);
  const Piece *piece = nearest(at);
  if (!piece) {
    std::snprintf(why, size, "%s %" PRIu64 " bytes at %p, and has no memory",
                  verb(access.kind), access.bytes, access.address);
    return;
  }
  const bool before = at < piece->begin;
  std::snprintf(
      why, size,
      "%s %" PRIu64 " bytes at %p, out of bounds: they begin %" PRIu64
      " bytes %s '%s', which has %" PRIu64,
      verb(access.kind), access.bytes, access.address,
      static_cast<uint64_t>(before ? piece->begin - at : at - piece->begin),
      before ? "before" : "into", piece->name.c_str(),
      static_cast<uint64_t>(piece->end - piece->begin));
}

void MemoryChecks::explainRace(const Access &access,
                               const RaceShadow::Race &race, const char *name,
                               char *why, size_t size) const noexcept {
  const Moment &other = race.earlier;
  const bool same = other.block == access.moment.block &&
                    other.thread == access.moment.thread;
  char who[64] = "another thread";
  if (!same)
    std::snprintf(who, sizeof(who), "block (%u, %u), thread %u",
                  other.block % gridWidth, other.block / gridWidth,
                  other.thread);
  std::snprintf(why, size,
                "%s %" PRIu64 " bytes at %p in '%s', a race: %s %s %p, and "
                "neither a barrier nor atomics put them in order",
                verb(access.kind), access.bytes, access.address, name, who,
                verb(race.earlierKind), race.address);
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

void MemoryChecks::beginLaunch(const void *memory, uint64_t bytes,
                               uint32_t width) {
  gridWidth = width;
  workgroup.clear();
  workgroupBytes = bytes;
  if (bytes > 0)
    workgroup.emplace_back(memory, bytes);
  // Only what is written can be raced for; pieces may overlap.
  shadows.clear();
  uintptr_t begin = 0, end = 0;
  auto close = [&] {
    if (begin < end)
      shadows.emplace_back(reinterpret_cast<const void *>(begin), end - begin);
  };
  for (const Piece &piece : pieces) {
    if (!piece.written)
      continue;
    if (piece.begin >= end) {
      close();
      begin = piece.begin;
    }
    end = std::max(end, piece.end);
  }
  close();
}

void MemoryChecks::beginBlock() noexcept {
  for (RaceShadow &shadow : workgroup)
    shadow.forget();
}

bool MemoryChecks::isInOrder(RaceShadow &shadow, const Access &access,
                             const char *name, char *why,
                             size_t size) noexcept {
  RaceShadow::Race race;
  switch (shadow.access(access.address, access.bytes, access.kind,
                        access.moment, race)) {
  case RaceShadow::Outcome::Ordered:
    return true;
  case RaceShadow::Outcome::Race:
    explainRace(access, race, name, why, size);
    return false;
  case RaceShadow::Outcome::OutOfMemory:
    break;
  }
  std::snprintf(why, size, "leaves no memory for the checks of '%s'", name);
  return false;
}

bool MemoryChecks::allows(const Access &access, char *why,
                          size_t size) noexcept {
  for (RaceShadow &shadow : workgroup)
    if (shadow.contains(access.address)) {
      const auto offset =
          static_cast<uint64_t>(static_cast<const char *>(access.address) -
                                static_cast<const char *>(shadow.memory()));
      if (access.bytes <= workgroupBytes - offset)
        return isInOrder(shadow, access, "workgroup memory", why, size);
      std::snprintf(why, size,
                    "%s %" PRIu64 " bytes at %" PRIu64
                    " of workgroup memory, which has %" PRIu64,
                    verb(access.kind), access.bytes, offset, workgroupBytes);
      return false;
    }
  const Piece *piece = around(access);
  if (!piece) {
    explainOutside(access, why, size);
    return false;
  }
  if (!piece->written && access.kind != AccessKind::Load) {
    std::snprintf(
        why, size, "%s %" PRIu64 " bytes at %p in '%s', which may only be read",
        verb(access.kind), access.bytes, access.address, piece->name.c_str());
    return false;
  }
  for (RaceShadow &shadow : shadows)
    if (shadow.contains(access.address))
      return isInOrder(shadow, access, piece->name.c_str(), why, size);
  return true;
}

//===----------------------------------------------------------------------===//
// Checks of a thread's launches
//===----------------------------------------------------------------------===//

static thread_local MemoryChecks *current = nullptr;

MemoryChecks *currentChecks() noexcept { return current; }

MemoryChecks *beginChecks(const EmulatedMemory *memory,
                          uint64_t count) noexcept {
  try {
    auto *checks = new MemoryChecks({memory, count});
    checks->outer = std::exchange(current, checks);
    return checks;
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

void endChecks(MemoryChecks *checks) noexcept {
  current = checks->outer;
  delete checks;
}

} // namespace tsgu::runtime
