//===- Meetings.h - Which entries of two operands meet ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_MEETINGS_H
#define TSGU_TORCH_MEETINGS_H

#include "IndexArrays.h"

namespace tsgu::torch_plugin {

/// The index tensors of what an operation on two patterns gives, positions and
/// coordinates of CSR (int64 if `wide`) or twice the indices (rank, entries) of
/// COO, which batches have too; and of the meetings, as tsgu_meetings_write
/// has them, (2 or 3, meetings). The same tensors at each call, for they are
/// kept with the first pattern: until that is dropped, or the second.
std::array<TensorHandle, 3> meetingsOf(tsgu_meeting kind, bool isCOO, bool wide,
                                       IndexArrays &a, IndexArrays &b);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_MEETINGS_H
