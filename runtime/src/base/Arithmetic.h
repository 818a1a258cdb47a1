//===- Arithmetic.h - Sizes that do not overflow ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_ARITHMETIC_H
#define TSGU_SRC_BASE_ARITHMETIC_H

#include "tsgu/Error.h"
#include "tsgu/Manifest.h"

#include <cstdint>
#include <limits>

namespace tsgu::runtime {

/// The product of two sizes; throws OutOfMemory when 64 bits cannot hold it,
/// since nothing of that size could be stored.
inline int64_t multiply(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product))
    fail(Status::OutOfMemory, "sizes ", a, " and ", b,
         " multiply to more than 64 bits can count");
  return product;
}

inline int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum))
    fail(Status::OutOfMemory, "sizes ", a, " and ", b,
         " add up to more than 64 bits can count");
  return sum;
}

/// floor(a * b / c) for 0 <= b <= c, without overflow between.
inline int64_t mulDiv(int64_t a, int64_t b, int64_t c) {
  __extension__ using Wide = __int128;
  return static_cast<int64_t>(static_cast<Wide>(a) * b / c);
}

inline bool fitsInt32(int64_t value) {
  return value >= 0 && value <= std::numeric_limits<int32_t>::max();
}

/// Calls `function` with a zero of the C++ type of an index type.
template <typename F>
decltype(auto) withIndexType(ElementType type, F &&function) {
  return type == ElementType::I32 ? function(int32_t{}) : function(int64_t{});
}

/// The index type of a C++ type.
template <typename I> constexpr ElementType indexTypeOf() {
  static_assert(sizeof(I) == 4 || sizeof(I) == 8);
  return sizeof(I) == 4 ? ElementType::I32 : ElementType::I64;
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_ARITHMETIC_H
