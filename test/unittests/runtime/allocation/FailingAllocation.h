//===- FailingAllocation.h - Memory that runs out when told to --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_FAILINGALLOCATION_H
#define TSGU_TEST_FAILINGALLOCATION_H

#include <atomic>
#include <cstdint>
#include <utility>

namespace tsgu::test {

/// Blocks of operator new alive.
extern std::atomic<int64_t> live;

/// The allocation of this thread that fails, counted from 1; then 0. Negative:
/// none fails. Of operator new and, in what is linked statically, of malloc.
extern thread_local int64_t untilFailure;

/// None fails meanwhile.
class Paused {
public:
  Paused() : limit(std::exchange(untilFailure, -1)) {}
  Paused(const Paused &) = delete;
  ~Paused() { untilFailure = limit; }

private:
  int64_t limit;
};

} // namespace tsgu::test

#endif // TSGU_TEST_FAILINGALLOCATION_H
