//===- Values.cpp - Values per entry and per stored element ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Values.h"
#include "Errors.h"

#include <algorithm>
#include <complex>
#include <type_traits>
#include <vector>

#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

using namespace tsgu::torch_plugin;

/// Values of 16 bits are summed in float, and each sum is rounded once.
template <typename T>
static void sumEntries(const CachedPattern &pattern, int64_t batch,
                       int64_t batchStride, const void *from, void *to) {
  using Sum = std::conditional_t<sizeof(T) == 2, float, T>;
  const T *source = static_cast<const T *>(from);
  T *target = static_cast<T *>(to);
  std::vector<Sum> sums(static_cast<size_t>(pattern.stored));
  for (int64_t b = 0; b < batch; ++b) {
    std::fill(sums.begin(), sums.end(), Sum(0));
    for (int64_t k = 0; k < pattern.entries; ++k)
      sums[pattern.entryMap[k]] += static_cast<Sum>(source[k]);
    for (int64_t k = 0; k < pattern.stored; ++k)
      target[k] = static_cast<T>(sums[static_cast<size_t>(k)]);
    source += batchStride;
    target += pattern.stored;
  }
}

template <typename T>
static void spreadStored(const CachedPattern &pattern, int64_t batch,
                         const void *from, void *to) {
  const T *source = static_cast<const T *>(from);
  T *target = static_cast<T *>(to);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t k = 0; k < pattern.entries; ++k)
      target[k] = source[pattern.entryMap[k]];
    source += pattern.stored;
    target += pattern.entries;
  }
}

/// Calls `body` with a zero of the type.
template <typename Body> static void withValueType(tsgu_type type, Body body) {
  switch (type) {
  case TSGU_F16:
    return body(torch::headeronly::Half(0));
  case TSGU_BF16:
    return body(torch::headeronly::BFloat16(0));
  case TSGU_F32:
    return body(float());
  case TSGU_F64:
    return body(double());
  case TSGU_C64:
    return body(std::complex<float>());
  case TSGU_C128:
    return body(std::complex<double>());
  default:
    fail(ErrorKind::Type, "indices are no values");
  }
}

/// Memory for `count` values where the batch given has its own.
static TensorHandle allocateBatch(const TensorView &like, int64_t count,
                                  TensorView &made) {
  const int64_t shape[] = {like.rank == 2 ? like.shape[0] : 1, count};
  return allocate(like.place, like.type, like.rank, shape + 2 - like.rank,
                  made);
}

TensorHandle tsgu::torch_plugin::storedValues(const CachedPattern &pattern,
                                              TensorView &values, int k,
                                              const Queue &queue) {
  if (values.rank < 1 || values.rank > 2 ||
      values.shape[values.rank - 1] != pattern.entries)
    fail(ErrorKind::Value, "operand " + std::to_string(k) +
                               " must have one value for each of the " +
                               std::to_string(pattern.entries) +
                               " entries of its pattern");
  TensorView summed;
  TensorHandle handle = allocateBatch(values, pattern.stored, summed);
  if (queue.get()) {
    const tsgu_tensor from = toTensor(values), to = toTensor(summed);
    check(tsgu_values_sum_on(pattern.pattern, &from, &to, queue.get()));
    values = summed;
    return handle;
  }
  int64_t batch = values.rank == 2 ? values.shape[0] : 1;
  int64_t stride = values.rank == 2 ? values.strides[0] : 0;
  withValueType(values.type, [&](auto zero) {
    sumEntries<decltype(zero)>(pattern, batch, stride, values.data,
                               summed.data);
  });
  values = summed;
  return handle;
}

TensorHandle tsgu::torch_plugin::entryValues(const CachedPattern &pattern,
                                             const TensorView &values,
                                             const Queue &queue) {
  TensorView spread;
  TensorHandle handle = allocateBatch(values, pattern.entries, spread);
  if (queue.get()) {
    const tsgu_tensor from = toTensor(values), to = toTensor(spread);
    check(tsgu_values_spread_on(pattern.pattern, &from, &to, queue.get()));
    return handle;
  }
  int64_t batch = values.rank == 2 ? values.shape[0] : 1;
  withValueType(values.type, [&](auto zero) {
    spreadStored<decltype(zero)>(pattern, batch, values.data, spread.data);
  });
  return handle;
}
