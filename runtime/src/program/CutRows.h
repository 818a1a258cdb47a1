//===- CutRows.h - Kernels with rows that are shared out --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_CUTROWS_H
#define TSGU_SRC_PROGRAM_CUTROWS_H

#include "program/KernelCall.h"

namespace tsgu::runtime {

/// Runs a kernel by `parts` tasks or so, long rows in chunks, alike for every
/// number of threads. False, and nothing is done: no row is cut.
bool runCutRows(const Manifest &manifest, const Stage &stage,
                const KernelCall &call, const Frame &frame,
                const Binding &binding, const tsgu_executor &executor,
                int64_t parts);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_CUTROWS_H
