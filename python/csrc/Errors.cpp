//===- Errors.cpp - How failures reach Python -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Errors.h"

#include <cstring>
#include <stdexcept>

using namespace tsgu::torch_plugin;

namespace {
struct Failure {
  int32_t kind = 0;
  std::string message;
};
} // namespace

static thread_local Failure last;

/// The ErrorKind of this thread's last failure if `text`, an exception's, is
/// its text; otherwise 0.
extern "C" TSGU_API int32_t tsgu_torch_error_kind(const char *text) {
  return last.kind && std::strstr(text, last.message.c_str()) ? last.kind : 0;
}

void tsgu::torch_plugin::fail(ErrorKind kind, const std::string &message) {
  last = {static_cast<int32_t>(kind), message};
  switch (kind) {
  case ErrorKind::Value:
  case ErrorKind::Type:
  case ErrorKind::Pattern:
    throw std::invalid_argument(message);
  case ErrorKind::Memory:
    throw OutOfMemory(message);
  case ErrorKind::Compile:
  case ErrorKind::Internal:
  case ErrorKind::Singular:
  case ErrorKind::NotConverged:
  case ErrorKind::Callback:
  case ErrorKind::Device:
  case ErrorKind::Interrupted:
    break;
  }
  throw std::runtime_error(message);
}

void tsgu::torch_plugin::check(tsgu_status status) {
  switch (status) {
  case TSGU_OK:
    return;
  case TSGU_INVALID_ARGUMENT:
    fail(ErrorKind::Value, tsgu_last_error());
  case TSGU_INVALID_PATTERN:
    fail(ErrorKind::Pattern, tsgu_last_error());
  case TSGU_COMPILE_FAILED:
    fail(ErrorKind::Compile, tsgu_last_error());
  case TSGU_OUT_OF_MEMORY:
    fail(ErrorKind::Memory, tsgu_last_error());
  case TSGU_SINGULAR:
    fail(ErrorKind::Singular, tsgu_last_error());
  case TSGU_NOT_CONVERGED:
    fail(ErrorKind::NotConverged, tsgu_last_error());
  case TSGU_CALLBACK_ERROR:
    fail(ErrorKind::Callback, tsgu_last_error());
  case TSGU_DEVICE_ERROR:
    fail(ErrorKind::Device, tsgu_last_error());
  case TSGU_INTERRUPTED:
    fail(ErrorKind::Interrupted, tsgu_last_error());
  case TSGU_INTERNAL:
    break;
  }
  fail(ErrorKind::Internal, tsgu_last_error());
}

void tsgu::torch_plugin::checkTorch(int32_t code, const char *what) {
  if (code != 0) [[unlikely]]
    fail(ErrorKind::Internal, std::string("torch could not ") + what);
}
