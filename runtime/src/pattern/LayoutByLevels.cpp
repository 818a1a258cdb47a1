//===- LayoutByLevels.cpp - A pattern's entries by any levels -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The entries are sorted by the levels' dimensions, and each level then numbers
// its nodes below those of the level before it.
//
//===----------------------------------------------------------------------===//

#include "pattern/Layout.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace tsgu::runtime {
namespace {

/// From: the canonical layout's indices; I: those to make; P: to number the
/// entries.
template <typename From, typename I, typename P> class Builder {
public:
  Builder(const Layout &canonical, std::span<const int64_t> shape,
          std::span<const Level> levels)
      : canonical(canonical), shape(shape), levels(levels),
        stored(canonical.stored) {}

  OwnedLayout run() {
    takeCoordinates();
    sort();
    Layout &layout = made.layout;
    layout.indexType = indexTypeOf<I>();
    layout.permutationType = indexTypeOf<P>();
    layout.stored = stored;
    parents = blockOf<int64_t>(stored);
    std::fill_n(parents.as<int64_t>(), stored, 0);
    for (size_t level = 0; level < levels.size(); ++level)
      number(level);
    if (sorted)
      made.permutation = std::move(order);
    layout.permutation = made.permutation.data();
    return std::move(made);
  }

private:
  /// The coordinates of all entries, in canonical order.
  void takeCoordinates() {
    const auto *positions = static_cast<const From *>(canonical.positions);
    const auto *last = static_cast<const From *>(canonical.coordinates);
    const auto rank = static_cast<int32_t>(shape.size());
    for (int32_t d = 0; d < rank; ++d)
      coordinates[d] = blockOf<I>(stored);
    std::copy_n(last, stored, coordinates[rank - 1].template as<I>());
    const auto *middle =
        static_cast<const From *>(canonical.upper[1].coordinates);
    if (middle)
      std::copy_n(middle, stored, coordinates[1].template as<I>());
    const int64_t rows = shape[rank - 2];
    for (int64_t row = 0; row < canonical.rows; ++row) {
      const int64_t begin = positions[row], end = positions[row + 1];
      if (begin == end)
        continue;
      if (middle) {
        fill(0, begin, end, row);
        continue;
      }
      fill(rank - 2, begin, end, row % rows);
      if (rank == 3)
        fill(0, begin, end, row / rows);
    }
  }
  void fill(int32_t dimension, int64_t begin, int64_t end, int64_t coordinate) {
    I *of = coordinates[dimension].template as<I>();
    std::fill(of + begin, of + end, static_cast<I>(coordinate));
  }

  /// Stable, from the innermost level outwards. Levels at the end whose
  /// dimensions ascend are in order among themselves.
  void sort() {
    size_t first = levels.size() - 1;
    while (first > 0 && levels[first - 1].dimension < levels[first].dimension)
      --first;
    if (first == 0)
      return;
    order = blockOf<P>(stored);
    std::iota(order.template as<P>(), order.template as<P>() + stored, P(0));
    sorted = true;
    while (first-- > 0)
      sortBy(levels[first].dimension);
  }

  void sortBy(int32_t dimension) {
    const I *key = coordinates[dimension].template as<I>();
    P *from = order.template as<P>();
    const int64_t extent = shape[dimension];
    if (extent / 4 > stored) // More coordinates than are worth counting.
      return sortByComparison(key);
    Block next = blockOf<P>(add(extent, 1)), result = blockOf<P>(stored);
    P *begins = next.template as<P>(), *to = result.template as<P>();
    std::fill_n(begins, extent + 1, P(0));
    for (int64_t k = 0; k < stored; ++k)
      ++begins[key[k] + 1];
    std::partial_sum(begins, begins + extent + 1, begins);
    for (int64_t k = 0; k < stored; ++k)
      to[begins[key[from[k]]]++] = from[k];
    order = std::move(result);
  }

  void sortByComparison(const I *key) {
    struct Entry {
      I coordinate;
      P place, entry;
    };
    P *own = order.template as<P>();
    Block block = blockOf<Entry>(stored);
    auto *entries = block.template as<Entry>();
    for (int64_t k = 0; k < stored; ++k)
      entries[k] = {key[own[k]], static_cast<P>(k), own[k]};
    std::sort(entries, entries + stored, [](const Entry &a, const Entry &b) {
      return a.coordinate != b.coordinate ? a.coordinate < b.coordinate
                                          : a.place < b.place;
    });
    for (int64_t k = 0; k < stored; ++k)
      own[k] = entries[k].entry;
  }

  I coordinate(size_t level, int64_t k) const {
    const I *of = coordinates[levels[level].dimension].template as<I>();
    return of[sorted ? order.template as<P>()[k] : k];
  }

  /// The nodes of a level: `parents` has those of the level before for each
  /// entry, and then those of this one.
  void number(size_t level) {
    auto *node = parents.as<int64_t>();
    const bool last = level + 1 == levels.size() ||
                      levels[level + 1].kind == Level::Singleton;
    if (levels[level].kind == Level::Singleton)
      return addSingletons(level);
    if (levels[level].kind == Level::Dense) {
      const int64_t extent = shape[levels[level].dimension];
      parentCount = multiply(parentCount, extent);
      for (int64_t k = 0; k < stored; ++k)
        node[k] = node[k] * extent + coordinate(level, k);
      return;
    }
    // The first level's positions would be {0, nodes}.
    Block positions = level == 0 ? Block() : blockOf<I>(add(parentCount, 1));
    Block found = blockOf<I>(last ? stored : countNodes(level));
    I *ends = positions.template as<I>(), *to = found.template as<I>();
    if (ends)
      std::fill_n(ends, parentCount + 1, I(0));
    int64_t nodes = 0, parent = -1;
    for (int64_t k = 0; k < stored; ++k) {
      const I own = coordinate(level, k);
      const bool isNew =
          last || nodes == 0 || node[k] != parent || to[nodes - 1] != own;
      parent = node[k];
      if (isNew) {
        to[nodes++] = own;
        if (ends)
          ++ends[parent + 1];
      }
      node[k] = nodes - 1;
    }
    if (ends)
      std::partial_sum(ends, ends + parentCount + 1, ends);
    keep(level, std::move(positions), std::move(found), nodes);
  }

  int64_t countNodes(size_t level) const {
    const auto *node = parents.as<int64_t>();
    int64_t nodes = stored > 0;
    for (int64_t k = 1; k < stored; ++k)
      nodes += node[k] != node[k - 1] ||
               coordinate(level, k) != coordinate(level, k - 1);
    return nodes;
  }

  void keep(size_t level, Block positions, Block found, int64_t nodes) {
    Layout &layout = made.layout;
    const bool last = level + 1 == levels.size();
    if (last || levels[level + 1].kind == Level::Singleton) {
      Block &own = last ? made.coordinates : made.upperCoordinates[level];
      made.positions = std::move(positions);
      own = std::move(found);
      layout.positions = made.positions.data();
      (last ? layout.coordinates : layout.upper[level].coordinates) =
          own.data();
      layout.rows = parentCount;
      return;
    }
    made.upperPositions[level] = std::move(positions);
    made.upperCoordinates[level] = std::move(found);
    layout.upper[level] = {made.upperPositions[level].data(),
                           made.upperCoordinates[level].data(), parentCount,
                           nodes};
    parentCount = nodes;
  }

  void addSingletons(size_t level) {
    made.coordinates = blockOf<I>(stored);
    made.layout.coordinates = made.coordinates.data();
    for (int64_t k = 0; k < stored; ++k)
      made.coordinates.template as<I>()[k] = coordinate(level, k);
  }

  const Layout &canonical;
  const std::span<const int64_t> shape;
  const std::span<const Level> levels;
  const int64_t stored;
  Block coordinates[3], order, parents;
  bool sorted = false;
  int64_t parentCount = 1;
  OwnedLayout made;
};

/// The canonical layout without its empty rows; it keeps the coordinates.
template <typename I> OwnedLayout withoutEmptyRows(const Layout &canonical) {
  const auto *from = static_cast<const I *>(canonical.positions);
  int64_t nodes = 0;
  for (int64_t row = 0; row < canonical.rows; ++row)
    nodes += from[row] != from[row + 1];
  OwnedLayout made;
  made.positions = blockOf<I>(nodes + 1);
  made.upperCoordinates[0] = blockOf<I>(nodes);
  I *positions = made.positions.as<I>();
  I *rows = made.upperCoordinates[0].as<I>();
  positions[0] = 0;
  int64_t node = 0;
  for (int64_t row = 0; row < canonical.rows; ++row) {
    if (from[row] == from[row + 1])
      continue;
    rows[node] = static_cast<I>(row);
    positions[++node] = from[row + 1];
  }
  made.layout = canonical;
  made.layout.positions = positions;
  made.layout.rows = nodes;
  made.layout.upper[0] = {nullptr, rows, 1, nodes};
  return made;
}

} // namespace

OwnedLayout layoutByLevels(const Layout &canonical,
                           std::span<const int64_t> shape,
                           std::span<const Level> levels, ElementType type) {
  if (levels.size() == 2 && inOrder(levels) && type == canonical.indexType &&
      levels[0].kind == Level::Compressed)
    return withIndexType(
        type, [&]<typename I>(I) { return withoutEmptyRows<I>(canonical); });
  const auto numbers =
      fitsInt32(canonical.stored) ? ElementType::I32 : ElementType::I64;
  return withIndexType(canonical.indexType, [&]<typename From>(From) {
    return withIndexType(type, [&]<typename I>(I) {
      return withIndexType(numbers, [&]<typename P>(P) {
        return Builder<From, I, P>(canonical, shape, levels).run();
      });
    });
  });
}

} // namespace tsgu::runtime
