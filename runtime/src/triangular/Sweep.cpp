//===- Sweep.cpp - A triangle in the order of its levels ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Sweep.h"
#include "base/Arithmetic.h"

#include <algorithm>

namespace tsgu::runtime {
namespace {

/// A step with less work than this, in blocks, is not worth a barrier.
constexpr int64_t serialWork = 64;
/// What a slice costs beside its blocks: a group, and a single row with its sum
/// across the lanes.
constexpr int64_t groupWork = 2, rowWork = 3;
/// Slices are filled by parts, each of which has room for all its coordinates.
constexpr int64_t fillParts = 16;
/// Groups of a bundle: as many as hide the latency of a row that reads the one
/// before it; fewer where threads would go without.
constexpr int64_t bundleGroups = 4, fewestBundles = 4;

/// The strict part of a row, and the entry on its diagonal or -1.
struct StrictRow {
  int64_t begin, end, diagonal;
  int64_t length() const { return end - begin; }
};

template <typename I> class Builder {
public:
  Builder(const SweepSource &source, Sweep &sweep)
      : source(source), sweep(sweep),
        positions(static_cast<const I *>(source.layout.positions) +
                  source.item * source.rows),
        coordinates(static_cast<const I *>(source.layout.coordinates)),
        slotBlock(blockOf<int32_t>(source.rows)),
        slotOf(slotBlock.as<int32_t>()) {}

  void run(const tsgu_executor &executor) {
    sweep.entryStep = source.upper ? -1 : 1;
    plan();
    setRing();
    allocate();
    parallelFor(executor, fillParts, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part)
        fillPart(part);
    });
  }

private:
  StrictRow strict(int64_t row) const {
    const int64_t first = positions[row], last = positions[row + 1];
    if (source.tidy)
      return source.upper ? StrictRow{first + 1, last, first}
                          : StrictRow{first, last - 1, last - 1};
    const I *begin = coordinates + first, *end = coordinates + last;
    const I *at = std::lower_bound(begin, end, static_cast<I>(row));
    const bool stored = at < end && *at == static_cast<I>(row);
    const int64_t k = at - coordinates;
    return {source.upper ? k + stored : first, source.upper ? last : k,
            stored ? k : -1};
  }

  //===--------------------------------------------------------------------===//
  // Which rows go where
  //===--------------------------------------------------------------------===//

  struct Run {
    int32_t row, length;
    int64_t entries;
  };

  void plan() {
    rowOf.reserve(source.rows + source.rows / 8 + 64);
    sweep.slices.reserve(source.rows / lanes + source.rows / 32 + 64);
    const int64_t levels = source.levels.levels();
    for (int64_t step = 0; step < levels; ++step) {
      const int64_t level = source.backwards ? levels - 1 - step : step;
      levelSlots.push_back(slotCount());
      planLevel(source.levels.starts[level], source.levels.starts[level + 1]);
      closeStep();
    }
    levelSlots.push_back(slotCount());
    sweep.bundles.push_back(static_cast<int32_t>(sliceCount()));
  }

  int64_t sliceCount() const { return sweep.sliceCount(); }
  int64_t slotCount() const { return static_cast<int64_t>(rowOf.size()); }

  /// The bundles since the last step are one.
  void closeStep() {
    const auto end = static_cast<int32_t>(sweep.bundles.size());
    const int64_t work = sweep.blocks + groupWork * sliceCount();
    const bool serial = work - stepWork < serialWork;
    if (serial && !sweep.steps.empty() && sweep.steps.back().serial)
      sweep.steps.back().end = end;
    else
      sweep.steps.push_back({stepBegin, end, serial});
    stepBegin = end, stepWork = work;
  }

  /// By length, and within one length, where they differ much, by entries.
  void sortRuns(int64_t begin, int64_t end) {
    const int32_t direction = rowStep();
    runs.clear();
    int64_t entries = 0, most = 0;
    for (int64_t k = begin; k < end; ++k) {
      const auto [row, length] = source.levels.segments()[k];
      // Backwards, what was solved for last comes first.
      const int32_t first =
          source.backwards ? row - direction * (length - 1) : row;
      const int32_t low = std::min(first, first + direction * (length - 1));
      const int64_t stored = positions[low + length] - positions[low];
      runs.push_back({first, length, stored});
      entries += stored;
      most = std::max(most, stored / length);
    }
    int64_t rows = 0;
    for (const Run &run : runs)
      rows += run.length;
    const bool uneven = 2 * most * rows > 3 * (entries + rows);
    auto before = [uneven, direction](const Run &a, const Run &b) {
      if (a.length != b.length)
        return a.length > b.length;
      if (uneven && a.entries != b.entries)
        return a.entries > b.entries;
      return direction * a.row < direction * b.row;
    };
    if (!std::is_sorted(runs.begin(), runs.end(), before))
      std::sort(runs.begin(), runs.end(), before);
  }

