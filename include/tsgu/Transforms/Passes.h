//===- Passes.h - The passes of tsgu ---------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PASSES_H
#define TSGU_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tsgu {

#define GEN_PASS_DECL
#include "tsgu/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "tsgu/Transforms/Passes.h.inc"

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PASSES_H
