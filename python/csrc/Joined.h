//===- Joined.h - Index tensors of block diagonal matrices ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Index tensors one after the other, each raised by what those before it take:
// one pass, which also looks at every index.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_JOINED_H
#define TSGU_TORCH_JOINED_H

#include <torch/csrc/stable/tensor.h>

#include <cstdint>
#include <vector>

namespace tsgu::torch_plugin {

/// The coordinates of blocks as those of their block diagonal, int64 if `wide`:
/// (entries,), or (levels, entries) from pieces with levels. `extents`: those
/// of the blocks, level by level. Fails with a PatternError where one is not
/// within its block's extent.
torch::stable::Tensor joinCoordinates(std::vector<torch::stable::Tensor> pieces,
                                      std::vector<int64_t> extents, bool wide);

/// The positions of blocks with so many entries as those of their block
/// diagonal. Fails with a PatternError where a block's do not begin at 0 or end
/// with its entries.
torch::stable::Tensor joinPositions(std::vector<torch::stable::Tensor> pieces,
                                    std::vector<int64_t> entries, bool wide);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_JOINED_H
