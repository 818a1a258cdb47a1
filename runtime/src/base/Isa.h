//===- Isa.h - Loops for the vector instructions at hand --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library is built for any x86-64. Code inside withVectors() is compiled
// three times, for 128, 256 and 512 bits, and the processor's widest one runs.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_ISA_H
#define TSGU_SRC_BASE_ISA_H

#define TSGU_INLINE __attribute__((always_inline))

/// Before a loop that is not worth the code of its vectors.
#if defined(__clang__)
#define TSGU_ROLLED                                                            \
  _Pragma("clang loop vectorize(disable) interleave(disable) unroll(disable)")
#else
#define TSGU_ROLLED _Pragma("GCC unroll 1")
#endif

namespace tsgu::runtime {

#if defined(__x86_64__)

#if defined(__clang__)
#define TSGU_V4 target("arch=x86-64-v4"), min_vector_width(512)
#else
#define TSGU_V4 target("arch=x86-64-v4")
#endif

template <typename F>
__attribute__((TSGU_V4)) void runWithV4(const F &function) {
  function();
}
template <typename F>
__attribute__((target("arch=x86-64-v3"))) void runWithV3(const F &function) {
  function();
}

inline int findVectorLevel() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") &&
                  __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") &&
                  __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") &&
                  __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? 4 : v3 ? 3 : 1;
}

/// 4 and 3: the levels of x86-64 with AVX-512 and AVX2. Found when the library
/// is loaded, not by threads while another one forks.
inline const int vectorLevelHere = findVectorLevel();
inline int vectorLevel() { return vectorLevelHere; }

/// function(), a lambda marked TSGU_INLINE.
template <typename F> void withVectors(const F &function) {
  switch (vectorLevel()) {
  case 4:
    return runWithV4(function);
  case 3:
    return runWithV3(function);
  default:
    return function();
  }
}

#else

template <typename F> void withVectors(const F &function) { function(); }

#endif

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_ISA_H
