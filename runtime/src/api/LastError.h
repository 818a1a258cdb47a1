//===- LastError.h - From exceptions to status codes ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_API_LASTERROR_H
#define TSGU_SRC_API_LASTERROR_H

#include "tsgu/tsgu.h"

namespace tsgu::runtime {

/// This thread's last message; "" before the first.
const char *lastError() noexcept;

/// Keeps the message of the exception being handled; returns its code.
tsgu_status keepCurrentException() noexcept;

/// Runs the body of a C function: nothing is thrown beyond it.
template <typename F> tsgu_status guarded(F &&body) noexcept {
  try {
    body();
    return TSGU_OK;
  } catch (...) {
    return keepCurrentException();
  }
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_API_LASTERROR_H
