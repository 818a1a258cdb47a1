//===- RowKernel.cpp - Solving for rows in their own order ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Kernels.h"
#include "triangular/Lanes.h"

#include <algorithm>

namespace tsgu::runtime {
namespace {

/// Entries, and bytes of each row of x, that are fetched ahead.
constexpr int64_t entriesAhead = 16, bytesAhead = 256;

/// `width` right-hand sides, or so many as given if it is 0; flat: vectors
/// without strides.
template <typename T, typename I, int64_t width, bool flat = false>
struct RowBody {
  using Arguments = RowArguments<T, I>;
  static constexpr int64_t room = width ? width : tileWidth;

  TSGU_INLINE static I strictBegin(const Arguments &a, int64_t i) {
    return !a.upper  ? a.positions[i]
           : a.edges ? a.edges[i]
                     : a.positions[i] + 1;
  }
  TSGU_INLINE static I strictEnd(const Arguments &a, int64_t i) {
    return a.upper   ? a.positions[i + 1]
           : a.edges ? a.edges[i]
                     : a.positions[i + 1] - 1;
  }

  template <typename V>
  TSGU_INLINE static auto *row(const V &vectors, int64_t i) {
    return vectors.data + (flat ? i : i * vectors.stride);
  }

  TSGU_INLINE static T value(const Arguments &a, int64_t k) {
    return conjugatedIf(a.values[k], a.conjugated);
  }

  /// The diagonal stands beside the strict part.
  TSGU_INLINE static void divide(const Arguments &a, int64_t i, T *sum,
                                 int64_t count, bool &zero) {
    if (a.unit)
      return;
    const T d = value(a, a.upper ? strictBegin(a, i) - 1 : strictEnd(a, i));
    zero |= d == T(0);
    if (__builtin_expect(isModerate(d), true)) {
      const T inverse = reciprocal(d);
      for (int64_t j = 0; j < count; ++j)
        sum[j] = times(sum[j], inverse);
    } else {
      for (int64_t j = 0; j < count; ++j)
        sum[j] = sum[j] / d;
    }
  }

  /// Of `length` entries from k on.
  template <int64_t step>
  TSGU_INLINE static T longSum(const Arguments &a, int64_t k, int64_t length,
                               const T *x, int64_t stride) {
    Lanes<T> part, v, at;
    part.zero();
    for (; length >= lanes; length -= lanes, k += step * lanes) {
      T values[lanes];
      I coordinates[lanes];
      for (int64_t lane = 0; lane < lanes; ++lane) {
        values[lane] = value(a, k + step * lane);
        coordinates[lane] = a.coordinates[k + step * lane];
      }
      v.load(values);
      gather(at, x, coordinates, stride);
      part.subtractProduct(v, at);
    }
    T each[lanes];
    part.store(each);
    for (int64_t lane = 0; lane < length; ++lane, k += step)
      each[lane] =
          minusProduct(each[lane], value(a, k), x[a.coordinates[k] * stride]);
    part.load(each);
    return part.sum();
  }

  /// What a later entry reads.
  TSGU_INLINE static void fetch(const Arguments &a, int64_t k, const T *x) {
    constexpr int64_t bytes = std::min<int64_t>(bytesAhead, width * sizeof(T));
    const auto *from = reinterpret_cast<const char *>(
        x + a.coordinates[std::clamp<int64_t>(k, 0, a.lastEntry)] * a.x.stride);
    for (int64_t line = 0; line < bytes; line += 64)
      __builtin_prefetch(from + line);
  }

  /// Subtracts what the row has of the solution, the farthest from the diagonal
  /// first.
  TSGU_INLINE static void pull(const Arguments &a, int64_t i, int64_t column,
                               int64_t count, T *sum) {
    if (a.upper)
      pullFrom<-1>(a, strictEnd(a, i) - 1, i, column, count, sum);
    else
      pullFrom<1>(a, strictBegin(a, i), i, column, count, sum);
  }

