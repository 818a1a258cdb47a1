//===- Interpreter.cpp - Python, as solvers call it -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include "tsgu/outputs.h"

#include <atomic>
#include <thread>
#include <utility>

#include <pthread.h>

using namespace tsgu::torch_plugin;

static Interpreter interpreter;
/// NULL where Python is not to be called, as when it ends.
static std::atomic<const Interpreter *> current{nullptr};

//===----------------------------------------------------------------------===//
// What was raised
//===----------------------------------------------------------------------===//

/// Type, value and traceback, as Python hands them out.
struct Raised {
  void *parts[3] = {};
};
static thread_local Raised kept;

/// Keeps what is raised now, if anything, in the place of what was kept before.
static bool keep(const Interpreter &python) {
  Raised raised;
  python.fetch(&raised.parts[0], &raised.parts[1], &raised.parts[2]);
  if (!raised.parts[0])
    return false;
  for (void *part : std::exchange(kept, raised).parts)
    if (part)
      python.decrease(part);
  return true;
}

/// Raises what was kept, for a caller that looks for it as ctypes.PyDLL does.
extern "C" TSGU_API void tsgu_torch_raise_kept() {
  const Interpreter *python = current.load();
  const Raised raised = std::exchange(kept, {});
  if (python && raised.parts[0])
    python->restore(raised.parts[0], raised.parts[1], raised.parts[2]);
}

//===----------------------------------------------------------------------===//
// Callbacks of the runtime
//===----------------------------------------------------------------------===//

/// The int that a callable returned, or -1 if it raised.
template <typename... Arguments>
static int32_t call(const Interpreter &python, void *callable,
                    const char *format, Arguments... arguments) {
  const int state = python.ensure();
  void *result = python.call(callable, format, arguments...);
  long answer = -1;
  if (result) {
    answer = python.asLong(result);
    python.decrease(result);
  }
  if (keep(python))
    answer = -1;
  python.release(state);
  return static_cast<int32_t>(answer);
}

template <typename... Arguments>
static int32_t call(void *Interpreter::*callable, const char *format,
                    Arguments... arguments) {
  const Interpreter *python = current.load();
  return python ? call(*python, python->*callable, format, arguments...) : -1;
}

bool tsgu::torch_plugin::callPython(void *callable, int64_t argument) {
  const Interpreter *python = current.load();
  return !python ||
         call(*python, callable, "L", static_cast<long long>(argument)) != -1;
}

static unsigned long long address(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

static int32_t callSolve(int64_t id, int32_t mode, tsgu_pattern *, int64_t item,
                         const tsgu_tensor *values, const tsgu_tensor *b,
                         const tsgu_tensor *x) {
  return call(&Interpreter::solve, "LiLKKK", static_cast<long long>(id), mode,
              static_cast<long long>(item), address(values), address(b),
              address(x));
}

static int32_t callProgress(int64_t id, int64_t iteration, int64_t columns,
                            const double *residuals) {
  return call(&Interpreter::progress, "LLLK", static_cast<long long>(id),
              static_cast<long long>(iteration),
              static_cast<long long>(columns), address(residuals));
}

static int32_t callOutcome(int64_t id, const tsgu_outcome *outcome) {
  return call(&Interpreter::outcome, "LK", static_cast<long long>(id),
              address(outcome));
}

//===----------------------------------------------------------------------===//
// Capsules, which Python may free while it ends
//===----------------------------------------------------------------------===//

void *tsgu::torch_plugin::newCapsule(void *pointer, void (*end)(void *)) {
  return pointer ? interpreter.newCapsule(pointer, nullptr, end)
                 : interpreter.noMemory();
}

void *tsgu::torch_plugin::pointerIn(void *capsule) {
  return interpreter.pointerIn(capsule, nullptr);
}

//===----------------------------------------------------------------------===//
// What torch tells Python alone
//===----------------------------------------------------------------------===//

/// Whether an answer is True; gives up the reference to it.
static bool isTrue(const Interpreter &python, void *answer) {
  const bool yes = answer && python.asLong(answer) == 1;
  if (answer)
    python.decrease(answer);
  return yes;
}

/// Whether nobody but torch writes to a storage: it allocated it or got it from
/// us.
static bool isTorchs(const Interpreter &python, void *storage) {
  if (isTrue(python, python.callMethod(storage, "resizable", nullptr)))
    return true;
  void *data = python.callMethod(storage, "data_ptr", nullptr);
  if (!data)
    return false;
  const long address = python.asLong(data);
  python.decrease(data);
  return tsgu_output_is(reinterpret_cast<const void *>(address)) != 0;
}

/// Whether torch owns the memory of both tensors. The kernel of an operator
/// whose errors torch drops: so it runs nothing in which Python would look for
/// signals.
extern "C" TSGU_API bool tsgu_torch_owns(void *positions, void *coordinates) {
  const Interpreter *python = current.load();
  for (void *tensor : {positions, coordinates}) {
    void *storage = python
                        ? python->callMethod(tensor, "untyped_storage", nullptr)
                        : nullptr;
    if (!storage)
      return false;
    const bool torchs = isTorchs(*python, storage);
    python->decrease(storage);
    if (!torchs)
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Signals, which Python sees in its main thread alone
//===----------------------------------------------------------------------===//

static std::atomic<uint64_t> mainThread{0};
/// Who forks holds the GIL and waits for the locks of everybody; who asks for
/// signals may hold some of these, and needs the GIL until their handlers are
/// through: not at the same time.
static std::atomic<int> forking{0};
static std::atomic<bool> asking{false};

static uint64_t thisThread() { return static_cast<uint64_t>(pthread_self()); }

static int32_t interrupted() {
  const Interpreter *python = current.load();
  if (!python || thisThread() != mainThread.load())
    return 0;
  const bool outer = asking.exchange(true); // Handlers may call us, too.
  bool raised = false;
  if (forking == 0) {
    const int state = python->ensure();
    raised = python->checkSignals() != 0 && keep(*python);
    python->release(state);
  }
  asking = outer;
  return raised;
}

/// To be called without the GIL.
extern "C" TSGU_API void tsgu_torch_before_fork() {
  ++forking;
  while (asking && thisThread() != mainThread.load())
    std::this_thread::yield();
}

extern "C" TSGU_API void tsgu_torch_after_fork() { --forking; }

/// `main` as Python's threads are identified.
extern "C" TSGU_API void tsgu_torch_after_fork_in_child(uint64_t main) {
  mainThread = main;
  forking = 0, asking = false;
}

/// NULL: Python ends, and is not called any more.
extern "C" TSGU_API void tsgu_torch_set_interpreter(const Interpreter *given,
                                                    uint64_t main) {
  if (given)
    interpreter = *given;
  mainThread = main;
  current = given ? &interpreter : nullptr;
  const tsgu_callbacks callbacks{callSolve, callProgress, callOutcome,
                                 interrupted};
  tsgu_set_callbacks(given ? &callbacks : nullptr);
}
