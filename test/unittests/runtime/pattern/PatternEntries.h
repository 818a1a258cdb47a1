//===- PatternEntries.h - Patterns of listed entries ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_UNITTESTS_RUNTIME_PATTERN_PATTERNENTRIES_H
#define TSGU_TEST_UNITTESTS_RUNTIME_PATTERN_PATTERNENTRIES_H

#include "pattern/Pattern.h"

#include <array>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace tsgu::test {

using runtime::Pattern;
using Entry = std::array<int64_t, 3>;
using Owned = std::unique_ptr<Pattern, void (*)(Pattern *)>;

struct Entries {
  std::vector<int64_t> shape;
  std::vector<Entry> all; ///< In canonical order.

  int32_t rank() const { return static_cast<int32_t>(shape.size()); }

  Owned pattern() const {
    std::vector<int64_t> coordinates[3];
    const void *pointers[3];
    for (int32_t d = 0; d < rank(); ++d) {
      for (const Entry &entry : all)
        coordinates[d].push_back(entry[static_cast<size_t>(d)]);
      pointers[d] = coordinates[d].data();
    }
    return {Pattern::fromCOO(rank(), shape.data(), TSGU_I64, pointers,
                             static_cast<int64_t>(all.size())),
            [](Pattern *made) { made->release(); }};
  }
};

inline Entries randomEntries(std::mt19937 &random, std::vector<int64_t> shape,
                             size_t count) {
  std::set<Entry> entries;
  for (size_t k = 0; k < count; ++k) {
    Entry entry{};
    for (size_t d = 0; d < shape.size(); ++d)
      entry[d] =
          static_cast<int64_t>(random() % static_cast<uint64_t>(shape[d]));
    entries.insert(entry);
  }
  return {shape, {entries.begin(), entries.end()}};
}

} // namespace tsgu::test

#endif // TSGU_TEST_UNITTESTS_RUNTIME_PATTERN_PATTERNENTRIES_H