  /// From a row of a segment to the next.
  int32_t rowStep() const {
    // The layout is upper for an upper triangle and for a lower one backwards.
    return source.upper ? -1 : 1;
  }

  void planLevel(int64_t begin, int64_t end) {
    sortRuns(begin, end);
    const auto count = static_cast<int64_t>(runs.size());
    const int64_t groups = (count + lanes - 1) / lanes;
    placeRows(count);
    if (groups == 1 && planHeads()) {
      for (size_t run = 0; run < runs.size(); ++run)
        planRests(run);
      return;
    }
    int64_t parts = std::min(groups, fewestBundles);
    while (parts * bundleGroups < groups)
      parts *= 2;
    parts = std::min(parts, groups);
    for (int64_t part = 0; part < parts; ++part)
      planBundle(groups * part / parts, groups * (part + 1) / parts);
  }

  /// Slots: first all first rows, then all second rows, ...
  void placeRows(int64_t count) {
    slotOfStep.clear();
    for (int32_t k = 0; k < runs[0].length; ++k) {
      while (runs[count - 1].length <= k)
        --count;
      const int64_t first = slotCount();
      slotOfStep.push_back(first);
      rowOf.resize(first + (count + lanes - 1) / lanes * lanes, -1);
      for (int64_t r = 0; r < count; ++r) {
        const int32_t row = runs[r].row + rowStep() * k;
        rowOf[first + r] = row;
        slotOf[row] = static_cast<int32_t>(first + r);
      }
    }
  }

  void planBundle(int64_t firstGroup, int64_t lastGroup) {
    sweep.bundles.push_back(static_cast<int32_t>(sliceCount()));
    for (int32_t k = 0; k < runs[firstGroup * lanes].length; ++k)
      for (int64_t group = firstGroup; group < lastGroup; ++group)
        if (runs[group * lanes].length > k)
          planSlices(slotOfStep[k] + group * lanes);
  }

  /// How many entries the row has before those of its segment, in blocks that
  /// are full.
  int32_t headLength(const Run &run, int32_t k) const {
    const auto [begin, end, at] = strict(run.row + rowStep() * k);
    if (end - begin < longRow)
      return 0;
    const I *first = coordinates + begin, *last = coordinates + end;
    const auto row = static_cast<I>(run.row);
    const int64_t outside = source.upper
                                ? last - std::upper_bound(first, last, row)
                                : std::lower_bound(first, last, row) - first;
    return static_cast<int32_t>(outside / lanes * lanes);
  }

  /// Returns whether there is enough to share out.
  bool planHeads() {
    int64_t work = 0;
    for (const Run &run : runs)
      for (int32_t k = 0; k < run.length; ++k)
        work += headLength(run, k) / lanes;
    if (work < 2 * serialWork)
      return false;
    for (size_t run = 0; run < runs.size(); ++run)
      for (int32_t k = 0; k < runs[run].length; ++k)
        if (const int32_t head = headLength(runs[run], k)) {
          sweep.bundles.push_back(static_cast<int32_t>(sliceCount()));
          addSlice(slotOfStep[k] + static_cast<int64_t>(run), head, 0,
                   Slice::Head);
        }
    closeStep();
    return true;
  }

  void planRests(size_t run) {
    sweep.bundles.push_back(static_cast<int32_t>(sliceCount()));
    for (int32_t k = 0; k < runs[run].length; ++k) {
      const int64_t slot = slotOfStep[k] + static_cast<int64_t>(run);
      const int32_t head = headLength(runs[run], k);
      const auto length = static_cast<int32_t>(strict(rowOf[slot]).length());
      addSlice(slot, length - head, 0, head ? Slice::Rest : Slice::Any);
    }
  }

  /// One slice for the rows of these slots, or one each.
  void planSlices(int64_t slot) {
    int64_t most = 0, single = 0;
    int32_t lengths[lanes], count = 0;
    for (; count < lanes && rowOf[slot + count] >= 0; ++count) {
      const int64_t length = strict(rowOf[slot + count]).length();
      lengths[count] = static_cast<int32_t>(length);
      most = std::max(most, length);
      single += (length + lanes - 1) / lanes + rowWork;
    }
    if (most < longRow && most + groupWork <= single)
      return addSlice(slot, static_cast<int32_t>(most), count);
    for (int32_t lane = 0; lane < count; ++lane)
      addSlice(slot + lane, lengths[lane], 0);
  }

