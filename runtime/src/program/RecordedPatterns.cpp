//===- RecordedPatterns.cpp - Patterns that graphs read -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/RecordedPatterns.h"
#include "base/Parallel.h"

#include <set>

namespace tsgu::runtime {

void keepRecorded(const Place &place, std::span<Pattern *const> patterns) {
  if (!place.device.isCapturing(place.stream()))
    return;
  std::lock_guard<std::recursive_mutex> lock(processLock());
  static auto &kept = *new std::set<Pattern *>;
  for (Pattern *pattern : patterns)
    if (kept.insert(pattern).second)
      pattern->retain();
}

} // namespace tsgu::runtime
