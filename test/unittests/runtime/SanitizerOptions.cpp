//===- SanitizerOptions.cpp - These tests run out of memory, and fork -----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Called by the sanitizers, where one is linked.
extern "C" const char *__asan_default_options();
extern "C" const char *__tsan_default_options();

const char *__asan_default_options() { return "allocator_may_return_null=1"; }
// A child has none of its parent's threads, which TSan takes for leaked there.
const char *__tsan_default_options() {
  return "allocator_may_return_null=1:die_after_fork=0:report_thread_leaks=0";
}
