//===- Error.h - The exception of the runtime -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ERROR_H
#define TSGU_ERROR_H

#include <sstream>
#include <stdexcept>
#include <string>

namespace tsgu {

/// Values of the C type `tsgu_status`, without TSGU_OK.
enum class Status : int {
  InvalidArgument = 1,
  InvalidPattern = 2,
  CompileFailed = 3,
  OutOfMemory = 4,
  Internal = 5,
  Singular = 6,
  NotConverged = 7,
  CallbackError = 8,
  Device = 9,
  Interrupted = 10
};

/// What failed, where, and how to mend it.
class Error : public std::runtime_error {
public:
  Error(Status status, const std::string &message)
      : std::runtime_error(message), code(status) {}

  Status status() const noexcept { return code; }

private:
  Status code;
};

/// Throws Error with the parts of the message put together.
template <typename... Parts>
[[noreturn]] void fail(Status status, const Parts &...parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(status, message.str());
}

} // namespace tsgu

#endif // TSGU_ERROR_H
