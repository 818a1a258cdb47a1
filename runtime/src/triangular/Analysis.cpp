//===- Analysis.cpp - The level sets of a triangle ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Analysis.h"

#include <algorithm>
#include <iterator>

namespace tsgu::runtime {

static std::atomic<uint64_t> analyses{0};

uint64_t triangularAnalyses() {
  return analyses.load(std::memory_order_relaxed);
}

/// Segments per level below which shorter ones are better, and in the end rows
/// in their own order.
static constexpr int64_t narrowest = 8;
static constexpr int64_t wide = 24;
/// Rows of so many entries have little of long segments, which are reads and
/// writes of b and x in runs; threads share out short ones more evenly.
static constexpr int64_t manyEntries = 8;
static constexpr int32_t longestOfMany = 8;
/// A sweep counts its coordinates by uint32; at most so many a row are padding.
static constexpr int64_t mostPadding = 4 * lanes;

namespace {
/// The rows of an item, and their strict parts.
template <typename I> struct StrictRows {
  const I *positions, *coordinates, *edges;
  bool upper;

  /// Whether the diagonal stands at the end of the row, where nothing is
  /// outside of the triangle.
  bool tidy(int64_t i) const {
    return positions[i] < positions[i + 1] &&
           coordinates[upper ? positions[i] : positions[i + 1] - 1] == I(i);
  }
  I begin(int64_t i) const {
    return !upper ? positions[i] : edges ? edges[i] : positions[i] + 1;
  }
  I end(int64_t i) const {
    return upper ? positions[i + 1] : edges ? edges[i] : positions[i + 1] - 1;
  }
};

template <typename I>
StrictRows<I> strictRows(Pattern &pattern, int64_t item, bool upper,
                         const Block &edges) {
  const Layout &csr = pattern.csr();
  return {static_cast<const I *>(csr.positions) + item * pattern.rows(),
          static_cast<const I *>(csr.coordinates), edges.as<I>(), upper};
}
} // namespace

template <typename I> void Analysis::findEdges() {
  const int64_t count = pattern.rows();
  const auto rows = strictRows<I>(pattern, item, isUpper, edgeBlock);
  int64_t tidyRows = 0;
  while (tidyRows < count && rows.tidy(tidyRows))
    ++tidyRows;
  if (tidyRows == count) {
    present = count > 0 ? 0 : -1;
    return;
  }
  edgeBlock = blockOf<I>(count);
  for (int64_t i = 0; i < count; ++i) {
    const I *begin = rows.coordinates + rows.positions[i];
    const I *end = rows.coordinates + rows.positions[i + 1];
    const I *at = std::lower_bound(begin, end, I(i));
    const bool stored = at < end && *at == I(i);
    int64_t &first = stored ? present : missing;
    if (first < 0)
      first = i;
    edgeBlock.as<I>()[i] =
        static_cast<I>(at - rows.coordinates) + I(isUpper && stored);
  }
}

namespace {
/// Finds segments of at most so many rows, and their levels.
template <typename I> class Leveller {
public:
  Leveller(const StrictRows<I> &strict, int64_t rows, int32_t *depths)
      : strict(strict), coordinates(strict.coordinates), rows(rows),
        depths(depths) {}

  /// Whether there are so many segments per level.
  bool run(int32_t longest, int64_t wanted) {
    segments.clear(), depthOf.clear(), sizes.clear();
    reach = 0;
    const int64_t mostLevels = rows / wanted;
    const int64_t step = strict.upper ? -1 : 1;
    InterruptCheck check;
    for (int64_t i = strict.upper ? rows - 1 : 0, left = rows; left > 0;) {
      const int64_t length = grow(i, step, std::min<int64_t>(longest, left));
      close(i, step, length);
      if (std::ssize(sizes) > mostLevels)
        return false;
      check.after(length);
      i += step * length, left -= length;
    }
    return std::ssize(segments) >= wanted * std::ssize(sizes);
  }

  LevelSets sets() const {
    LevelSets sets;
    sets.reach = reach;
    sets.starts.assign(sizes.size() + 1, 0);
    std::vector<int32_t> next(sizes.size());
    for (size_t level = 0; level < sizes.size(); ++level) {
      next[level] = sets.starts[level];
      sets.starts[level + 1] = sets.starts[level] + sizes[level];
    }
    sets.segmentBlock = blockOf<Segment>(static_cast<int64_t>(segments.size()));
    for (size_t k = 0; k < segments.size(); ++k)
      sets.segmentBlock.as<Segment>()[next[depthOf[k]]++] = segments[k];
    return sets;
  }

private:
  /// The length of the segment that begins with row i; what it reads is taken
  /// down in `most` and `least`.
  int64_t grow(int64_t i, int64_t step, int64_t longest) {
    most = -1, least = std::numeric_limits<int32_t>::max();
    const I first = static_cast<I>(i);
    int64_t length = 0;
    do {
      const int64_t row = i + step * length;
      const I begin = strict.begin(row), end = strict.end(row);
      // Those nearest to the diagonal are inside the segment.
      if (length > 0 &&
          (begin == end ||
           coordinates[strict.upper ? begin : end - 1] != row - step))
        break;
      I from = begin, to = end;
      if (strict.upper)
        for (; from < to && coordinates[from] <= first; ++from)
          ;
      else
        for (; from < to && coordinates[to - 1] >= first; --to)
          ;
      takeDown(coordinates + from, coordinates + to);
    } while (++length < longest);
    return length;
  }

  void takeDown(const I *from, const I *to) {
    int32_t high = most, low = least;
    for (; from < to; ++from) {
      const int32_t depth = depths[*from];
      high = std::max(high, depth), low = std::min(low, depth);
    }
    most = high, least = low;
  }

  void close(int64_t i, int64_t step, int64_t length) {
    const int32_t depth = most + 1;
    if (most >= 0)
      reach = std::max(reach, depth - least);
    for (int64_t k = 0; k < length; ++k)
      depths[i + step * k] = depth;
    if (static_cast<size_t>(depth) == sizes.size())
      sizes.push_back(0);
    ++sizes[depth];
    segments.push_back({static_cast<int32_t>(i), static_cast<int32_t>(length)});
    depthOf.push_back(depth);
  }

  StrictRows<I> strict;
  const I *coordinates;
  const int64_t rows;
  int32_t *depths; ///< By row.
  int32_t most = -1, least = 0, reach = 0;
  std::vector<Segment> segments;
  std::vector<int32_t> depthOf, sizes; ///< By segment; of levels.
};
} // namespace

template <typename I> void Analysis::findLevels() {
  const int64_t rows = pattern.rows();
  constexpr int64_t most = std::numeric_limits<uint32_t>::max();
  if (rows == 0 || rows > most / mostPadding || !fitsInt32(pattern.stored()) ||
      pattern.stored() + mostPadding * rows > most)
    return;
  const Block depthBlock = blockOf<int32_t>(rows);
  const auto strict = strictRows<I>(pattern, item, isUpper, edgeBlock);
  Leveller<I> leveller(strict, rows, depthBlock.as<int32_t>());
  const I *positions = strict.positions;
  const bool many = (positions[rows] - positions[0]) / rows >= manyEntries;
  int32_t longest = many ? longestOfMany : LevelSets::longest;
  while (longest > 1 && !leveller.run(longest, wide))
    longest /= 4;
  if (longest > 1 || leveller.run(1, narrowest))
    sets = leveller.sets();
}

Analysis::Analysis(Pattern &pattern, int64_t item, bool upper)
    : pattern(pattern), item(item), isUpper(upper) {
  withIndexType(pattern.csr().indexType,
                [&]<typename I>(I) { findEdges<I>(); });
  analyses.fetch_add(1, std::memory_order_relaxed);
}

bool Analysis::narrow() {
  if (width.load(std::memory_order_acquire) < 0) {
    std::lock_guard lock(making);
    if (width.load(std::memory_order_relaxed) < 0) {
      withIndexType(pattern.csr().indexType,
                    [&]<typename I>(I) { findLevels<I>(); });
      counted.set(sets.bytes());
      width.store(sets.starts.empty() ? 0 : 1, std::memory_order_release);
    }
  }
  return width.load(std::memory_order_acquire) == 0;
}

const Sweep &Analysis::sweep(bool transposed, const tsgu_executor &executor) {
  if (const Sweep *made = ready[transposed].load(std::memory_order_acquire))
    return *made;
  const Layout &layout = transposed ? pattern.transposed() : pattern.csr();
  std::lock_guard lock(making);
  if (!made[transposed]) {
    made[transposed] =
        makeSweep({layout, pattern.rows(), item, isUpper != transposed, tidy(),
                   sets, transposed},
                  executor);
    ready[transposed].store(made[transposed].get(), std::memory_order_release);
    counted.set(bytes() - edgeBlock.bytes());
  }
  return *made[transposed];
}

int64_t Analysis::bytes() const {
  int64_t sum = edgeBlock.bytes();
  if (width.load(std::memory_order_acquire) >= 0)
    sum += sets.bytes();
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
