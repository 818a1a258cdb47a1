//===- ErrorTesting.h - What a call refuses ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_ERRORTESTING_H
#define TSGU_TEST_ERRORTESTING_H

#include "tsgu/Error.h"

#include <gtest/gtest.h>

#include <string>

namespace tsgu::test {

/// The message of the Error that the call throws, with its status.
template <typename F> std::string errorOf(Status status, F &&call) {
  try {
    call();
  } catch (const Error &error) {
    EXPECT_EQ(error.status(), status) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

} // namespace tsgu::test

#endif // TSGU_TEST_ERRORTESTING_H
