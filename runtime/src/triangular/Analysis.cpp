//===- Analysis.cpp - The level sets of a triangle ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Analysis.h"

#include <algorithm>

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
    int64_t &first = stored ? present : missing;
    if (first < 0)
      first = i;
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

namespace {
/// Finds segments of at most so many rows, and their levels.
template <typename I> class Leveller {
public:
  Leveller(const StrictRows<I> &strict, const I *coordinates, int64_t rows,
           int32_t *depths)
      : strict(strict), coordinates(coordinates), rows(rows), depths(depths) {}

  void run(int32_t longest) {
    segments.clear(), depthOf.clear(), sizes.clear();
    reach = 0;
    const int64_t step = strict.upper ? -1 : 1;
    InterruptCheck check;
    for (int64_t i = strict.upper ? rows - 1 : 0, left = rows; left > 0;) {
      const int64_t length = grow(i, step, std::min<int64_t>(longest, left));
      close(i, step, length);
      check.after(length);
      i += step * length, left -= length;
    }
  }

  int64_t width() const {
    return static_cast<int64_t>(segments.size() / sizes.size());
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

template <typename I>
void Analysis::run(const Pattern &pattern, const I *positions,
                   const I *coordinates) {
  const int64_t rows = pattern.rows();
  isTidy = findEdges(positions, coordinates, rows) == 0 && missing < 0;
  constexpr int64_t most = std::numeric_limits<uint32_t>::max();
  if (rows == 0 || rows > most / mostPadding || !fitsInt32(pattern.stored()) ||
      pattern.stored() + mostPadding * rows > most)
    return;
  const Block depthBlock = blockOf<int32_t>(rows);
  int32_t *depths = depthBlock.as<int32_t>();
  const StrictRows<I> strict{positions, edgeBlock.as<I>(), isUpper};
  Leveller<I> leveller(strict, coordinates, rows, depths);
  const bool many = (positions[rows] - positions[0]) / rows >= manyEntries;
  int32_t longest = many ? longestOfMany : LevelSets::longest;
  leveller.run(longest);
  while (longest > 1 && leveller.width() < wide)
    leveller.run(longest = std::max(1, longest / 4));
  isNarrow = leveller.width() < narrowest;
  if (!isNarrow)
    sets = leveller.sets();
  if (isTidy)
    edgeBlock = Block();
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
    made[transposed] =
        makeSweep({layout, pattern.rows(), item, isUpper != transposed, isTidy,
                   sets, transposed},
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
