//===- Packed.h - Values in the order of a sweep ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_PACKED_H
#define TSGU_SRC_TRIANGULAR_PACKED_H

#include "pattern/Rows.h"
#include "triangular/Scalars.h"
#include "triangular/Sweep.h"

#include <algorithm>
#include <cstring>

namespace tsgu::runtime {

/// Values in the order of a sweep.
template <typename T> struct Packed {
  Block values, diagonal;
  bool inverted = false; ///< `diagonal` holds reciprocals.

  int64_t bytes() const { return values.bytes() + diagonal.bytes(); }

  /// Says whether there is a zero on the diagonal; no use then.
  bool fill(const Sweep &sweep, bool unit, const T *from,
            const tsgu_executor &executor) {
    values = blockOf<T>(multiply(sweep.blocks, lanes));
    diagonal = blockOf<T>(unit ? 0 : sweep.places);
    const int64_t parts =
        std::clamp<int64_t>(sweep.blocks / partWork, 1, 4 * executor.threads);
    parallelFor(executor, parts, [&](int64_t begin, int64_t end) {
      const int64_t count = sweep.sliceCount();
      for (int64_t s = count * begin / parts, last = count * end / parts;
           s < last; ++s) {
        fetch(sweep, s + 8, last, from);
        fillSlice(sweep, sweep.slices[s], from);
      }
    });
    return !unit && fillDiagonal(sweep, from, executor);
  }

  /// Whether these are the values of the slice that it was filled with, as far
  /// as one of its blocks tells.
  bool resembles(const Sweep &sweep, const Slice &slice, uint32_t block,
                 const T *from) const {
    T expected[lanes], found[lanes];
    const int32_t places = slice.rows ? lanes : 1;
    bool same = true;
    if (slice.length > 0) {
      block %= static_cast<uint32_t>(slice.blocks());
      const int32_t count =
          slice.rows ? lanes
                     : std::min<int32_t>(lanes, slice.length - block * lanes);
      gatherBlock(sweep, slice, block, count, from, expected);
      const T *packed = values.as<T>() + (int64_t{slice.block} + block) * lanes;
      same = std::memcmp(expected, packed, count * sizeof(T)) == 0;
    }
    if (!diagonal.data())
      return same;
    gatherDiagonal(sweep, slice.place, places, from, expected);
    withVectors([&]() TSGU_INLINE {
      for (int32_t lane = 0; lane < places; ++lane)
        found[lane] = inverted ? reciprocal(expected[lane]) : expected[lane];
    });
    return same && std::memcmp(found, diagonal.as<T>() + slice.place,
                               places * sizeof(T)) == 0;
  }

private:
  static constexpr int64_t partWork = 2048; ///< In blocks.

  /// `count` values of block `block` of a slice; padding is 0.
  static void gatherBlock(const Sweep &sweep, const Slice &slice, int64_t block,
                          int32_t count, const T *from, T *to) {
    const int64_t at = (int64_t{slice.block} + block) * lanes;
    if (const int32_t *entries = sweep.entries()) {
      for (int32_t lane = 0; lane < count; ++lane)
        to[lane] = entries[at + lane] < 0 ? T(0) : from[entries[at + lane]];
      return;
    }
    const int32_t *first = sweep.first() + slice.place;
    const int64_t step = sweep.entryStep;
    if (slice.rows == 0) {
      for (int32_t lane = 0; lane < count; ++lane)
        to[lane] = from[*first + step * (block * lanes + lane)];
      return;
    }
    const int32_t *coordinates =
        sweep.coordinates() + slice.coordinate + block * lanes;
    for (int32_t lane = 0; lane < count; ++lane)
      to[lane] = slice.kind == Slice::Run || coordinates[lane] < sweep.ring
                     ? from[first[lane] + step * block]
                     : T(0);
  }

  /// Entries of later slices are anywhere in the layout.
  static void fetch(const Sweep &sweep, int64_t s, int64_t last,
                    const T *from) {
    if (s >= last || !sweep.first())
      return;
    const Slice &slice = sweep.slices[s];
    const int32_t *first = sweep.first() + slice.place;
    for (int32_t lane = 0; lane < (slice.rows ? lanes : 1); ++lane)
      __builtin_prefetch(from + first[lane]);
  }

  void fillSlice(const Sweep &sweep, const Slice &slice, const T *from) {
    T *to = values.as<T>() + int64_t{slice.block} * lanes;
    if (sweep.first() && isFull(sweep, slice)) {
      const int32_t *first = sweep.first() + slice.place;
      const int64_t step = sweep.entryStep;
      for (int64_t k = 0; k < slice.length; ++k, to += lanes)
        for (int32_t lane = 0; lane < lanes; ++lane)
          to[lane] = from[first[lane] + step * k];
      return;
    }
    for (int64_t k = 0; k < slice.blocks(); ++k, to += lanes) {
      const int64_t left = slice.rows ? lanes : slice.length - k * lanes;
      const auto count = static_cast<int32_t>(std::min<int64_t>(lanes, left));
      gatherBlock(sweep, slice, k, count, from, to);
      std::fill(to + count, to + lanes, T(0));
    }
  }

  /// A group without padding, which would be at the end.
  static bool isFull(const Sweep &sweep, const Slice &slice) {
    if (slice.rows == 0 || slice.length == 0)
      return false;
    const int32_t *last = sweep.coordinates() + slice.coordinate +
                          (int64_t{slice.length} - 1) * lanes;
    return slice.kind == Slice::Run ||
           std::all_of(last, last + lanes,
                       [&](int32_t at) { return at < sweep.ring; });
  }

  static void gatherDiagonal(const Sweep &sweep, int64_t place, int64_t count,
                             const T *from, T *to) {
    for (int64_t k = 0; k < count; ++k) {
      const int32_t entry = sweep.diagonal()[place + k];
      to[k] = entry < 0 ? T(1) : from[entry];
    }
  }

  bool fillDiagonal(const Sweep &sweep, const T *from,
                    const tsgu_executor &executor) {
    T *to = diagonal.as<T>();
    std::atomic<bool> moderate{true}, zero{false};
    forRows(executor, sweep.places, 1, [&](int64_t begin, int64_t end) {
      gatherDiagonal(sweep, begin, end - begin, from, to + begin);
      if (std::find(to + begin, to + end, T(0)) != to + end)
        zero.store(true, std::memory_order_relaxed);
      if (!std::all_of(to + begin, to + end, isModerate<T>))
        moderate.store(false, std::memory_order_relaxed);
    });
    inverted = moderate.load();
    if (inverted)
      forRows(executor, sweep.places, 1, [&](int64_t begin, int64_t end) {
        withVectors([&]() TSGU_INLINE { // The kernels' instructions and bits.
          for (int64_t place = begin; place < end; ++place)
            to[place] = reciprocal(to[place]);
        });
      });
    return zero.load();
  }
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_PACKED_H
