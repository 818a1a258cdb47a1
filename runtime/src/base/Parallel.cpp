//===- Parallel.cpp - Work on the threads of the host ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Parallel.h"
#include "base/ForkSafeMutex.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <new>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sched.h>

namespace tsgu::runtime {
namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until `ready` holds or the time is over in which a thread that just
/// had work usually gets more; waking a sleeping one costs about as much.
template <typename F> bool spinUntil(F &&ready) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::microseconds(50);
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready())
        return true;
      relax();
    }
  } while (Clock::now() < end);
  return false;
}

thread_local bool insideTask = false;

/// Workers that wait for one job at a time. `busy` is held by the thread whose
/// job it is; it alone writes the job and changes the number of workers.
class Pool {
public:
  /// False: another thread uses the pool.
  bool tryRun(int32_t threadCount, int64_t taskCount, tsgu_task toRun,
              void *with) {
    if (busy.exchange(true))
      return false;
    if (wantedWorkers != threadCount - 1)
      resize(threadCount - 1);
    task = toRun;
    context = with;
    count = taskCount;
    next.store(0);
    open.store(true);
    announce();
    drain();
    // A worker enters before it looks at `open`, and we close before we look at
    // `inside`: so either it sees a closed job or we wait for it.
    open.store(false);
    if (!spinUntil([&] { return inside.load() == 0; })) {
      std::unique_lock<std::mutex> lock(mutex);
      done.wait(lock, [&] { return inside.load() == 0; });
    }
    busy.store(false);
    return true;
  }

private:
  void announce() {
    epoch.fetch_add(1);
    if (sleepers.load() == 0)
      return;
    std::lock_guard<std::mutex> lock(mutex);
    wake.notify_all();
  }

  void drain() {
    insideTask = true;
    for (int64_t i; (i = next.fetch_add(1)) < count;)
      task(context, i, i + 1);
    insideTask = false;
  }

  void work(uint64_t seen) {
    while (true) {
      auto called = [&] { return epoch.load() != seen; };
      if (!spinUntil(called)) {
        std::unique_lock<std::mutex> lock(mutex);
        sleepers.fetch_add(1);
        wake.wait(lock, called);
        sleepers.fetch_sub(1);
      }
      seen = epoch.load();
      if (stopping.load())
        return;
      inside.fetch_add(1);
      if (open.load())
        drain();
      if (inside.fetch_sub(1) == 1) {
        std::lock_guard<std::mutex> lock(mutex);
        done.notify_one();
      }
    }
  }

  /// Fewer workers than wanted, or none, are as right, only slower.
  void resize(int32_t wanted) {
    wantedWorkers = wanted;
    stopping.store(true);
    announce();
    for (std::thread &worker : workers)
      worker.join();
    workers.clear();
    stopping.store(false);
    try {
      workers.reserve(wanted);
      while (static_cast<int32_t>(workers.size()) < wanted)
        workers.emplace_back([this, seen = epoch.load()] { work(seen); });
    } catch (const std::exception &) {
      return; // With those that there are.
    }
  }

  std::atomic<bool> busy{false};
  std::vector<std::thread> workers;
  int32_t wantedWorkers = 0;

  tsgu_task task = nullptr;
  void *context = nullptr;
  int64_t count = 0;

  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<uint64_t> epoch{0};
  std::atomic<bool> open{false}, stopping{false};
  alignas(64) std::atomic<int32_t> inside{0};
  std::atomic<int32_t> sleepers{0};
  std::mutex mutex;
  std::condition_variable wake, done;
};

// Neither is destroyed: workers may outlive main.
std::atomic<Pool *> pool{nullptr};
Pool *volatile lostInFork = nullptr;
alignas(std::recursive_mutex) char lockStorage[sizeof(std::recursive_mutex)];

std::atomic<int32_t> wantedThreads{0};

int32_t usableThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

/// A child has the memory of the pool, but none of its threads.
void forgetPool() {
  new (lockStorage) std::recursive_mutex;
  ForkSafeMutex::open();
  lostInFork = pool.exchange(nullptr);
  insideTask = false;
}

struct ForkHandlers {
  ForkHandlers() {
    new (lockStorage) std::recursive_mutex;
    // In this order: who holds such a mutex may want the lock.
    pthread_atfork(
        [] {
          ForkSafeMutex::close();
          processLock().lock();
        },
        [] {
          processLock().unlock();
          ForkSafeMutex::open();
        },
        forgetPool);
  }
};

Pool &ownPool() {
  if (Pool *existing = pool.load())
    return *existing;
  std::lock_guard<std::recursive_mutex> lock(processLock());
  if (!pool.load())
    pool.store(new Pool);
  return *pool.load();
}

} // namespace

/// When the library is loaded: a child would wait for ever for what another
/// thread of its parent had begun to initialise.
[[gnu::constructor]] static void prepareForks() { processLock(); }

std::recursive_mutex &processLock() {
  static ForkHandlers handlers;
  return *std::launder(reinterpret_cast<std::recursive_mutex *>(lockStorage));
}

int32_t threads() {
  if (int32_t wanted = wantedThreads.load(std::memory_order_relaxed))
    return wanted;
  // No initialisation that another thread may be in while this one forks.
  static std::atomic<int32_t> usable{0};
  if (usable.load(std::memory_order_relaxed) == 0)
    usable.store(usableThreads(), std::memory_order_relaxed);
  return usable.load(std::memory_order_relaxed);
}

void setThreads(int32_t count) {
  // More would not compute faster, and each costs a stack.
  wantedThreads.store(std::clamp(count, 0, 1024));
}

void runOnPool(int64_t count, tsgu_task task, void *context) {
  int32_t threadCount = threads();
  if (insideTask || threadCount <= 1 || count <= 1 ||
      !ownPool().tryRun(threadCount, count, task, context))
    task(context, 0, count);
}

tsgu_executor executorOr(const tsgu_executor *executor) {
  return executor ? *executor : tsgu_executor{threads(), runOnPool};
}

} // namespace tsgu::runtime
