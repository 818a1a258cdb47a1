//===- SweepKernel.cpp - Solving for slices of a sweep --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Scalars.h"

namespace tsgu::runtime {
namespace {

/// Entries of a single row from which lanes sum apart.
constexpr int32_t longRow = 16;

template <typename T, bool direct> struct SweepBody {
  using Arguments = SweepArguments<T>;

  TSGU_INLINE static T value(const Arguments &a, int64_t at) {
    if constexpr (!direct)
      return conjugatedIf(a.packed[at], a.conjugated);
    const int32_t entry = a.entries[at];
    return entry < 0 ? T(0) : conjugatedIf(a.values[entry], a.conjugated);
  }

  /// sum / diagonal of the row at this slot.
  TSGU_INLINE static T divide(const Arguments &a, int32_t slot, T sum,
                              bool &zero) {
    if (a.unit)
      return sum;
    if constexpr (direct) {
      const T d = a.values[a.diagonalEntries[slot]];
      zero |= d == T(0);
      return quotient(sum, conjugatedIf(d, a.conjugated));
    }
    if (a.inverse)
      return product(sum, conjugatedIf(a.inverse[slot], a.conjugated));
    return quotient(sum, conjugatedIf(a.divisor[slot], a.conjugated));
  }

  TSGU_INLINE static void group(const Arguments &a, const Slice &slice,
                                int64_t column, bool &zero) {
    T *solved = a.solved + column * a.ringStride();
    const int32_t *rows = a.rows + slice.slot;
    T sum[lanes];
    for (int32_t lane = 0; lane < lanes; ++lane)
      sum[lane] = a.b.data[rows[lane] * a.b.stride + column];
    int64_t at = slice.block * lanes;
    for (int32_t k = 0; k < slice.length; ++k, at += lanes)
      for (int32_t lane = 0; lane < lanes; ++lane)
        sum[lane] = minusProduct(sum[lane], value(a, at + lane),
                                 solved[a.coordinates[at + lane]]);
    for (int32_t lane = 0; lane < lanes; ++lane)
      sum[lane] = divide(a, slice.slot + lane, sum[lane], zero);
    T *to = solved + (slice.slot & (a.ring - 1));
    for (int32_t lane = 0; lane < lanes; ++lane)
      to[lane] = sum[lane];
    for (int32_t lane = 0; lane < slice.rows; ++lane)
      a.x.data[rows[lane] * a.x.stride + column] = sum[lane];
  }

  TSGU_INLINE static void single(const Arguments &a, const Slice &slice,
                                 int64_t column, bool &zero) {
    T *solved = a.solved + column * a.ringStride();
    const int64_t row = a.rows[slice.slot];
    T sum = a.b.data[row * a.b.stride + column];
    int64_t at = slice.block * lanes;
    if (slice.length < longRow) {
      for (int32_t k = 0; k < slice.length; ++k)
        sum =
            minusProduct(sum, value(a, at + k), solved[a.coordinates[at + k]]);
    } else {
      T part[lanes] = {};
      for (const int64_t end = at + slice.length; at < end; at += lanes)
        for (int32_t lane = 0; lane < lanes; ++lane)
          part[lane] = minusProduct(part[lane], value(a, at + lane),
                                    solved[a.coordinates[at + lane]]);
      for (int32_t half = lanes / 2; half > 0; half /= 2)
        for (int32_t lane = 0; lane < half; ++lane)
          part[lane] += part[lane + half];
      sum += part[0];
    }
    sum = divide(a, slice.slot, sum, zero);
    solved[slice.slot & (a.ring - 1)] = sum;
    a.x.data[row * a.x.stride + column] = sum;
  }

  TSGU_INLINE static bool run(const Arguments &a, int32_t begin, int32_t end) {
    bool zero = false;
    for (int32_t s = begin; s < end; ++s) {
      const Slice slice = a.slices[s];
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
    zero = arguments.values ? SweepBody<T, true>::run(arguments, begin, end)
                            : SweepBody<T, false>::run(arguments, begin, end);
  });
  return zero;
}
template bool solveSlices(const SweepArguments<float> &, int32_t, int32_t);
template bool solveSlices(const SweepArguments<double> &, int32_t, int32_t);
template bool solveSlices(const SweepArguments<std::complex<float>> &, int32_t,
                          int32_t);
template bool solveSlices(const SweepArguments<std::complex<double>> &, int32_t,
                          int32_t);

} // namespace tsgu::runtime