  template <int64_t step>
  TSGU_INLINE static void pullFrom(const Arguments &a, int64_t k, int64_t i,
                                   int64_t column, int64_t count, T *sum) {
    int64_t length = strictEnd(a, i) - strictBegin(a, i);
    const T *x = a.x.data + column;
    const int64_t stride = flat ? 1 : a.x.stride;
    if (width == 1 && length >= longRow) {
      *sum += longSum<step>(a, k, length, x, stride);
      return;
    }
    for (; length > 0; --length, k += step) {
      if (width >= tileWidth)
        fetch(a, k + step * entriesAhead, x);
      const T v = value(a, k);
      const T *from = x + a.coordinates[k] * stride;
      for (int64_t j = 0; j < count; ++j)
        sum[j] = minusProduct(sum[j], v, from[j]);
    }
  }

  TSGU_INLINE static void push(const Arguments &a, int64_t i, int64_t column,
                               int64_t count, const T *sum) {
    T *x = a.x.data + column;
    for (int64_t k = strictBegin(a, i), end = strictEnd(a, i); k < end; ++k) {
      const T v = value(a, k);
      T *to = x + a.coordinates[k] * a.x.stride;
      for (int64_t j = 0; j < count; ++j)
        to[j] = minusProduct(to[j], v, sum[j]);
    }
  }

  /// Row i of x, which pushes add to, begins as that of b.
  struct Filled {
    const Arguments &a;
    int64_t column, count, next;
    bool needed;

    TSGU_INLINE void upTo(int64_t row) {
      const int64_t step = a.upper ? 1 : -1;
      for (; needed && (a.upper ? next <= row : next >= row); next += step)
        for (int64_t j = 0; j < count; ++j)
          a.x.row(next)[column + j] = a.b.row(next)[column + j];
    }
  };

  TSGU_INLINE static bool run(const Arguments &a, int64_t column,
                              int64_t given) {
    const int64_t count = width ? width : given;
    bool zero = false;
    // Of a transposed upper triangle the first row is solved for first.
    const bool ascending = a.upper == a.transposed;
    Filled filled{a, column, count, ascending ? 0 : a.rows - 1,
                  a.x.data != a.b.data};
    for (int64_t step = 0; step < a.rows; ++step) {
      const int64_t i = ascending ? step : a.rows - 1 - step;
      T sum[room];
      if (a.transposed) {
        // The entry farthest from the diagonal.
        const int64_t begin = strictBegin(a, i), end = strictEnd(a, i);
        filled.upTo(begin == end
                        ? i
                        : int64_t(a.coordinates[a.upper ? end - 1 : begin]));
      }
      const T *from = a.transposed ? row(a.x, i) : row(a.b, i);
      for (int64_t j = 0; j < count; ++j)
        sum[j] = from[column + j];
      if (!a.transposed)
        pull(a, i, column, count, sum);
      divide(a, i, sum, count, zero);
      for (int64_t j = 0; j < count; ++j)
        row(a.x, i)[column + j] = sum[j];
      if (a.transposed)
        push(a, i, column, count, sum);
    }
    return zero;
  }
};

} // namespace

template <typename T, typename I>
bool solveRows(const RowArguments<T, I> &arguments, int64_t begin,
               int64_t end) {
  bool zero = false;
  const bool flat = arguments.b.stride == 1 && arguments.x.stride == 1;
  auto tiles = [&]<int64_t width>() {
    for (; begin < end && end - begin >= width; begin += width ? width : end)
      withVectors([&]() TSGU_INLINE {
        if (width == 1 && flat)
          zero |= RowBody<T, I, 1, true>::run(arguments, begin, 1);
        else
          zero |= RowBody<T, I, width>::run(arguments, begin, end - begin);
      });
  };
  tiles.template operator()<32>();
  tiles.template operator()<16>();
  tiles.template operator()<tileWidth>();
  if (end - begin == 1)
    tiles.template operator()<1>();
  tiles.template operator()<0>();
  return zero;
}

#define TSGU_INSTANTIATE(T)                                                    \
  template bool solveRows(const RowArguments<T, int32_t> &, int64_t, int64_t); \
  template bool solveRows(const RowArguments<T, int64_t> &, int64_t, int64_t);
TSGU_FOR_VALUE_TYPES(TSGU_INSTANTIATE)

} // namespace tsgu::runtime
