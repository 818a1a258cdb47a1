//===- Prepared.cpp - What Python says of prepared things -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Prepared.h"
#include "Errors.h"
#include "Interpreter.h"

#include <memory>
#include <new>
#include <utility>

using namespace tsgu::torch_plugin;

static thread_local Said next;

Said Said::take() { return std::exchange(next, {}); }

Heard::Heard(const Said &said, const tsgu_tensor *operands,
             int32_t operandCount,
             const std::shared_ptr<CachedPattern> *patterns,
             int32_t patternCount) {
  if (Kept *kept = said.kept.get(); kept && !kept->prepared) {
    kept->patterns.assign(patterns, patterns + patternCount);
    check(tsgu_keep_begin(&kept->prepared));
    keeping = kept->prepared;
  }
  const bool known = said.number && said.operand < operandCount;
  tsgu_values_known(known ? operands[said.operand].data : nullptr,
                    known ? said.number : 0, said.sure);
}

Heard::~Heard() {
  tsgu_values_known(nullptr, 0, 0);
  tsgu_keep_end(keeping);
}

extern "C" TSGU_API void
tsgu_torch_values_known(int32_t operand, uint64_t number, int32_t sure) {
  next.operand = operand, next.number = number, next.sure = sure != 0;
}

using Owner = std::shared_ptr<Kept>;

/// An object of Python's that owns what the next run of this thread prepares or
/// finds. NULL: it raised.
extern "C" TSGU_API void *tsgu_torch_keep_next() {
  std::unique_ptr<Owner> owner;
  try {
    owner = std::make_unique<Owner>(std::make_shared<Kept>());
  } catch (const std::bad_alloc &) {
  }
  void *capsule = newCapsule(owner.get(), [](void *capsule) {
    delete static_cast<Owner *>(pointerIn(capsule));
  });
  if (capsule)
    next.kept = *owner.release();
  return capsule;
}
