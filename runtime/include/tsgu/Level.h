//===- Level.h - How a layout stores a dimension ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_LEVEL_H
#define TSGU_LEVEL_H

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tsgu {

/// One level of a layout: the coordinates of a dimension below each node of the
/// level before it. Dense, every coordinate is a node; compressed, those of
/// which there are entries, ascending: `positions` say where a parent's begin,
/// `coordinates` what they are. Singleton, each parent has one node, and there
/// are coordinates alone. With a block, a node stands for so many coordinates
/// that follow one another, and has its number among such blocks for a
/// coordinate. Diagonal, nodes below a block are its diagonals, of one entry
/// for each of its coordinates; a node has the coordinate of the first of them.
struct Level {
  enum Kind : uint8_t {
    Dense = 0,
    Compressed = 1,
    Singleton = 2,
    Diagonal = 3
  };
  int32_t dimension = 0;
  Kind kind = Dense;
  int32_t block = 1;

  bool operator==(const Level &) const = default;
};

/// Outermost first: {0 dense, 1 compressed} is CSR, {1 dense, 0 compressed}
/// CSC, {0 compressed, 1 compressed} DCSR, three compressed ones CSF, {0 dense
/// by 3, 1 compressed by 3} BSR. Of blocks, values are those of one block after
/// the other, each by the coordinates within it in the order of the levels. {0
/// dense by 8, 1 diagonal}: where eight rows are those of a banded matrix, each
/// has the columns of the one before, moved by one.
using Levels = std::vector<Level>;

/// The levels of the layout in which a pattern keeps its entries: all but the
/// last dense, dimensions in order.
inline Levels canonicalLevels(int32_t rank) {
  Levels levels;
  for (int32_t d = 0; d < rank; ++d)
    levels.push_back({d, d + 1 < rank ? Level::Dense : Level::Compressed, 1});
  return levels;
}

/// Those with rows and columns exchanged: CSC, or a batch of it.
inline Levels transposedLevels(int32_t rank) {
  Levels levels = canonicalLevels(rank);
  std::swap(levels[rank - 2].dimension, levels[rank - 1].dimension);
  return levels;
}

/// Those of a tensor in which the first coordinate and one of the others tell
/// the third.
inline Levels pairedLevels() {
  return {{0, Level::Dense}, {1, Level::Compressed}, {2, Level::Singleton}};
}

inline bool isCanonical(std::span<const Level> levels) {
  for (size_t i = 0; i < levels.size(); ++i)
    if (levels[i].dimension != static_cast<int32_t>(i) ||
        levels[i].block != 1 ||
        levels[i].kind !=
            (i + 1 < levels.size() ? Level::Dense : Level::Compressed))
      return false;
  return true;
}

inline bool hasBlocks(std::span<const Level> levels) {
  return std::ranges::any_of(levels,
                             [](const Level &l) { return l.block > 1; });
}

/// The same levels with a node for each coordinate.
inline Levels withoutBlocks(std::span<const Level> levels) {
  Levels single(levels.begin(), levels.end());
  for (Level &level : single) {
    level.block = 1;
    if (level.kind == Level::Diagonal)
      level.kind = Level::Compressed;
  }
  return single;
}

/// Whether the entries are in canonical order, so that values need no
/// permutation.
inline bool inOrder(std::span<const Level> levels) {
  for (size_t i = 0; i < levels.size(); ++i)
    if (levels[i].dimension != static_cast<int32_t>(i) || levels[i].block != 1)
      return false;
  return true;
}

/// "0 dense, 1 compressed", "0 dense by 3, 1 compressed by 3".
inline std::string print(std::span<const Level> levels) {
  static constexpr const char *kinds[] = {" dense", " compressed", " singleton",
                                          " diagonal"};
  std::string text;
  for (const Level &level : levels) {
    text += (text.empty() ? "" : ", ") + std::to_string(level.dimension) +
            kinds[level.kind];
    if (level.block != 1)
      text += " by " + std::to_string(level.block);
  }
  return text;
}

} // namespace tsgu

#endif // TSGU_LEVEL_H
