//===- Sweep.cpp - A triangle in the order of its levels ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sweep.h"
#include "../Arithmetic.h"

#include <algorithm>
#include <numeric>

namespace tsgu::runtime {
namespace {

/// A step with less work than this, in blocks, is not worth a barrier.
constexpr int64_t serialWork = 64;
/// What a slice costs beside its blocks: a group, and a single row with its sum
/// across the lanes.
constexpr int64_t groupWork = 2, rowWork = 3;

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
    plan();
    setRing();
    allocate();
    const int64_t parts = std::max<int64_t>(1, 4 * executor.threads);
    parallelFor(executor, parts, [&](int64_t begin, int64_t end) {
      for (int64_t s = sweep.slices * begin / parts,
                   last = sweep.slices * end / parts;
           s < last; ++s)
        fill(slices[s], &members[firstMember[s]],
             s + 1 < sweep.slices ? slices[s + 1].slot : sweep.slots);
    });
    std::copy(slices.begin(), slices.end(), sweep.sliceBlock.as<Slice>());
  }

private:
  StrictRow strict(int64_t row) const {
    const I *begin = coordinates + positions[row];
    const I *end = coordinates + positions[row + 1];
    const I *at = begin != end && end[-1] == static_cast<I>(row) ? end - 1
                  : begin != end && *begin == static_cast<I>(row)
                      ? begin
                      : std::lower_bound(begin, end, static_cast<I>(row));
    const bool stored = at < end && *at == static_cast<I>(row);
    if (source.upper)
      begin = at + stored;
    else
      end = at;
    return {begin - coordinates, end - coordinates,
            stored ? at - coordinates : -1};
  }

  void plan() {
    members.reserve(source.rows);
    const int64_t levels = source.levels.levels();
    for (int64_t step = 0; step < levels; ++step) {
      const int64_t level = source.backwards ? levels - 1 - step : step;
      const auto begin = static_cast<int32_t>(slices.size());
      const int64_t work = sweep.blocks;
      levelSlots.push_back(sweep.slots);
      planLevel(source.levels.order() + source.levels.starts[level],
                source.levels.starts[level + 1] - source.levels.starts[level]);
      const auto end = static_cast<int32_t>(slices.size());
      addStep(begin, end, sweep.blocks - work + groupWork * (end - begin));
    }
    levelSlots.push_back(sweep.slots);
    sweep.slices = static_cast<int64_t>(slices.size());
  }

  void addStep(int32_t begin, int32_t end, int64_t work) {
    const bool serial = work < serialWork;
    if (serial && !sweep.steps.empty() && sweep.steps.back().serial)
      sweep.steps.back().end = end;
    else
      sweep.steps.push_back({begin, end, serial});
  }

