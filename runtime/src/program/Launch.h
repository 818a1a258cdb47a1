//===- Launch.h - Run a compiled program ------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_LAUNCH_H
#define TSGU_SRC_PROGRAM_LAUNCH_H

#include "program/Plan.h"

namespace tsgu::runtime {

/// Runs all stages over memory that Signature::checkMemory has accepted. Throws
/// InvalidArgument when types are not those that the plan was compiled for.
void launch(const Plan &plan, const Binding &binding,
            const Arguments &arguments, const tsgu_tensor &result,
            const tsgu_executor &executor);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_LAUNCH_H
