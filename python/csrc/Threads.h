//===- Threads.h - Loops on torch's threads ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_THREADS_H
#define TSGU_TORCH_THREADS_H

#include "Errors.h"

#include <torch/csrc/stable/c/shim.h>

namespace tsgu::torch_plugin {

/// function(begin, end), which does not throw, over ranges that cover
/// [0, count), of `grain` at least where there are several.
template <typename F>
void onThreads(int64_t count, int64_t grain, const F &function) {
  if (count <= grain)
    return function(int64_t(0), count);
  auto call = [](int64_t begin, int64_t end, void *context) {
    (*static_cast<const F *>(context))(begin, end);
  };
  if (torch_parallel_for(0, count, grain, call, const_cast<F *>(&function)))
    fail(ErrorKind::Internal, "torch's thread pool could not run a loop");
}

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_THREADS_H