  void addSlice(int64_t slot, int32_t length, int32_t rows,
                Slice::Kind kind = Slice::Any) {
    sweep.slices.push_back({static_cast<int32_t>(sweep.blocks), 0,
                            static_cast<int32_t>(sweep.places),
                            static_cast<int32_t>(slot), length,
                            static_cast<int16_t>(rows), kind});
    sweep.places += rows ? lanes : 1;
    sweep.blocks += sweep.slices.back().blocks();
  }

  void setRing() {
    int64_t most = 1;
    const auto levels = static_cast<int64_t>(levelSlots.size()) - 1;
    for (int64_t k = 0; k < levels; ++k)
      most = std::max(
          most, levelSlots[k + 1] -
                    levelSlots[std::max<int64_t>(0, k - source.levels.reach)]);
    sweep.ring = lanes;
    while (sweep.ring < most)
      sweep.ring *= 2;
  }

  //===--------------------------------------------------------------------===//
  // What goes there
  //===--------------------------------------------------------------------===//

  void allocate() {
    sweep.rowBlock = blockOf<int32_t>(sweep.places);
    sweep.diagonalBlock = blockOf<int32_t>(sweep.places);
    sweep.coordinateBlock = blockOf<int32_t>(multiply(sweep.blocks, lanes));
    if (source.layout.permutation)
      sweep.entryBlock = blockOf<int32_t>(multiply(sweep.blocks, lanes));
    else
      sweep.firstBlock = blockOf<int32_t>(sweep.places);
  }

  void fillPart(int64_t part) {
    const int64_t begin = sliceCount() * part / fillParts;
    const int64_t end = sliceCount() * (part + 1) / fillParts;
    int64_t next = begin < end ? int64_t{sweep.slices[begin].block} * lanes : 0;
    for (int64_t s = begin; s < end; ++s) {
      fetch(s, end);
      Slice &slice = sweep.slices[s];
      slice.coordinate = static_cast<uint32_t>(next);
      fillPlaces(slice);
      next += fillBlocks(slice);
      slice.slot &= sweep.ring - 1;
    }
  }

  /// Rows of later slices are anywhere in the layout.
  void fetch(int64_t s, int64_t end) const {
    constexpr int64_t soon = 4, later = 12;
    if (s + soon < end)
      forRowsOf(sweep.slices[s + soon], [&](int32_t row) {
        __builtin_prefetch(coordinates + positions[row]);
      });
    if (s + later < end)
      forRowsOf(sweep.slices[s + later],
                [&](int32_t row) { __builtin_prefetch(positions + row); });
  }

  template <typename F> void forRowsOf(const Slice &slice, F &&function) const {
    for (int32_t lane = 0; lane < std::max<int32_t>(slice.rows, 1); ++lane)
      function(rowOf[slice.slot + lane]);
  }

  /// Padding has a row of its group, so that it can be read as others are.
  void fillPlaces(const Slice &slice) {
    int32_t *row = sweep.rowBlock.as<int32_t>() + slice.place;
    int32_t *diagonal = sweep.diagonalBlock.as<int32_t>() + slice.place;
    int32_t *first = sweep.firstBlock.data()
                         ? sweep.firstBlock.as<int32_t>() + slice.place
                         : nullptr;
    const int32_t width = slice.rows ? lanes : 1;
    for (int32_t lane = 0; lane < width; ++lane) {
      const int32_t used = std::min(lane, std::max(slice.rows - 1, 0));
      row[lane] = rowOf[slice.slot + used];
      const auto [begin, end, at] = strict(row[lane]);
      diagonal[lane] = at < 0 ? -1 : entry(at);
      const int64_t skipped = skippedBy(slice, end - begin);
      if (first)
        first[lane] = static_cast<int32_t>(source.upper ? end - 1 - skipped
                                                        : begin + skipped);
    }
  }

  /// How many entries of its row, whose strict part has so many, are the head.
  static int64_t skippedBy(const Slice &slice, int64_t length) {
    return slice.kind == Slice::Rest ? length - slice.length : 0;
  }

  int32_t entry(int64_t k) const {
    const void *permutation = source.layout.permutation;
    if (!permutation)
      return static_cast<int32_t>(k);
    return source.layout.permutationType == ElementType::I32
               ? static_cast<const int32_t *>(permutation)[k]
               : static_cast<int32_t>(
                     static_cast<const int64_t *>(permutation)[k]);
  }

