//===- Analysis.cpp - The level sets of a triangle ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Analysis.h"

#include <algorithm>

namespace tsgu::runtime {

static std::atomic<uint64_t> analyses{0};

uint64_t triangularAnalyses() {
  return analyses.load(std::memory_order_relaxed);
}

/// Rows per level below which rows in their own order are faster.
static constexpr int64_t narrowest = 8;

/// Where the strict part of every row ends or begins. Returns how many entries
/// are outside of the triangle.
template <typename I>
int64_t Analysis::findEdges(const I *positions, const I *coordinates,
                            int64_t rows) {
  edgeBlock = blockOf<I>(rows);
  I *edges = edgeBlock.as<I>();
  int64_t outside = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const I begin = positions[i], end = positions[i + 1];
    const I row = static_cast<I>(i);
    // The diagonal mostly stands at the end, and ends are at hand.
    const I *at = coordinates + begin;
    if (begin == end || coordinates[isUpper ? begin : end - 1] != row)
      at = std::lower_bound(coordinates + begin, coordinates + end, row);
    else if (!isUpper)
      at = coordinates + end - 1;
    const bool stored = at < coordinates + end && *at == row;
    if (!stored && missing < 0)
      missing = i;
    const I edge = static_cast<I>(at - coordinates);
    edges[i] = edge + static_cast<I>(isUpper && stored);
    outside += isUpper ? edge - begin : end - edge - I(stored);
  }
  return outside;
}

namespace {
/// The strict part of row i.
template <typename I> struct StrictRows {
  const I *positions, *edges;
  bool upper;
  I begin(int64_t i) const { return upper ? edges[i] : positions[i]; }
  I end(int64_t i) const { return upper ? positions[i + 1] : edges[i]; }
};
} // namespace

/// The level of every row; returns how many rows each level has.
template <typename I>
static std::vector<int32_t> findDepths(const StrictRows<I> &strict,
                                       const I *coordinates, int64_t rows,
                                       int32_t *depths, int32_t &reach) {
  std::vector<int32_t> sizes;
  for (int64_t step = 0; step < rows; ++step) {
    const int64_t i = strict.upper ? rows - 1 - step : step;
    int32_t most = -1, least = std::numeric_limits<int32_t>::max();
    for (I k = strict.begin(i), end = strict.end(i); k < end; ++k) {
      const int32_t depth = depths[coordinates[k]];
      most = std::max(most, depth);
      least = std::min(least, depth);
    }
    depths[i] = most + 1;
    if (most >= 0)
      reach = std::max(reach, most + 1 - least);
    if (static_cast<size_t>(most + 1) == sizes.size())
      sizes.push_back(0);
    ++sizes[most + 1];
  }
  return sizes;
}

template <typename I>
void Analysis::run(const Pattern &pattern, const I *positions,
                   const I *coordinates) {
  const int64_t rows = pattern.rows();
  isTidy = findEdges(positions, coordinates, rows) == 0 && missing < 0;
  if (!fitsInt32(rows) || !fitsInt32(pattern.stored()) || rows == 0)
    return;
  const Block depthBlock = blockOf<int32_t>(rows);
  int32_t *depths = depthBlock.as<int32_t>();
  const StrictRows<I> strict{positions, edgeBlock.as<I>(), isUpper};
  sets.starts = findDepths(strict, coordinates, rows, depths, sets.reach);
  isNarrow = rows / static_cast<int64_t>(sets.starts.size()) < narrowest;
  if (isTidy)
    edgeBlock = Block();
  if (isNarrow) {
    sets = LevelSets();
    return;
  }
  int32_t total = 0;
  for (int32_t &start : sets.starts)
    total += std::exchange(start, total);
  sets.orderBlock = blockOf<int32_t>(rows);
  int32_t *order = sets.orderBlock.as<int32_t>();
  for (int64_t i = 0; i < rows; ++i)
    order[sets.starts[depths[i]]++] = static_cast<int32_t>(i);
  // Every start has become the next one.
  sets.starts.insert(sets.starts.begin(), 0);
}

Analysis::Analysis(const Pattern &pattern, int64_t item, bool upper)
    : isUpper(upper) {
  const Layout &csr = pattern.csr();
  withIndexType(csr.indexType, [&]<typename I>(I) {
    run(pattern, static_cast<const I *>(csr.positions) + item * pattern.rows(),
        static_cast<const I *>(csr.coordinates));
  });
  analyses.fetch_add(1, std::memory_order_relaxed);
}

const Sweep &Analysis::sweep(Pattern &pattern, int64_t item, bool transposed,
                             const tsgu_executor &executor) {
  if (const Sweep *made = ready[transposed].load(std::memory_order_acquire))
    return *made;
  const Layout &layout = transposed ? pattern.transposed() : pattern.csr();
  std::lock_guard lock(making);
  if (!made[transposed]) {
    made[transposed] = makeSweep(
        {layout, pattern.rows(), item, isUpper != transposed, sets, transposed},
        executor);
    ready[transposed].store(made[transposed].get(), std::memory_order_release);
  }
  return *made[transposed];
}

int64_t Analysis::bytes() const {
  int64_t sum = edgeBlock.bytes() + sets.bytes();
  for (const auto &sweep : ready)
    if (const Sweep *made = sweep.load(std::memory_order_acquire))
      sum += made->bytes();
  return sum;
}

std::shared_ptr<Analysis> analysisOf(Pattern &pattern, int64_t item,
                                     bool upper) {
  const uint64_t rest = static_cast<uint64_t>(item) << 1 | uint64_t(upper);
  return pattern.attachments().get<Analysis>(
      attachmentKey(AttachmentKind::Triangle, rest),
      [&] { return std::make_shared<Analysis>(pattern, item, upper); });
}

} // namespace tsgu::runtime
