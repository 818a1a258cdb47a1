//===- Errors.h - How failures reach Python ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// torch turns std::invalid_argument into ValueError and std::runtime_error into
// RuntimeError, and knows no finer classes. The kind of the last failure is
// kept per thread for the Python package, which raises the exact class.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_ERRORS_H
#define TSGU_TORCH_ERRORS_H

#include "tsgu/tsgu.h"

#include <stdexcept>
#include <string>

namespace tsgu::torch_plugin {

/// What `fail` throws for want of memory: some may be given back.
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Values are read by `tsgu._runtime.library`.
enum class ErrorKind : int32_t {
  Value = 1,
  Type = 2,
  Pattern = 3,
  Compile = 4,
  Memory = 5,
  Internal = 6,
  Singular = 7,
  NotConverged = 8,
  Callback = 9,
  Device = 10,
  Interrupted = 11
};

[[noreturn]] void fail(ErrorKind kind, const std::string &message);

/// Throws with the runtime's own text unless `status` is TSGU_OK.
void check(tsgu_status status);

/// Throws when a call into torch failed; such calls are prepared so that only
/// an allocation can fail.
void checkTorch(int32_t code, const char *what);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_ERRORS_H