  void planLevel(const int32_t *rows, int64_t count) {
    level.clear();
    int64_t entries = 0, padded = 0, most = 0;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t length = strict(rows[k]).length();
      level.push_back({static_cast<int32_t>(length), rows[k]});
      entries += length;
      most = std::max(most, length);
      if (k % lanes == lanes - 1 || k == count - 1)
        padded += std::exchange(most, 0) * lanes;
    }
    // Rows of like length together, where they are not already.
    if (2 * padded > 3 * (entries + lanes))
      std::stable_sort(
          level.begin(), level.end(),
          [](const Row &a, const Row &b) { return a.length > b.length; });
    for (int64_t k = 0; k < count; k += lanes)
      planGroup(&level[k], std::min<int64_t>(lanes, count - k));
  }

  struct Row {
    int32_t length, row;
  };

  void planGroup(const Row *group, int64_t count) {
    int64_t most = 0, single = 0;
    for (int64_t k = 0; k < count; ++k) {
      most = std::max<int64_t>(most, group[k].length);
      single += (group[k].length + lanes - 1) / lanes + rowWork;
    }
    if (most + groupWork <= single) {
      sweep.slots = (sweep.slots + lanes - 1) / lanes * lanes;
      addSlice(static_cast<int32_t>(most), static_cast<int32_t>(count), group,
               count);
      sweep.slots += lanes;
      return;
    }
    for (int64_t k = 0; k < count; ++k) {
      addSlice(group[k].length, 0, &group[k], 1);
      ++sweep.slots;
    }
  }

  void addSlice(int32_t length, int32_t rows, const Row *group, int64_t count) {
    const Slice slice{sweep.blocks, static_cast<int32_t>(sweep.slots), length,
                      rows};
    firstMember.push_back(static_cast<int32_t>(members.size()));
    for (int64_t k = 0; k < count; ++k) {
      members.push_back(group[k].row);
      slotOf[group[k].row] = static_cast<int32_t>(sweep.slots + k);
    }
    slices.push_back(slice);
    sweep.blocks += slice.blocks();
  }

  void setRing() {
    int64_t most = 1;
    const auto levels = static_cast<int64_t>(levelSlots.size()) - 1;
    for (int64_t k = 0; k < levels; ++k)
      most = std::max(
          most, levelSlots[k + 1] -
                    levelSlots[std::max<int64_t>(0, k - source.levels.reach)]);
    sweep.ring = lanes;
    // One more group: the slots of a level begin with those of a group.
    while (sweep.ring < most + lanes)
      sweep.ring *= 2;
  }

  void allocate() {
    sweep.slots += lanes;
    sweep.sliceBlock = blockOf<Slice>(sweep.slices);
    sweep.rowBlock = blockOf<int32_t>(sweep.slots);
    sweep.diagonalBlock = blockOf<int32_t>(sweep.slots);
    sweep.coordinateBlock = blockOf<int32_t>(multiply(sweep.blocks, lanes));
    sweep.entryBlock = blockOf<int32_t>(multiply(sweep.blocks, lanes));
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

  /// Slots up to `until` that are nobody's are left out of everything.
  void fill(const Slice &slice, const int32_t *rows, int64_t until) {
    int32_t *coordinate = sweep.coordinateBlock.as<int32_t>();
    int32_t *entries = sweep.entryBlock.as<int32_t>();
    const int32_t width = slice.rows ? lanes : 1;
    for (int64_t slot = slice.slot + width; slot < until; ++slot)
      sweep.diagonalBlock.as<int32_t>()[slot] = -1;
    for (int32_t lane = 0; lane < width; ++lane) {
      const int32_t row = rows[std::min(lane, std::max(slice.rows - 1, 0))];
      const StrictRow range = strict(row);
      sweep.rowBlock.as<int32_t>()[slice.slot + lane] = row;
      sweep.diagonalBlock.as<int32_t>()[slice.slot + lane] =
          range.diagonal < 0 ? -1 : entry(range.diagonal);
      const int64_t length =
          slice.rows && lane >= slice.rows ? 0 : range.length();
      const int64_t room = slice.rows ? slice.length : slice.blocks() * lanes;
      int64_t at = slice.block * lanes + lane;
      for (int64_t k = 0; k < room; ++k, at += width) {
        const bool inside = k < length;
        coordinate[at] =
            inside ? slotOf[coordinates[range.begin + k]] & (sweep.ring - 1)
                   : sweep.ring;
        entries[at] = inside ? entry(range.begin + k) : -1;
      }
    }
  }

  const SweepSource &source;
  Sweep &sweep;
  const I *positions, *coordinates;
  Block slotBlock;
  int32_t *slotOf;
  std::vector<Slice> slices;
  std::vector<int32_t> members, firstMember; ///< Rows of the slices.
  std::vector<int64_t> levelSlots;
  std::vector<Row> level;
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
  if (part == 0 || part == parts)
    return part ? step.end : step.begin;
  const Slice *slices = sweep.slice();
  auto workBefore = [&](int64_t s) {
    const int64_t block = s < sweep.slices ? slices[s].block : sweep.blocks;
    return block + groupWork * s;
  };
  const int64_t first = workBefore(step.begin);
  const int64_t wanted =
      first + mulDiv(workBefore(step.end) - first, part, parts);
  int32_t low = step.begin, high = step.end;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (workBefore(middle) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

} // namespace tsgu::runtime