  /// What row `lane` of a slice has there, in the order of the solve: `length`
  /// entries from the layout's k on.
  struct Piece {
    int64_t k, length;
  };
  Piece pieceOf(const Slice &slice, int32_t lane) const {
    if (lane >= std::max<int32_t>(slice.rows, 1))
      return {0, 0};
    const StrictRow row = strict(rowOf[slice.slot + lane]);
    const int64_t skipped = skippedBy(slice, row.length());
    return {source.upper ? row.end - 1 - skipped : row.begin + skipped,
            std::min<int64_t>(slice.length, row.length() - skipped)};
  }

  int32_t ringSlot(int64_t k) const {
    return slotOf[coordinates[k]] & (sweep.ring - 1);
  }

  /// Returns how many coordinates it takes.
  int64_t fillBlocks(Slice &slice) {
    int32_t *coordinate =
        sweep.coordinateBlock.as<int32_t>() + slice.coordinate;
    if (sweep.entryBlock.data())
      fillEntries(slice);
    if (fillRun(slice, coordinate)) {
      slice.kind = Slice::Run;
      return slice.length;
    }
    const int64_t count = slice.blocks() * lanes;
    const int32_t width = slice.rows ? lanes : 1, step = sweep.entryStep;
    for (int32_t lane = 0; lane < width; ++lane) {
      auto [k, length] = pieceOf(slice, lane);
      int64_t at = lane;
      for (; length > 0; --length, k += step, at += width)
        coordinate[at] = ringSlot(k);
      for (; at < count; at += width)
        coordinate[at] = sweep.ring;
    }
    return count;
  }

  void fillEntries(const Slice &slice) {
    int32_t *entries =
        sweep.entryBlock.as<int32_t>() + int64_t{slice.block} * lanes;
    const int64_t count = slice.blocks() * lanes;
    const int32_t width = slice.rows ? lanes : 1, step = sweep.entryStep;
    for (int32_t lane = 0; lane < width; ++lane) {
      auto [k, length] = pieceOf(slice, lane);
      int64_t at = lane;
      for (; length > 0; --length, k += step, at += width)
        entries[at] = entry(k);
      for (; at < count; at += width)
        entries[at] = -1;
    }
  }

  /// One coordinate for each block, where the others follow it; returns whether
  /// that is so.
  bool fillRun(const Slice &slice, int32_t *coordinate) const {
    if (slice.rows < lanes)
      return false;
    const int32_t step = sweep.entryStep;
    for (int32_t lane = 0; lane < lanes; ++lane) {
      const auto [k, length] = pieceOf(slice, lane);
      if (length != slice.length)
        return false;
      for (int64_t block = 0; block < length; ++block) {
        const int32_t found = ringSlot(k + step * block) - lane;
        if (lane == 0)
          coordinate[block] = found;
        else if (coordinate[block] != found)
          return false;
      }
    }
    return true;
  }

  const SweepSource &source;
  Sweep &sweep;
  const I *positions, *coordinates;
  Block slotBlock;
  int32_t *slotOf;            ///< By row.
  std::vector<int32_t> rowOf; ///< By slot; -1: padding.
  std::vector<int64_t> levelSlots;
  int32_t stepBegin = 0; ///< The first bundle that is in no step.
  int64_t stepWork = 0;  ///< That of all steps.

  // Of the level being planned.
  std::vector<Run> runs;
  std::vector<int64_t> slotOfStep;
};

} // namespace

std::unique_ptr<Sweep> makeSweep(const SweepSource &source,
                                 const tsgu_executor &executor) {
  auto sweep = std::make_unique<Sweep>();
  withIndexType(source.layout.indexType, [&]<typename I>(I) {
    Builder<I>(source, *sweep).run(executor);
  });
  return sweep;
}

int32_t partOf(const Sweep &sweep, const SweepStep &step, int32_t part,
               int32_t parts) {
  const std::vector<int32_t> &bundles = sweep.bundles;
  if (part == 0 || part == parts)
    return bundles[part ? step.end : step.begin];
  auto workBefore = [&](int64_t bundle) {
    const int64_t s = bundles[bundle];
    const int64_t block =
        s < sweep.sliceCount() ? sweep.slices[s].block : sweep.blocks;
    return block + groupWork * s;
  };
  const int64_t first = workBefore(step.begin);
  const int64_t work = workBefore(step.end) - first;
  const int64_t wanted = first + mulDiv(work, part, parts);
  int32_t low = step.begin, high = step.end;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    // To the nearer side.
    if (workBefore(middle) + workBefore(middle + 1) < 2 * wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return bundles[low];
}

} // namespace tsgu::runtime
