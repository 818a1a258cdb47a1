//===- SmallArray.h - Arrays that are in place if short ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_BASE_SMALLARRAY_H
#define TSGU_SRC_BASE_SMALLARRAY_H

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>

namespace tsgu::runtime {

/// `count` elements, uninitialised. Up to `inPlace` of them ask for no memory.
template <typename T, size_t inPlace> class SmallArray {
  static_assert(std::is_trivially_copyable_v<T>);

public:
  /// Throws std::bad_alloc.
  explicit SmallArray(size_t count)
      : count(count),
        many(count > inPlace ? std::make_unique_for_overwrite<T[]>(count)
                             : nullptr) {}
  SmallArray(const SmallArray &other) : SmallArray(other.count) {
    std::copy_n(other.data(), count, data());
  }
  SmallArray &operator=(const SmallArray &) = delete;

  T *data() { return many ? many.get() : few; }
  const T *data() const { return many ? many.get() : few; }
  T &operator[](size_t i) { return data()[i]; }
  const T &operator[](size_t i) const { return data()[i]; }

private:
  size_t count;
  std::unique_ptr<T[]> many;
  T few[inPlace];
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_BASE_SMALLARRAY_H
