//===- Matrices.h - Random sparse matrices for the tests --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_MATRICES_H
#define TSGU_TEST_MATRICES_H

#include "tsgu/tsgu.hpp"

#include <cstdint>
#include <random>
#include <set>
#include <vector>

namespace tsgu::test {

/// CSR, or with items > 1 one matrix after the other with flat positions.
template <typename I> struct Matrix {
  int64_t items = 1, rows = 0, columns = 0;
  std::vector<I> positions{0}, coordinates;

  int64_t stored() const { return static_cast<int64_t>(coordinates.size()); }

  /// The row, counted over all items, of every entry.
  std::vector<int64_t> rowOfEntry() const {
    std::vector<int64_t> row;
    for (size_t r = 0; r + 1 < positions.size(); ++r)
      row.resize(positions[r + 1], static_cast<int64_t>(r));
    return row;
  }

  /// Rank 2, or 3 by way of COO, as items may differ in length.
  Pattern pattern(int32_t rank = 2) const {
    if (rank == 2)
      return Pattern::csr<I>({rows, columns}, positions, coordinates);
    std::vector<std::vector<I>> entries(3);
    for (int64_t row : rowOfEntry()) {
      entries[0].push_back(static_cast<I>(row / rows));
      entries[1].push_back(static_cast<I>(row % rows));
    }
    entries[2] = coordinates;
    return Pattern::coo<I>({items, rows, columns}, entries);
  }
};

/// Ragged: rows hold none to `most` entries, every fifth one many.
template <typename I>
Matrix<I> randomMatrix(std::mt19937 &random, int64_t items, int64_t rows,
                       int64_t columns, int64_t most) {
  Matrix<I> matrix{items, rows, columns, {0}, {}};
  for (int64_t row = 0; row < items * rows; ++row) {
    int64_t bound = std::min(columns, random() % 5 ? most : 4 * most);
    auto count = static_cast<int64_t>(random() % (bound + 1));
    std::set<I> chosen;
    while (static_cast<int64_t>(chosen.size()) < count)
      chosen.insert(static_cast<I>(random() % columns));
    matrix.coordinates.insert(matrix.coordinates.end(), chosen.begin(),
                              chosen.end());
    matrix.positions.push_back(static_cast<I>(matrix.stored()));
  }
  return matrix;
}

template <typename T>
std::vector<T> randomValues(std::mt19937 &random, int64_t count) {
  std::uniform_real_distribution<T> uniform(-1, 1);
  std::vector<T> values(count);
  for (T &value : values)
    value = uniform(random);
  return values;
}

} // namespace tsgu::test

#endif // TSGU_TEST_MATRICES_H
