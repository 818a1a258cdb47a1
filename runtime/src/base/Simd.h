//===- Simd.h - Numbers side by side ----------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_SIMD_H
#define TSGU_SRC_BASE_SIMD_H

#include "base/Isa.h"

#include <cstddef>

namespace tsgu::runtime {

/// So many numbers in one register, or in several. `Loose`: wherever in memory
/// they begin. How they are passed depends on the instruction set: by
/// reference, or inlined. (A template argument loses what `Loose` says.)
template <typename R, size_t count> struct Simd {
  typedef R Vector __attribute__((vector_size(count * sizeof(R)), may_alias));
  typedef R Loose __attribute__((vector_size(count * sizeof(R)),
                                 aligned(sizeof(R)), may_alias));
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_SIMD_H
