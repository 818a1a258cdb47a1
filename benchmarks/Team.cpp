//===- Team.cpp - Threads for the yardsticks ------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Team.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace {

/// A thread that waits for a round number to change.
struct Member {
  std::atomic<unsigned> round{0}, done{0};
  void (*task)(void *, int) = nullptr;
  void *context = nullptr;
};

void awaitChange(std::atomic<unsigned> &value, unsigned old) {
  auto until =
      std::chrono::steady_clock::now() + std::chrono::microseconds(100);
  while (value.load(std::memory_order_acquire) == old)
    if (std::chrono::steady_clock::now() > until)
      return value.wait(old, std::memory_order_acquire);
}

void serve(Member &member, int number) {
  for (unsigned round = 0;; ++round) {
    awaitChange(member.round, round);
    member.task(member.context, number);
    member.done.store(round + 1, std::memory_order_release);
    member.done.notify_one();
  }
}

} // namespace

void bench::runTeam(int threads, void (*task)(void *, int), void *context) {
  // Kept for the life of the process: the threads are detached and use them.
  static auto &members = *new std::vector<std::unique_ptr<Member>>;
  while (static_cast<int>(members.size()) < threads - 1) {
    members.push_back(std::make_unique<Member>());
    int number = static_cast<int>(members.size());
    std::thread(serve, std::ref(*members.back()), number).detach();
  }
  for (int i = 0; i < threads - 1; ++i) {
    Member &member = *members[i];
    member.task = task;
    member.context = context;
    member.round.fetch_add(1, std::memory_order_release);
    member.round.notify_one();
  }
  task(context, 0);
  for (int i = 0; i < threads - 1; ++i) {
    Member &member = *members[i];
    unsigned round = member.round.load(std::memory_order_relaxed);
    for (unsigned done;
         (done = member.done.load(std::memory_order_acquire)) != round;)
      awaitChange(member.done, done);
  }
}
