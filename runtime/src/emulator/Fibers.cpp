//===- Fibers.cpp - Several stacks on one thread --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "emulator/Fibers.h"
#include "tsgu/Error.h"

#include <cstdlib>

#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TSGU_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define TSGU_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TSGU_ASAN
#endif
#if defined(__SANITIZE_THREAD__)
#define TSGU_TSAN
#endif
#if defined(TSGU_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(TSGU_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace tsgu::runtime {

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

#if defined(__x86_64__)

// Saves what a function has to preserve on the stack that is left, and takes it
// from the one that is entered. A fiber begins with its address in %rbx and
// the function to call in %r12.
extern "C" void tsgu_switch_stacks(void **left, void *entered);
extern "C" void tsgu_begin_fiber();
asm(R"(
  .pushsection .text
  .globl tsgu_switch_stacks
  .hidden tsgu_switch_stacks
  .type tsgu_switch_stacks, @function
tsgu_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size tsgu_switch_stacks, .-tsgu_switch_stacks
  .globl tsgu_begin_fiber
  .hidden tsgu_begin_fiber
  .type tsgu_begin_fiber, @function
tsgu_begin_fiber:
  movq %rbx, %rdi
  call *%r12
  ud2
  .size tsgu_begin_fiber, .-tsgu_begin_fiber
  .popsection
)");

void Fiber::prepare() {
  // In the order of the pops above, then where to return to.
  void **saved = reinterpret_cast<void **>(top) - 7;
  saved[0] = saved[1] = saved[2] = nullptr;           // r15, r14, r13
  saved[3] = reinterpret_cast<void *>(&Fiber::begin); // r12
  saved[4] = this;                                    // rbx
  saved[5] = nullptr;                                 // rbp
  saved[6] = reinterpret_cast<void *>(&tsgu_begin_fiber);
  stackPointer = static_cast<void *>(saved);
}

static void switchRegisters(void *&left, void *entered) {
  tsgu_switch_stacks(&left, entered);
}
#define TSGU_REGISTERS stackPointer

#else

static thread_local Fiber *beginning;

void Fiber::prepare() {
  getcontext(&registers);
  registers.uc_stack.ss_sp = reinterpret_cast<void *>(bottom);
  registers.uc_stack.ss_size = top - bottom;
  registers.uc_link = nullptr;
  // makecontext passes no pointers; the first switch to a fiber names it.
  makecontext(&registers, +[] { begin(beginning); }, 0);
}

static void switchRegisters(ucontext_t &left, ucontext_t &entered) {
  swapcontext(&left, &entered);
}
#define TSGU_REGISTERS registers

#endif

//===----------------------------------------------------------------------===//
// Fibers
//===----------------------------------------------------------------------===//

static size_t pageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

Fiber::Fiber() {
#if defined(TSGU_TSAN)
  kept = __tsan_get_current_fiber();
#endif
}

Fiber::Fiber(void (*entry)(void *), void *context, size_t number)
    : entry(entry), context(context) {
  const size_t bytes = pageBytes() + stackBytes;
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const bool mapped = memory != MAP_FAILED;
  if (!mapped || mprotect(memory, pageBytes(), PROT_NONE) != 0) {
    if (mapped)
      munmap(memory, bytes);
    fail(Status::OutOfMemory, "out of memory: no stack of ", bytes,
         " bytes for a thread of the emulator");
  }
  bottom = reinterpret_cast<uintptr_t>(memory) + pageBytes();
  // Fibers run in turns: their frames should not share the cache's sets.
  top = bottom + stackBytes - number * 320 % 4096;
  knownBottom = reinterpret_cast<void *>(bottom);
  knownBytes = stackBytes;
#if defined(TSGU_TSAN)
  kept = __tsan_create_fiber(0);
#endif
  prepare();
}

Fiber::~Fiber() {
  if (!entry)
    return;
#if defined(TSGU_TSAN)
  __tsan_destroy_fiber(kept);
#endif
#if defined(TSGU_ASAN)
  __asan_unpoison_memory_region(reinterpret_cast<void *>(bottom), stackBytes);
#endif
  munmap(reinterpret_cast<void *>(bottom - pageBytes()),
         pageBytes() + stackBytes);
}

void Fiber::begin(Fiber *self) {
  self->arrive();
  self->entry(self->context);
  std::abort(); // There is nowhere to return to.
}

/// This fiber has just been switched to.
void Fiber::arrive() noexcept {
#if defined(TSGU_ASAN)
  // The first to leave a thread's own stack does not know its bounds.
  __sanitizer_finish_switch_fiber(kept, &cameFrom->knownBottom,
                                  &cameFrom->knownBytes);
#endif
}

void Fiber::switchTo(Fiber &other) noexcept {
  other.cameFrom = this;
#if !defined(__x86_64__)
  beginning = &other;
#endif
#if defined(TSGU_ASAN)
  __sanitizer_start_switch_fiber(&kept, other.knownBottom, other.knownBytes);
#endif
#if defined(TSGU_TSAN)
  __tsan_switch_to_fiber(other.kept, 0);
#endif
  switchRegisters(TSGU_REGISTERS, other.TSGU_REGISTERS);
  arrive();
}

} // namespace tsgu::runtime
