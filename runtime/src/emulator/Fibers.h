//===- Fibers.h - Several stacks on one thread ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_EMULATOR_FIBERS_H
#define TSGU_SRC_EMULATOR_FIBERS_H

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace tsgu::runtime {

/// A function on a stack of its own, which runs until it switches to another
/// fiber. A page that cannot be touched lies below the stack.
class Fiber {
public:
  /// What runs now, on the stack it has.
  Fiber();
  /// Throws OutOfMemory. `entry` must not return.
  Fiber(void (*entry)(void *context), void *context, size_t number);
  /// Must not be running; what is on its stack is forgotten.
  ~Fiber();
  Fiber(const Fiber &) = delete;

  /// Leaves this fiber, which is running, until another one switches to it.
  void switchTo(Fiber &other) noexcept;

  /// Whether the bytes are on its stack.
  bool contains(const void *address, uint64_t bytes) const {
    const auto begin = reinterpret_cast<uintptr_t>(address);
    return begin >= bottom && begin - bottom < stackBytes &&
           bytes <= stackBytes - (begin - bottom);
  }

  static constexpr size_t stackBytes = size_t{128} << 10;

private:
  static void begin(Fiber *self);
  void prepare();
  void arrive() noexcept;

#if defined(__x86_64__)
  void *stackPointer = nullptr;
#else
  ucontext_t registers;
#endif
  void (*entry)(void *) = nullptr;
  void *context = nullptr;
  uintptr_t bottom = 0; ///< Of the stack, above the page.
  uintptr_t top = 0;    ///< Where it begins.
  // For the sanitizers, who have to be told of every switch.
  Fiber *cameFrom = nullptr;
  const void *knownBottom = nullptr;
  size_t knownBytes = 0;
  [[maybe_unused]] void *kept = nullptr;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_EMULATOR_FIBERS_H
