//===- Plan.h - What all calls of a compiled program share ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_PLAN_H
#define TSGU_SRC_PROGRAM_PLAN_H

#include "program/Signature.h"
#include "tsgu/CompilerInterface.h"

namespace tsgu::runtime {

/// Kernels of up to so many arguments and sizes are called without memory.
inline constexpr size_t usualArguments = 48;
inline constexpr size_t usualSizes = 96;

/// How a pointer moves with one partitioned loop.
struct Advance {
  enum Kind : uint8_t {
    None,  ///< It does not.
    Row,   ///< By one index per iteration.
    Item,  ///< By the positions of one item per iteration.
    Stride ///< By the stride of dimension `dim`.
  };
  Kind kind = None;
  int32_t dim = 0;
};

struct ArgumentPlan {
  int32_t layout = -1; ///< >= 0: the positions or coordinates of this layout,
  int32_t upper = -1;  ///< >= 0: and of this level before the last.
  bool coordinates = false;
  int32_t slot = -1; ///< Otherwise the data of this buffer.
  int64_t elementSize = 0;
  int32_t block = 1; ///< Rows for each index by which it moves with them.
  Advance advances[2];
};

struct StagePlan {
  const Stage *stage = nullptr;

  // Kernel.
  tsgu_kernel kernel = nullptr; ///< NULL on a device.
  uint32_t number = 0;          ///< Among the program's kernels.
  std::vector<ArgumentPlan> arguments;
  bool parallel = false;
  bool wholeItems = false; ///< Of the layout that weighs, no rows are cut out.
  int32_t block = 1; ///< So many rows are computed together, from a multiple.

  // Step of the runtime.
  const struct Step *step = nullptr;  ///< NULL: a kernel.
  std::vector<int32_t> reads, writes; ///< Slots of its buffers.
  int64_t elementSize = 0;            ///< Of the first one written.
  /// The first one written may be the first one read, if nothing is to change:
  /// nothing else writes to either from here on.
  bool mayAlias = false;
};

/// A manifest with its kernels, taken apart for Launch.
class Plan {
public:
  /// Throws CompileFailed when kernels and manifest do not fit each other.
  explicit Plan(const tsgu_object &object);
  Plan(const Plan &) = delete;

  const Manifest &manifest() const { return m; }
  const tsgu_object &object() const { return compiled; }
  /// Whether the kernels are for a device, not for the CPU.
  bool isForDevice() const { return compiled.device_kernels != nullptr; }
  std::span<const StagePlan> stages() const { return stagePlans; }
  /// The symbols whose values are those of layouts.
  std::span<const int32_t> nodeSymbols() const { return counts; }

  /// Throws CompileFailed unless operands, result and sizes are those of the
  /// signature, so that a binding of one is a binding of the other.
  void checkSignature(const Manifest &signature) const;

private:
  StagePlan planKernel(const Stage &stage, uint32_t number) const;
  ArgumentPlan planArgument(const Argument &argument, const Stage &stage) const;
  ArgumentPlan planIndices(const Argument &argument, const Stage &stage) const;
  int32_t loopOf(const Stage &stage, int32_t layout, size_t level) const;
  StagePlan planStep(size_t stage) const;
  bool mayAlias(size_t stage) const;

  const tsgu_object &compiled;
  Manifest m;
  std::vector<StagePlan> stagePlans;
  std::vector<int32_t> counts;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_PLAN_H
