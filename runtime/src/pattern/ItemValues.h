//===- ItemValues.h - A copy of the values of one matrix --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PATTERN_ITEMVALUES_H
#define TSGU_SRC_PATTERN_ITEMVALUES_H

#include "pattern/Rows.h"

#include <cstring>
#include <memory>

namespace tsgu::runtime {

/// A copy of the values of A's item, which its copies share; data()[k] is entry
/// k of the pattern. May be changed while nobody else has it.
template <typename T> class ItemValues {
public:
  ItemValues() = default;
  ItemValues(const Matrix<T> &A, const tsgu_executor &executor)
      : first(A.pattern->csr().position(A.firstRow())) {
    const int64_t count =
        A.pattern->csr().position(A.firstRow() + A.rows()) - first;
    block = std::make_shared<Block>(blockOf<T>(count));
    forRows(executor, count, 1, [&](int64_t begin, int64_t end) {
      std::copy(A.values + first + begin, A.values + first + end,
                block->as<T>() + begin);
    });
  }

  explicit operator bool() const { return block != nullptr; }
  T *data() const { return block->as<T>() - first; }
  /// A with these values.
  Matrix<T> of(const Matrix<T> &A) const { return {A.pattern, A.item, data()}; }
  int64_t bytes() const { return block ? block->bytes() : 0; }

private:
  int64_t first = 0;
  std::shared_ptr<Block> block;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PATTERN_ITEMVALUES_H
