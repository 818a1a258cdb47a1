//===- Checks.h - Looks at values that cost one call ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_CHECKS_H
#define TSGU_TORCH_CHECKS_H

#include <torch/csrc/stable/tensor.h>

namespace tsgu::torch_plugin {

/// Whether no element of `x` and of `values` is NaN, and none of `values` at
/// `places`, int64, is 0. False also for what is not contiguous, on the CPU and
/// real: someone else has to look.
bool areRegular(torch::stable::Tensor x, torch::stable::Tensor values,
                torch::stable::Tensor places);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_CHECKS_H
