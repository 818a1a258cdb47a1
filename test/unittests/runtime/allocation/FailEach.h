//===- FailEach.h - Calls whose k-th allocation fails -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_FAILEACH_H
#define TSGU_TEST_FAILEACH_H

#include "FailingAllocation.h"
#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <string>

namespace tsgu::test {

enum class Outcome { NotReached, Failed, DidWithout };

/// Runs `call` with the k-th allocation failing. Some need not succeed, such as
/// the buffer of std::stable_sort: then the call may too.
template <typename F>
Outcome withFailure(int64_t k, F &&call, tsgu_status wanted = TSGU_OK) {
  untilFailure = k;
  const tsgu_status status = call();
  const bool reached = untilFailure == 0;
  untilFailure = -1;
  if (status == wanted)
    return reached ? Outcome::DidWithout : Outcome::NotReached;
  EXPECT_TRUE(reached && status == TSGU_OUT_OF_MEMORY)
      << "allocation " << k << ": " << tsgu_last_error();
  EXPECT_STRNE(tsgu_last_error(), "");
  return Outcome::Failed;
}

/// `attempt(k)` makes new objects, lets the k-th allocation of a call fail, and
/// everything it made must be gone afterwards. False: there is no k-th. Scratch
/// and messages are kept on purpose: so all failures run twice, and the second
/// time nothing may be left.
template <typename F> void failEach(const std::string &name, F &&attempt) {
  tsgu_set_threads(1);
  for (bool again : {false, true}) {
    int64_t k = 1;
    for (;; ++k) {
      const int64_t before = live;
      const bool reached = attempt(k);
      if (again) {
        ASSERT_EQ(live, before) << name << ", allocation " << k;
      }
      if (!reached || ::testing::Test::HasFailure())
        break;
    }
    EXPECT_GT(k, 1) << name << " allocates nothing, so nothing was tested";
  }
  tsgu_set_threads(0);
}

/// `call` asks for no memory.
template <typename F> void asksForNone(const std::string &name, F &&call) {
  untilFailure = 1;
  call();
  EXPECT_EQ(untilFailure, 1) << name << " asks for memory";
  untilFailure = -1;
}

} // namespace tsgu::test

#endif // TSGU_TEST_FAILEACH_H
