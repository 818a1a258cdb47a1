//===- Callbacks.h - The caller's side, and its wish to stop ----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_CALLBACKS_H
#define TSGU_SRC_BASE_CALLBACKS_H

#include "tsgu/tsgu.h"

namespace tsgu::runtime {

/// The process's callbacks; members may be NULL.
tsgu_callbacks callbacks();
void setCallbacks(const tsgu_callbacks &callbacks);

/// Asks the caller's side whether to give up, at most every 50 ms: for whatever
/// may take longer than that, between its steps.
bool isInterrupted() noexcept;
/// Throws Interrupted if so.
void checkInterrupt();

/// checkInterrupt() for steps that take less time than that.
class InterruptCheck {
public:
  /// So many elements have been worked on.
  void after(int64_t elements) {
    left -= elements;
    if (left < 0) {
      left = many;
      checkInterrupt();
    }
  }

private:
  static constexpr int64_t many = 1 << 17;
  int64_t left = many;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_CALLBACKS_H
