//===- ChoiceTest.cpp - The fastest of several ways -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "triangular/Choice.h"

#include <gtest/gtest.h>

#include <array>

#include <sys/mman.h>

using namespace tsgu::runtime;

namespace {

/// Where each way takes so many microseconds: how often each was taken.
std::array<int, 3> take(Choice &choice, std::array<int, 3> costs, int calls,
                        int32_t threads) {
  std::array<int, 3> taken{};
  for (int call = 0; call < calls; ++call) {
    const int32_t way =
        choice.next(3, threads, Vectors<double>{nullptr, 0, 0, 0});
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

TEST(Choice, HasMemoryProvidedBeforeItTries) {
  constexpr int64_t page = 4096, pages = 64;
  void *fresh = mmap(nullptr, page * pages, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(fresh, MAP_FAILED);
  auto *data = static_cast<float *>(fresh);
  data[0] = 3;
  Choice choice;
  choice.next(2, 1, Vectors<float>{data, page * pages / 8, 1, 2});
  std::array<unsigned char, pages> resident{};
  EXPECT_EQ(mincore(fresh, page * pages, resident.data()), 0);
  for (const unsigned char here : resident)
    EXPECT_TRUE(here & 1);
  EXPECT_EQ(data[0], 3);
  munmap(fresh, page * pages);
}

} // namespace
