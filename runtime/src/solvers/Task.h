//===- Task.h - Methods that stop to ask ------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A method is a coroutine: straight-line mathematics that stops where it needs
// a product with the matrix, and goes on when someone has made it.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_TASK_H
#define TSGU_SRC_SOLVERS_TASK_H

#include <coroutine>
#include <exception>
#include <utility>

namespace tsgu::runtime {

/// A coroutine that starts when it is awaited or started, and passes on what it
/// throws.
class [[nodiscard]] Task {
public:
  struct promise_type;
  using Handle = std::coroutine_handle<promise_type>;

  struct promise_type {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    std::exception_ptr error;

    Task get_return_object() { return Task(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { error = std::current_exception(); }

    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(Handle h) noexcept {
        return h.promise().continuation;
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
  };

  Task() = default;
  Task(Task &&other) noexcept : handle(std::exchange(other.handle, {})) {}
  Task &operator=(Task &&other) noexcept {
    std::swap(handle, other.handle);
    return *this;
  }
  ~Task() {
    if (handle)
      handle.destroy();
  }

  /// Runs until the first request, or to the end.
  void start() { handle.resume(); }
  bool done() const { return handle.done(); }
  /// Throws what the coroutine threw.
  void finish() const {
    if (handle.promise().error)
      std::rethrow_exception(handle.promise().error);
  }

  struct Awaiter {
    Handle handle;
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<>
    await_suspend(std::coroutine_handle<> caller) noexcept {
      handle.promise().continuation = caller;
      return handle;
    }
    void await_resume() {
      if (handle.promise().error)
        std::rethrow_exception(handle.promise().error);
    }
  };
  Awaiter operator co_await() const & noexcept { return {handle}; }

private:
  explicit Task(Handle handle) : handle(handle) {}

  Handle handle;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_TASK_H
