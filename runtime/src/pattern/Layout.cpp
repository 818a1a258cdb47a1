//===- Layout.cpp - Rows and columns exchanged ----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Layout.h"

#include <algorithm>

namespace tsgu::runtime {

ElementType derivedIndexType(int64_t rows, int64_t columns, int64_t stored) {
  return fitsInt32(rows) && fitsInt32(columns) && fitsInt32(stored)
             ? ElementType::I32
             : ElementType::I64;
}

/// One item. `positions` holds the columns' entry counts one place to the
/// right, and afterwards the positions; entries are counted from the first
/// item's. Returns whether the entries kept their order.
template <typename From, typename To, typename Permutation>
static bool transposeItem(const From *csrPositions, const From *csrColumns,
                          int64_t rows, int64_t columns, To *positions,
                          To *coordinates, Permutation *permutation) {
  const int64_t first = csrPositions[0], last = csrPositions[rows];
  std::fill_n(positions + 1, columns, To(0));
  for (int64_t k = first; k < last; ++k)
    ++positions[csrColumns[k] + 1];
  // positions[c + 1] becomes where the next entry of column c goes, and so ends
  // up where column c ends.
  int64_t start = first;
  for (int64_t c = 0; c < columns; ++c) {
    int64_t count = positions[c + 1];
    positions[c + 1] = static_cast<To>(start);
    start += count;
  }
  bool moved = false;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t k = csrPositions[row]; k < csrPositions[row + 1]; ++k) {
      int64_t to = positions[csrColumns[k] + 1]++;
      coordinates[to] = static_cast<To>(row);
      permutation[to] = static_cast<Permutation>(k);
      moved |= to != k;
    }
  }
  return !moved;
}

template <typename From, typename To, typename Permutation>
static OwnedLayout transposeAs(const Layout &csr, int64_t items, int64_t rows,
                               int64_t columns) {
  OwnedLayout result;
  const int64_t allColumns = multiply(items, columns);
  result.positions = blockOf<To>(add(allColumns, 1));
  result.coordinates = blockOf<To>(csr.stored);
  result.permutation = blockOf<Permutation>(csr.stored);

  To *positions = result.positions.as<To>();
  positions[0] = 0;
  bool identity = true;
  for (int64_t item = 0; item < items; ++item)
    identity &=
        transposeItem(static_cast<const From *>(csr.positions) + item * rows,
                      static_cast<const From *>(csr.coordinates), rows, columns,
                      positions + item * columns, result.coordinates.as<To>(),
                      result.permutation.as<Permutation>());
  if (identity)
    result.permutation = Block();

  Layout &layout = result.layout;
  layout.indexType = indexTypeOf<To>();
  layout.permutationType = indexTypeOf<Permutation>();
  layout.positions = result.positions.data();
  layout.coordinates = result.coordinates.data();
  layout.permutation = result.permutation.data();
  layout.rows = allColumns;
  layout.stored = csr.stored;
  return result;
}

OwnedLayout transpose(const Layout &csr, int64_t items, int64_t rows,
                      int64_t columns) {
  auto to = derivedIndexType(rows, columns, csr.stored);
  auto permutation =
      fitsInt32(csr.stored) ? ElementType::I32 : ElementType::I64;
  return withIndexType(csr.indexType, [&]<typename From>(From) {
    return withIndexType(to, [&]<typename To>(To) {
      return withIndexType(permutation, [&]<typename P>(P) {
        return transposeAs<From, To, P>(csr, items, rows, columns);
      });
    });
  });
}

} // namespace tsgu::runtime
