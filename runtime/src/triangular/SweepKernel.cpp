//===- SweepKernel.cpp - Solving for slices of a sweep --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Kernels.h"
#include "triangular/Lanes.h"

namespace tsgu::runtime {
namespace {

/// Of packed values: what processors fetch by themselves ends with the page.
constexpr int64_t bytesAhead = 2048;

/// direct: from the pattern's values; flat: vectors without strides.
template <typename T, bool direct, bool flat> struct SweepBody {
  using Arguments = SweepArguments<T>;

  /// The values of a group's block k.
  TSGU_INLINE static inline void values(Lanes<T> &to, const Arguments &a,
                                        const Slice &slice, int32_t k,
                                        const int32_t *coordinate,
                                        bool padded) {
    const int64_t at = (int64_t{slice.block} + k) * lanes;
    if constexpr (!direct) {
      to.load(a.packed + at);
      if (!padded)
        __builtin_prefetch(reinterpret_cast<const char *>(a.packed + at) +
                           bytesAhead);
    } else {
      const int64_t step = a.entryStep;
      T loaded[lanes];
      for (int32_t lane = 0; lane < lanes; ++lane) {
        const bool used = !padded || coordinate[lane] < a.ring;
        const int64_t entry =
            a.entries ? int64_t{a.entries[at + lane]}
                      : a.firstEntries[slice.place + lane] + step * k;
        loaded[lane] = used ? a.values[entry] : T(0);
      }
      to.load(loaded);
    }
    to.conjugateIf(a.conjugated);
  }

  /// Value k of a single row.
  TSGU_INLINE static inline T value(const Arguments &a, const Slice &slice,
                                    int32_t k) {
    const int64_t at = int64_t{slice.block} * lanes + k;
    const T v =
        !direct ? a.packed[at]
        : a.entries
            ? a.values[a.entries[at]]
            : a.values[a.firstEntries[slice.place] + int64_t{a.entryStep} * k];
    return conjugatedIf(v, a.conjugated);
  }

  TSGU_INLINE static inline int64_t stride(const Vectors<const T> &b) {
    return flat ? 1 : b.stride;
  }
  TSGU_INLINE static inline int64_t stride(const Vectors<T> &x) {
    return flat ? 1 : x.stride;
  }

  TSGU_INLINE static inline bool anyZero(const Lanes<T> &d) {
    T each[lanes];
    d.store(each);
    bool zero = false;
    for (const T &value : each)
      zero |= value == T(0);
    return zero;
  }

  TSGU_INLINE static inline void divide(Lanes<T> &sum, const Arguments &a,
                                        int64_t place, bool &zero) {
    if (a.unit)
      return;
    Lanes<T> d;
    if constexpr (direct) {
      gather(d, a.values, a.diagonalEntries + place);
      zero |= anyZero(d);
    } else {
      d.load((a.inverse ? a.inverse : a.divisor) + place);
    }
    d.conjugateIf(a.conjugated);
    if (!direct && a.inverse)
      sum.multiply(d);
    else
      sum.divide(d);
  }

  TSGU_INLINE static inline void group(const Arguments &a, const Slice &slice,
                                       int64_t column, bool &zero) {
    T *solved = a.solved + column * a.ringStride();
    const int32_t *rows = a.rows + slice.place;
    Lanes<T> sum, value, x;
    gather(sum, a.b.data + column, rows, stride(a.b));
    const int32_t *coordinate = a.coordinates + slice.coordinate;
    if (slice.kind == Slice::Run)
      for (int32_t k = 0; k < slice.length; ++k) {
        values(value, a, slice, k, coordinate, false);
        x.load(solved + coordinate[k]);
        sum.subtractProduct(value, x);
      }
    else
      for (int32_t k = 0; k < slice.length; ++k, coordinate += lanes) {
        values(value, a, slice, k, coordinate, true);
        gather(x, solved, coordinate);
        sum.subtractProduct(value, x);
      }
    divide(sum, a, slice.place, zero);
    T *to = solved + (slice.slot);
    sum.store(to);
    for (int32_t lane = 0; lane < slice.rows; ++lane)
      a.x.data[rows[lane] * stride(a.x) + column] = to[lane];
  }

  TSGU_INLINE static inline T divided(T sum, const Arguments &a, int64_t place,
                                      bool &zero) {
    if (a.unit)
      return sum;
    if constexpr (direct) {
      const T d = a.values[a.diagonalEntries[place]];
      zero |= d == T(0);
      return quotient(sum, conjugatedIf(d, a.conjugated));
    }
    if (a.inverse)
      return times(sum, conjugatedIf(a.inverse[place], a.conjugated));
    return quotient(sum, conjugatedIf(a.divisor[place], a.conjugated));
  }

  TSGU_INLINE static inline void addLong(Lanes<T> &part, const Arguments &a,
                                         const Slice &slice,
                                         const int32_t *coordinate,
                                         const T *solved) {
    Lanes<T> v, x;
    int32_t k = 0;
    // What is packed has zeros after its end.
    for (const int32_t end = direct ? slice.length / lanes * lanes
                                    : slice.length;
         k < end; k += lanes) {
      if constexpr (direct) {
        T loaded[lanes];
        for (int32_t lane = 0; lane < lanes; ++lane)
          loaded[lane] = value(a, slice, k + lane);
        v.load(loaded);
      } else {
        v.load(a.packed + int64_t{slice.block} * lanes + k);
        v.conjugateIf(a.conjugated);
      }
      gather(x, solved, coordinate + k);
      part.subtractProduct(v, x);
    }
    T each[lanes];
    part.store(each);
    for (int32_t lane = 0; k < slice.length; ++k, ++lane)
      each[lane] =
          minusProduct(each[lane], value(a, slice, k), solved[coordinate[k]]);
    part.load(each);
  }

  TSGU_INLINE static inline void single(const Arguments &a, const Slice &slice,
                                        int64_t column, bool &zero) {
    T *solved = a.solved + column * a.ringStride();
    const int64_t row = a.rows[slice.place];
    const int32_t *coordinate = a.coordinates + slice.coordinate;
    Lanes<T> part;
    part.zero();
    if (slice.kind == Slice::Head) {
      addLong(part, a, slice, coordinate, solved);
      return part.store(a.headOf(slice, column));
    }
    T sum = a.b.data[row * a.b.stride + column];
    if (slice.kind == Slice::Any && slice.length < longRow) {
      for (int32_t k = 0; k < slice.length; ++k)
        sum = minusProduct(sum, value(a, slice, k), solved[coordinate[k]]);
    } else {
      if (slice.kind == Slice::Rest)
        part.load(a.headOf(slice, column));
      addLong(part, a, slice, coordinate, solved);
      sum += part.sum();
    }
    sum = divided(sum, a, slice.place, zero);
    solved[slice.slot] = sum;
    a.x.data[row * a.x.stride + column] = sum;
  }

  TSGU_INLINE static inline bool run(const Arguments &a, int32_t begin,
                                     int32_t end) {
    bool zero = false;
    for (int32_t s = begin; s < end; ++s) {
      const Slice &slice = a.slices[s];
      for (int64_t column = 0; column < a.b.count; ++column)
        if (slice.rows)
          group(a, slice, column, zero);
        else
          single(a, slice, column, zero);
    }
    return zero;
  }
};

} // namespace

template <typename T>
bool solveSlices(const SweepArguments<T> &arguments, int32_t begin,
                 int32_t end) {
  bool zero = false;
  withVectors([&]() TSGU_INLINE {
    const SweepArguments<T> &a = arguments;
    const bool flat = a.b.stride == 1 && a.x.stride == 1;
    if (a.values)
      zero = flat ? SweepBody<T, true, true>::run(a, begin, end)
                  : SweepBody<T, true, false>::run(a, begin, end);
    else
      zero = flat ? SweepBody<T, false, true>::run(a, begin, end)
                  : SweepBody<T, false, false>::run(a, begin, end);
  });
  return zero;
}
#define TSGU_INSTANTIATE(T)                                                    \
  template bool solveSlices(const SweepArguments<T> &, int32_t, int32_t);
TSGU_FOR_VALUE_TYPES(TSGU_INSTANTIATE)

} // namespace tsgu::runtime
