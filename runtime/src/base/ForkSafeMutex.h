//===- ForkSafeMutex.h - A mutex that is free in a child --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A child of fork() has one thread: a mutex that another one held would stay
// locked, and what it guards half made. So a fork waits until nobody holds a
// mutex of this kind. Whoever holds one must not wait for a thread that forks:
// in Python, not for its global lock.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_FORKSAFEMUTEX_H
#define TSGU_SRC_BASE_FORKSAFEMUTEX_H

#include <mutex>

namespace tsgu::runtime {

class ForkSafeMutex {
public:
  void lock() {
    enter();
    mutex.lock();
  }
  bool try_lock() {
    enter();
    if (mutex.try_lock())
      return true;
    leave();
    return false;
  }
  void unlock() {
    mutex.unlock();
    leave();
  }

  /// Before a fork: from here on nobody holds one, but the thread that forks.
  static void close();
  /// After it, in parent and child.
  static void open();

private:
  static void enter();
  static void leave();

  std::mutex mutex;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_FORKSAFEMUTEX_H
