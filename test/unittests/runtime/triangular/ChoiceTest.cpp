//===- ChoiceTest.cpp - The fastest of several ways -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Choice.h"

#include <gtest/gtest.h>

#include <array>

using namespace tsgu::runtime;

namespace {

/// Where each way takes so many microseconds: how often each was taken.
std::array<int, 3> take(Choice &choice, std::array<int, 3> costs, int calls,
                        int32_t threads) {
  std::array<int, 3> taken{};
  for (int call = 0; call < calls; ++call) {
    const int32_t way = choice.next(3, threads);
    ++taken[way];
    choice.took(way, std::chrono::microseconds(costs[way]));
  }
  return taken;
}

TEST(Choice, TriesAllAndKeepsTheFastest) {
  for (int fastest = 0; fastest < 3; ++fastest) {
    Choice choice;
    std::array<int, 3> costs{30, 20, 10};
    costs[fastest] = 5;
    const std::array<int, 3> taken = take(choice, costs, 900, 2);
    for (int way = 0; way < 3; ++way)
      EXPECT_GE(taken[way], 3);
    EXPECT_GE(taken[fastest], 890);
  }
}

TEST(Choice, FollowsTheMachine) {
  Choice choice;
  take(choice, {10, 20, 30}, 1500, 2);
  EXPECT_GE(take(choice, {40, 20, 30}, 1500, 2)[1], 900);
}

TEST(Choice, BeginsAnewForOtherThreads) {
  Choice choice;
  take(choice, {10, 20, 30}, 100, 2);
  EXPECT_GE(take(choice, {30, 20, 10}, 100, 8)[2], 90);
}

} // namespace
