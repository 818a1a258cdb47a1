//===- KernelCall.h - One kernel, ready to be called ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_KERNELCALL_H
#define TSGU_SRC_PROGRAM_KERNELCALL_H

#include "program/Frame.h"

namespace tsgu::runtime {

/// A kernel with its pointers and sizes, up to the range of iterations.
class KernelCall {
public:
  KernelCall(const Frame &frame, const StagePlan &plan, const Binding &binding,
             int64_t item);

  int64_t iterations() const { return total; }

  void runAll() const { run(0, extents[0], 0, extents[1]); }

  /// A range of the iterations of all partitioned loops together.
  void runRange(int64_t begin, int64_t end) const;

  /// Of a kernel whose rows are cut: a part of one, the entries between the two
  /// positions given. A dense result goes to `result`, not to where the output
  /// is, or the row of it.
  void runChunk(int64_t row, const void *positions, void *result) const {
    run(row, 1, 0, 1, positions, result);
  }
  char *output() const {
    return static_cast<char *>(pointers[argumentCount - 1]);
  }

private:
  void addArgument(int32_t index, const Frame &frame, int64_t item);
  void moveBlocks(int64_t outer, int64_t inner, void **callPointers) const;
  void runRows(int64_t item, int64_t begin, int64_t end) const;
  /// With other positions, and another place for the output, if not NULL.
  void run(int64_t outer, int64_t outerCount, int64_t inner, int64_t innerCount,
           const void *positions = nullptr, void *result = nullptr) const;

  const StagePlan &plan;
  int32_t argumentCount, sizeCount;
  int64_t extents[2] = {1, 1};
  int64_t total = 1;
  SmallArray<void *, usualArguments> pointers;
  SmallArray<std::array<int64_t, 2>, usualArguments> advances;
  SmallArray<int64_t, usualSizes> sizes;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_KERNELCALL_H
