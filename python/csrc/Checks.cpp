//===- Checks.cpp - Looks at values that cost one call --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checks.h"
#include "Tensors.h"

#include <algorithm>

using namespace tsgu::torch_plugin;

template <typename T> static bool hasNaN(const TensorView &view) {
  const T *values = static_cast<const T *>(view.data);
  const int64_t count = view.elements();
  int found = 0;
  for (int64_t k = 0; k < count; ++k)
    found |= values[k] != values[k];
  return found != 0;
}

template <typename T>
static bool areNonzero(const TensorView &values, const TensorView &places) {
  const T *of = static_cast<const T *>(values.data);
  const int64_t *at = static_cast<const int64_t *>(places.data);
  const auto count = static_cast<uint64_t>(values.elements());
  return std::all_of(at, at + places.elements(), [&](int64_t place) {
    return static_cast<uint64_t>(place) < count && of[place] != 0;
  });
}

bool tsgu::torch_plugin::areRegular(torch::stable::Tensor x,
                                    torch::stable::Tensor values,
                                    torch::stable::Tensor places) {
  const TensorView views[] = {inspect(x.get(), "x", -1),
                              inspect(values.get(), "values", -1),
                              inspect(places.get(), "places", -1)};
  for (const TensorView &view : views)
    if (!view.place.isCPU() || !view.contiguous())
      return false;
  auto check = [&]<typename T>(T) {
    return !hasNaN<T>(views[0]) && !hasNaN<T>(views[1]) &&
           areNonzero<T>(views[1], views[2]);
  };
  if (views[0].type != views[1].type || views[2].type != TSGU_I64)
    return false;
  return views[0].type == TSGU_F32   ? check(float())
         : views[0].type == TSGU_F64 ? check(double())
                                     : false;
}
