//===- SolverFuzzTest.cpp - Random words as solvers -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A solver comes as 16 words from anywhere: whatever they are, a call ends with
// a status, and a refusal says why. Repeated in random order (make test-long)
// every round has other words.
//
//===----------------------------------------------------------------------===//

#include "SolverSystems.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <random>

using namespace tsgu::test;

namespace {

std::mt19937_64 randomWords() {
  return std::mt19937_64(::testing::UnitTest::GetInstance()->random_seed());
}

uint64_t bitsOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

uint64_t oddWord(std::mt19937_64 &random) {
  using Limits = std::numeric_limits<double>;
  const uint64_t odd[] = {0,
                          1,
                          2,
                          7,
                          8,
                          64,
                          ~uint64_t{0},
                          uint64_t{1} << 31,
                          uint64_t{1} << 63,
                          bitsOf(1),
                          bitsOf(-1),
                          bitsOf(0.5),
                          bitsOf(1e-300),
                          bitsOf(1e300),
                          bitsOf(Limits::quiet_NaN()),
                          bitsOf(Limits::infinity()),
                          bitsOf(Limits::denorm_min()),
                          random(),
                          random() % 16};
  return odd[random() % std::size(odd)];
}

/// A solver of which a few words were replaced, or all.
tsgu_solver anySolver(std::mt19937_64 &random) {
  const std::vector<Choice> known = choices();
  tsgu_solver solver = known[random() % known.size()].solver();
  uint64_t words[16];
  static_assert(sizeof(words) == sizeof(solver));
  std::memcpy(words, &solver, sizeof(words));
  const uint64_t changes = random() % 20 == 0 ? 16 : random() % 4;
  for (uint64_t change = 0; change < changes; ++change)
    words[changes == 16 ? change : random() % 16] = oddWord(random);
  std::memcpy(&solver, words, sizeof(words));
  // Who asks for 2^48 iterations gets them.
  if (solver.max_iterations > 50 || solver.max_iterations == 0)
    solver.max_iterations = 50;
  return solver;
}

/// Diagonals of all sizes, entries that are zero or not finite.
template <typename T> void spoil(System<T> &system, std::mt19937_64 &random) {
  const double odd[] = {0, -1, 1e-300, 1e300, std::nan(""), HUGE_VAL};
  for (uint64_t count = random() % 4; count > 0; --count)
    system.values[random() % system.values.size()] =
        static_cast<T>(odd[random() % std::size(odd)]);
  if (random() % 4 == 0)
    system.b[random() % system.b.size()] =
        static_cast<T>(odd[random() % std::size(odd)]);
}

template <typename T> void fuzz(int calls) {
  std::mt19937_64 random = randomWords();
  const System<T> base = gridSystem<T>(6, 2, 0.3);
  for (int call = 0; call < calls; ++call) {
    const tsgu_solver solver = anySolver(random);
    System<T> system = base;
    if (random() % 2)
      spoil(system, random);
    const auto mode = static_cast<tsgu_mode>(random() % 4);
    const tsgu_status status = system.solve(solver, mode);
    EXPECT_NE(status, TSGU_INTERNAL) << tsgu_last_error();
    if (status != TSGU_OK) {
      EXPECT_GT(std::strlen(tsgu_last_error()), 20u) << tsgu_last_error();
    }
    if (::testing::Test::HasFailure())
      return;
  }
}

TEST(SolverFuzz, F64) { fuzz<double>(1500); }
TEST(SolverFuzz, F32) { fuzz<float>(500); }
TEST(SolverFuzz, C64) { fuzz<std::complex<float>>(500); }
TEST(SolverFuzz, C128) { fuzz<std::complex<double>>(500); }

/// Iterations of any options, freed at any time, with answers that may be NaN.
TEST(SolverFuzz, Iterations) {
  std::mt19937_64 random = randomWords();
  const double shifts[] = {0, 1, -2, std::nan("")};
  for (int round = 0; round < 500; ++round) {
    System<double> system = gridSystem<double>(4, 2);
    const tsgu_solver solver = anySolver(random);
    tsgu_iteration_options options{};
    if (random() % 2)
      options = {static_cast<int32_t>(random() % 2),
                 static_cast<int32_t>(random() % 2),
                 static_cast<int32_t>(random() % 2),
                 static_cast<int32_t>(random() % 4) - 1,
                 static_cast<int32_t>(random() % 3) - 1,
                 shifts,
                 random() % 2 ? 0 : 2.0,
                 0,
                 0,
                 0,
                 0};
    tsgu_iteration *iteration = nullptr;
    if (tsgu_iteration_start(&solver, &options, system.bTensor(),
                             system.xTensor(), nullptr,
                             &iteration) != TSGU_OK) {
      EXPECT_STRNE(tsgu_last_error(), "");
      EXPECT_EQ(iteration, nullptr);
      continue;
    }
    for (uint64_t steps = random() % 60; steps > 0; --steps) {
      tsgu_request request;
      tsgu_tensor in, out;
      if (tsgu_iteration_next(iteration, &request, &in, &out) != TSGU_OK ||
          request == TSGU_DONE)
        break;
      for (int64_t k = 0; k < out.shape[0] * out.shape[1]; ++k)
        static_cast<double *>(out.data)[k] =
            (random() % 500 ? 3.0 : std::nan("")) *
            static_cast<const double *>(in.data)[k];
    }
    tsgu_outcome outcome;
    tsgu_iteration_outcome(iteration, &outcome);
    tsgu_iteration_free(iteration);
  }
}

int64_t residentPages() {
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident;
}

/// Patterns, analyses and preconditioners come and go; nothing stays.
TEST(SolverSoak, NothingGrows) {
  auto rounds = [](int count) {
    for (int round = 0; round < count; ++round)
      for (const Choice &choice : choices()) {
        System<double> system = gridSystem<double>(10, 2);
        tsgu_solver solver = choice.solver();
        solver.on_fail = TSGU_IGNORE;
        ASSERT_EQ(system.solve(solver, TSGU_T), TSGU_OK) << tsgu_last_error();
      }
  };
  rounds(5);
  tsgu_counters before, after;
  tsgu_get_counters(&before);
  const int64_t resident = residentPages();
  rounds(25);
  tsgu_get_counters(&after);
  EXPECT_EQ(after.patterns, before.patterns);
  EXPECT_EQ(after.pattern_bytes, before.pattern_bytes);
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&         \
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LE(residentPages(), resident + resident / 100 + 64);
#else
  EXPECT_GT(resident, 0);
#endif
}

} // namespace
