//===- SolverTrustTest.cpp - Threads and forks ----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SolverSystems.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <random>
#include <thread>

using namespace tsgu::test;

namespace {

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

/// One solve, and its result when nothing else runs.
template <typename T> struct Job {
  const System<T> *system;
  std::vector<T> values, x;
  tsgu_solver solver;
  tsgu_mode mode;

  tsgu_status run(std::vector<T> &into, const tsgu_executor *executor) const {
    tsgu_tensor value = *system->valueTensor(), to = *system->xTensor();
    value.data = const_cast<T *>(values.data());
    to.data = into.data();
    return tsgu_solve(&solver, mode, system->pattern->get(), &value,
                      system->bTensor(), &to, 0, executor);
  }
};

/// All methods with all preconditioners on a few matrices of each pattern.
template <typename T>
std::vector<Job<T>> jobsOf(const std::vector<System<T>> &systems) {
  std::vector<Job<T>> jobs;
  for (const System<T> &system : systems)
    for (const Choice &choice : choices())
      for (int version = 0; version < 3; ++version) {
        Job<T> job{&system, system.values, system.x, choice.solver(),
                   static_cast<tsgu_mode>(version)};
        for (int64_t i = 0; i < system.rows; ++i) // The diagonal grows.
          for (int64_t k = system.positions[i]; k < system.positions[i + 1];
               ++k)
            if (system.coordinates[k] == i)
              job.values[k] += static_cast<T>(0.25 * version);
        jobs.push_back(std::move(job));
      }
  return jobs;
}

template <typename T> void runMixed(int threads, int calls) {
  std::vector<System<T>> systems;
  systems.push_back(gridSystem<T>(6, 1));
  systems.push_back(gridSystem<T>(15, 2));
  systems.push_back(gridSystem<T>(9, 3));
  std::vector<Job<T>> jobs = jobsOf(systems);
  tsgu_set_threads(1);
  for (Job<T> &job : jobs)
    ASSERT_EQ(job.run(job.x, nullptr), TSGU_OK)
        << describe(job.solver, job.mode) << ": " << tsgu_last_error();
  tsgu_set_threads(3);

  std::atomic<int> wrong{0}, refused{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      std::vector<T> x;
      const tsgu_executor alone{1, nullptr};
      for (int call = 0; call < calls; ++call) {
        const Job<T> &job = jobs[random() % jobs.size()];
        x.assign(job.x.size(), T(std::nan("")));
        if (job.run(x, random() % 2 ? nullptr : &alone) != TSGU_OK)
          ++refused;
        else
          wrong += !sameBits(x, job.x);
      }
    });
  for (std::thread &worker : workers)
    worker.join();
  tsgu_set_threads(0);
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(wrong, 0);
}

TEST(SolverThreads, SixteenTimesThousandMixedCalls) {
  runMixed<double>(16, 1000);
}
TEST(SolverThreads, ComplexMixedCalls) {
  runMixed<std::complex<double>>(4, 250);
}

/// One prepared triangle for all.
TEST(SolverThreads, OneTriangle) {
  const System<double> system = gridSystem<double>(15, 2);
  tsgu_triangular *triangle = nullptr;
  ASSERT_EQ(tsgu_triangular_create(system.pattern->get(), 1, 0,
                                   system.valueTensor(), &triangle),
            TSGU_OK);
  std::vector<std::vector<double>> expected(3, system.x);
  auto solve = [&](int mode, std::vector<double> &x) {
    tsgu_tensor to = *system.xTensor();
    to.data = x.data();
    return tsgu_triangular_solve(triangle, static_cast<tsgu_mode>(mode),
                                 system.bTensor(), &to, nullptr);
  };
  for (int mode = 0; mode < 3; ++mode)
    ASSERT_EQ(solve(mode, expected[mode]), TSGU_OK);
  std::atomic<int> wrong{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < 16; ++t)
    workers.emplace_back([&] {
      std::vector<double> x(system.x.size());
      for (int call = 0; call < 1000; ++call)
        wrong +=
            solve(call % 3, x) != TSGU_OK || !sameBits(x, expected[call % 3]);
    });
  for (std::thread &worker : workers)
    worker.join();
  tsgu_triangular_free(triangle);
  EXPECT_EQ(wrong, 0);
}

//===----------------------------------------------------------------------===//
// Forks
//===----------------------------------------------------------------------===//

/// A child of a process whose pool has worked solves as its parent does.
TEST(SolverFork, ChildrenSolve) {
  tsgu_set_threads(4);
  System<double> system = gridSystem<double>(200, 2);
  const std::vector<Choice> some{{TSGU_TRIANGULAR, 0},
                                 {TSGU_CG, TSGU_AMG},
                                 {TSGU_BICGSTAB, TSGU_ILU0},
                                 {TSGU_GMRES, TSGU_JACOBI}};
  std::vector<std::vector<double>> expected;
  for (const Choice &choice : some) {
    ASSERT_EQ(system.solve(choice.solver(), TSGU_N), TSGU_OK)
        << tsgu_last_error();
    expected.push_back(system.x);
  }
  for (int child = 0; child < 3; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      for (size_t k = 0; k < some.size(); ++k) {
        // On the pattern of the parent, with what it keeps, and on a new one.
        System<double> fresh = system;
        if (system.solve(some[k].solver(), TSGU_N) != TSGU_OK ||
            fresh.solve(some[k].solver(), TSGU_N) != TSGU_OK)
          _exit(1);
        if (!sameBits(system.x, expected[k]) || !sameBits(fresh.x, expected[k]))
          _exit(2);
      }
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  ASSERT_EQ(system.solve(some[1].solver(), TSGU_N), TSGU_OK);
  EXPECT_TRUE(sameBits(system.x, expected[1]));
  tsgu_set_threads(0);
}

/// Forks while other threads solve, and while they change the callbacks: the
/// child waits for no lock that one of them held.
TEST(SolverFork, WhileOthersSolve) {
  tsgu_set_threads(2);
  const System<double> system = gridSystem<double>(20, 2);
  const tsgu_solver solver = Choice{TSGU_CG, TSGU_IC0}.solver();
  System<double> expected = system;
  ASSERT_EQ(expected.solve(solver, TSGU_N), TSGU_OK);
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int t = 0; t < 3; ++t)
    others.emplace_back([&, t] {
      while (!stop) {
        if (t == 0)
          tsgu_set_callbacks(nullptr);
        System<double> own = system;
        own.solve(solver, TSGU_N);
      }
    });
  for (int child = 0; child < 10; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      alarm(60);
      System<double> own = system;
      if (own.solve(solver, TSGU_N) != TSGU_OK)
        _exit(1);
      _exit(sameBits(own.x, expected.x) ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  stop = true;
  for (std::thread &other : others)
    other.join();
  tsgu_set_threads(0);
}

} // namespace
