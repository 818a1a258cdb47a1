//===- LastError.cpp - From exceptions to status codes --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "api/LastError.h"
#include "tsgu/Error.h"

#include <new>

namespace tsgu::runtime {

static thread_local std::string message;
static thread_local const char *shown = "";

const char *lastError() noexcept { return shown; }

static tsgu_status keep(tsgu_status status, const char *text) noexcept {
  try {
    message = text;
    shown = message.c_str();
  } catch (...) {
    shown = "out of memory, even for the message";
  }
  return status;
}

tsgu_status keepCurrentException() noexcept {
  try {
    throw;
  } catch (const Error &error) {
    return keep(static_cast<tsgu_status>(error.status()), error.what());
  } catch (const std::bad_alloc &) {
    return keep(TSGU_OUT_OF_MEMORY, "out of memory");
  } catch (const std::length_error &) {
    return keep(TSGU_OUT_OF_MEMORY, "out of memory: a list grew too long");
  } catch (const std::exception &error) {
    return keep(TSGU_INTERNAL, error.what());
  } catch (...) {
    return keep(TSGU_INTERNAL, "an exception of unknown type");
  }
}

} // namespace tsgu::runtime
