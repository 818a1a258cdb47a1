//===- Values.h - Values per entry and per stored element -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Callers have one value for each entry of the index tensors, in their order; a
// pattern has one for each element, sorted. Where the two differ, values are
// summed on the way in and copied on the way out.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_VALUES_H
#define TSGU_TORCH_VALUES_H

#include "PatternCache.h"
#include "Queue.h"

namespace tsgu::torch_plugin {

/// Whether the caller's entries have to be brought to the pattern's order.
inline bool mapped(const CachedPattern &pattern) {
  return pattern.entryMap != nullptr;
}

/// Values in the pattern's order, from operand `k`, whose view they replace.
TensorHandle storedValues(const CachedPattern &pattern, TensorView &values,
                          int k, const Queue &queue);

/// Values per entry, from values in the pattern's order.
TensorHandle entryValues(const CachedPattern &pattern, const TensorView &values,
                         const Queue &queue);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_VALUES_H
