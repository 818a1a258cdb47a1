//===- Library.h - Other people's libraries, if they are there --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opened when a method first asks for one, and never closed. Those who are in
// the process already are found by their names. TSGU_LIBRARIES names a folder
// that takes the place of where the system looks.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_FOREIGN_LIBRARY_H
#define TSGU_SRC_DIRECT_FOREIGN_LIBRARY_H

#include "base/ForkSafeMutex.h"
#include "base/Parallel.h"

#include <atomic>
#include <initializer_list>
#include <mutex>

namespace tsgu::runtime::foreign {

/// Throws InvalidArgument, with what `method` says of how to get the library.
class Library {
public:
  Library(const char *method, const char *name,
          std::initializer_list<const char *> files, const char *remedy);

  template <typename F> void find(F *&function, const char *symbol) const {
    function = reinterpret_cast<F *>(address(symbol));
  }
  /// Of a version whose layouts are not known here.
  [[noreturn]] void refuse(const char *found) const;

private:
  void *address(const char *symbol) const;

  const char *method, *name, *remedy;
  void *handle;
};

/// Held by those who compute with the system's BLAS: several of Debian's
/// OpenBLAS at once gave CHOLMOD wrong numbers now and then.
inline ForkSafeMutex systemBLAS;

/// A library's functions, which its constructor finds, at the first request.
template <typename Functions> const Functions &opened() {
  static std::atomic<const Functions *> known{nullptr};
  if (const Functions *library = known.load(std::memory_order_acquire))
    return *library;
  std::lock_guard<std::recursive_mutex> lock(processLock());
  if (!known.load())
    known.store(new Functions, std::memory_order_release);
  return *known.load();
}

} // namespace tsgu::runtime::foreign

#endif // TSGU_SRC_DIRECT_FOREIGN_LIBRARY_H
