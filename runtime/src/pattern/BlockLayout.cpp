//===- BlockLayout.cpp - A pattern's entries by blocks --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows of a block are gone through side by side: the least column that one of
// them has next begins the next block. Of diagonals, columns count from that
// which the main diagonal of the block has in a row.
//
//===----------------------------------------------------------------------===//

#include "pattern/Layout.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace tsgu::runtime {
namespace {

/// From: the indices of the layout of single coordinates; I: those to make; P:
/// to number the entries.
template <typename From, typename I, typename P> class Builder {
public:
  Builder(const Layout &single, int64_t rows, BlockShape block)
      : single(single), rows(rows), block{block.rows, width(block)},
        slope(block.isOfDiagonals() ? 1 : 0),
        positions(static_cast<const From *>(single.positions)),
        coordinates(static_cast<const From *>(single.coordinates)),
        next(block.rows) {}

  OwnedLayout run(bool withPermutation) {
    const int64_t perItem = ceilDiv(rows, block.rows);
    const int64_t blockRows = rows == 0 ? 0 : single.rows / rows * perItem;
    made.positions = blockOf<I>(add(blockRows, 1));
    I *ends = made.positions.template as<I>();
    *ends++ = 0;
    int64_t nodes = 0;
    goThrough([&](int64_t) { ++nodes; }, [](int64_t, int64_t, int64_t) {},
              [&] { *ends++ = static_cast<I>(nodes); });
    made.coordinates = blockOf<I>(nodes);
    const int64_t slots = multiply(nodes, int64_t(block.rows) * block.columns);
    if (withPermutation) {
      made.permutation = blockOf<P>(slots);
      std::fill_n(made.permutation.template as<P>(), slots, P(-1));
    }
    fill();

    Layout &layout = made.layout;
    layout.indexType = indexTypeOf<I>();
    layout.permutationType = indexTypeOf<P>();
    layout.positions = made.positions.data();
    layout.coordinates = made.coordinates.data();
    layout.permutation = made.permutation.data();
    layout.rows = blockRows;
    layout.stored = slots;
    return std::move(made);
  }

private:
  static int32_t width(BlockShape block) { return std::max(block.columns, 1); }
  static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

  void fill() {
    const auto *order = static_cast<const P *>(single.permutation);
    I *to = made.coordinates.template as<I>();
    P *slots = made.permutation.template as<P>();
    int64_t node = -1;
    auto visitEntry = [&](int64_t row, int64_t column, int64_t entry) {
      const int64_t slot = (node * block.rows + row) * block.columns + column;
      slots[slot] = order ? order[entry] : static_cast<P>(entry);
    };
    auto visitBlock = [&](int64_t column) {
      to[++node] = static_cast<I>(column);
    };
    if (slots)
      goThrough(visitBlock, visitEntry, [] {});
    else
      goThrough(visitBlock, [](int64_t, int64_t, int64_t) {}, [] {});
  }

  /// Calls visitBlock(block column), visitEntry(row in the block, column in it,
  /// entry) for what the block has, and endRow() after each row of blocks.
  template <typename B, typename E, typename R>
  void goThrough(B &&visitBlock, E &&visitEntry, R &&endRow) {
    for (int64_t item = 0; item < single.rows; item += rows)
      for (int64_t row = 0; row < rows; row += block.rows) {
        const From *begin = positions + item + row;
        const int64_t count = std::min<int64_t>(block.rows, rows - row);
        if (isOfDiagonals(begin, count)) {
          const int64_t length = begin[1] - begin[0];
          for (int64_t k = begin[0]; k < begin[1]; ++k) {
            visitBlock(coordinates[k]);
            for (int64_t i = 0; i < count; ++i)
              visitEntry(i, 0, k + i * length);
          }
          endRow();
          continue;
        }
        std::copy_n(begin, count, next.begin());
        for (;;) {
          int64_t least = std::numeric_limits<int64_t>::max();
          for (int64_t i = 0; i < count; ++i)
            if (next[i] < begin[i + 1])
              least = std::min(least, columnOf(next[i], i));
          if (least == std::numeric_limits<int64_t>::max())
            break;
          const int64_t column = least / block.columns;
          const int64_t first = column * block.columns;
          visitBlock(column);
          for (int64_t i = 0; i < count; ++i)
            for (int64_t &k = next[i];
                 k < begin[i + 1] && columnOf(k, i) < first + block.columns;
                 ++k)
              visitEntry(i, columnOf(k, i) - first, k);
        }
        endRow();
      }
  }

  /// Whether all rows of a block are on the same diagonals, as most are where
  /// there are such blocks.
  bool isOfDiagonals(const From *begin, int64_t count) const {
    const auto length = begin[1] - begin[0];
    if (slope == 0 || count < block.rows ||
        begin[count] - begin[0] != count * length)
      return false;
    for (int64_t i = 1; i < count; ++i)
      if (begin[i + 1] - begin[i] != length ||
          !std::equal(coordinates + begin[0], coordinates + begin[1],
                      coordinates + begin[i], [i](From first, From here) {
                        return here - first == static_cast<From>(i);
                      }))
        return false;
    return true;
  }

  /// Of an entry of row i of its block; a diagonal's is that of the first row.
  int64_t columnOf(int64_t entry, int64_t i) const {
    return static_cast<int64_t>(coordinates[entry]) - slope * i;
  }

  const Layout &single;
  const int64_t rows;
  const BlockShape block;
  const int64_t slope;
  const From *const positions, *const coordinates;
  std::vector<int64_t> next; ///< Entry of each row of the block.
  OwnedLayout made;
};

} // namespace

OwnedLayout layoutByBlocks(const Layout &single, int64_t rows, BlockShape block,
                           ElementType type, bool withPermutation) {
  const auto numbers =
      fitsInt32(single.stored) ? ElementType::I32 : ElementType::I64;
  return withIndexType(single.indexType, [&]<typename From>(From) {
    return withIndexType(type, [&]<typename I>(I) {
      return withIndexType(numbers, [&]<typename P>(P) {
        return Builder<From, I, P>(single, rows, block).run(withPermutation);
      });
    });
  });
}

} // namespace tsgu::runtime
