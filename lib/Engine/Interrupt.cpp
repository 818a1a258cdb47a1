//===- Interrupt.cpp - Compilations that end early ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/Interrupt.h"

#include "mlir/Pass/Pass.h"

#include <atomic>

using namespace mlir;

static std::atomic<int (*)()> asked{nullptr};
static thread_local bool interrupted = false;

void tsgu::setInterrupted(int (*function)()) { asked = function; }

void tsgu::beginInterruptible() { interrupted = false; }

bool tsgu::isInterrupted() {
  if (!interrupted)
    if (auto ask = asked.load())
      interrupted = ask() != 0;
  return interrupted;
}

bool tsgu::wasInterrupted() { return interrupted; }

void tsgu::skipInterruptedPasses(MLIRContext &context) {
  context.registerActionHandler(
      [](llvm::function_ref<void()> transform, const tracing::Action &action) {
        if (!isa<PassExecutionAction>(action) || !isInterrupted())
          transform();
      });
}
