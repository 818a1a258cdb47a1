//===- Transposed.h - Copies of tensors stored by columns -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_TRANSPOSED_H
#define TSGU_TORCH_TRANSPOSED_H

#include "Tensors.h"

namespace tsgu::torch_plugin {

/// Whether a tensor on the CPU has two or three dimensions of which another one
/// than the last is contiguous.
bool isStoredByColumns(const TensorView &view);

/// A contiguous copy of such a tensor, made by tiles: torch's own goes through
/// one row after the other, which takes about three times as long.
TensorHandle inRows(const TensorView &view);

/// x + shift, contiguous, of an x stored by columns and a shift that is the
/// same for all of its rows.
TensorHandle shiftedRows(const TensorView &x, const TensorView &shift);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_TRANSPOSED_H
