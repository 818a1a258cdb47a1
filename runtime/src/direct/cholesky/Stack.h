//===- Stack.h - Where fronts wait ------------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_STACK_H
#define TSGU_SRC_DIRECT_CHOLESKY_STACK_H

#include "base/Numbers.h"

#include <cstdint>
#include <utility>

namespace tsgu::runtime::cholesky {

/// Parts of fronts that wait for their parents, or for their children. Levels
/// of the tree are in turns at its two ends, so that what is not needed any
/// more is on top.
template <typename T> class Stack {
public:
  Stack(Real<T> *memory, int64_t size) : memory(memory), high(size) {}
  Real<T> *push(bool atEnd, int64_t size) {
    if (atEnd)
      return memory + (high -= size);
    return memory + std::exchange(low, low + size);
  }
  void pop(bool atEnd, int64_t size) { atEnd ? high += size : low -= size; }

private:
  Real<T> *memory;
  int64_t low = 0, high;
};

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_STACK_H
