//===- TriangularMatrices.h - Triangular systems, an oracle -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_TRIANGULARMATRICES_H
#define TSGU_TEST_TRIANGULARMATRICES_H

#include "triangular/PreparedTriangle.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace tsgu::test {

using runtime::Mode;
using runtime::Triangle;
using runtime::Vectors;
template <typename T> using Real = runtime::Real<T>;

template <typename T> constexpr ElementType elementTypeOf() {
  if constexpr (runtime::isComplex<T>)
    return sizeof(T) == 8 ? ElementType::C64 : ElementType::C128;
  else
    return sizeof(T) == 4 ? ElementType::F32 : ElementType::F64;
}

/// Columns by row.
using Rows = std::vector<std::set<int64_t>>;

inline Rows diagonalRows(int64_t n) {
  Rows rows(n);
  for (int64_t i = 0; i < n; ++i)
    rows[i].insert(i);
  return rows;
}

/// Every row reads the one before it.
inline Rows chain(int64_t n) {
  Rows rows = diagonalRows(n);
  for (int64_t i = 1; i < n; ++i)
    rows[i].insert(i - 1), rows[i - 1].insert(i);
  return rows;
}

/// The 5-point grid of side * side points.
inline Rows grid(int64_t side) {
  Rows rows = diagonalRows(side * side);
  for (int64_t i = 0; i < side * side; ++i) {
    if (i % side)
      rows[i].insert(i - 1), rows[i - 1].insert(i);
    if (i >= side)
      rows[i].insert(i - side), rows[i - side].insert(i);
  }
  return rows;
}

inline Rows dense(int64_t n) {
  Rows rows(n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      rows[i].insert(j);
  return rows;
}

/// Full first and last rows and columns, as wide as a level can be.
inline Rows arrow(int64_t n) {
  Rows rows = diagonalRows(n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j : {int64_t{0}, n - 1})
      rows[i].insert(j), rows[j].insert(i);
  return rows;
}

/// Mostly short rows, some of them long: levels of unlike rows.
inline Rows ragged(std::mt19937 &random, int64_t n) {
  Rows rows = diagonalRows(n);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t count = random() % 16 ? random() % 4 : random() % 60;
    for (int64_t k = 0; k < count; ++k)
      rows[i].insert(static_cast<int64_t>(random() % n));
  }
  return rows;
}

/// A diagonal with a border on all sides, half of which is stored: rows that
/// read each other, long ones.
inline Rows bordered(std::mt19937 &random, int64_t n, int64_t width) {
  Rows rows = diagonalRows(n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      if (std::min({i, j, n - 1 - i, n - 1 - j}) < width && random() % 2)
        rows[i].insert(j);
  for (int64_t i = 1; i < n; ++i) // Segments as long as can be.
    if (i < width || i >= n - width)
      rows[i].insert(i - 1), rows[i - 1].insert(i);
  return rows;
}

/// Items of one size, one pattern of int32 or int64 indices.
template <typename I> class Batch {
public:
  Batch(const std::vector<Rows> &items, bool batched)
      : rows(static_cast<int64_t>(items[0].size())) {
    const auto count = static_cast<int64_t>(items.size());
    std::vector<I> item, &row = rowOf, &column = coordinateOf;
    for (int64_t b = 0; b < count; ++b)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j : items[b][i]) {
          item.push_back(static_cast<I>(b));
          row.push_back(static_cast<I>(i));
          column.push_back(static_cast<I>(j));
        }
    const int64_t shape[3] = {count, rows, rows};
    const void *coordinates[3] = {item.data(), row.data(), column.data()};
    const int32_t skip = batched ? 0 : 1;
    pattern = runtime::Pattern::fromCOO(
        3 - skip, shape + skip, sizeof(I) == 4 ? TSGU_I32 : TSGU_I64,
        coordinates + skip, static_cast<int64_t>(row.size()));
    positions.assign(count * rows + 1, 0);
    for (size_t k = 0; k < row.size(); ++k)
      ++positions[item[k] * rows + row[k] + 1];
    for (size_t r = 1; r < positions.size(); ++r)
      positions[r] += positions[r - 1];
  }
  ~Batch() { pattern->release(); }
  Batch(const Batch &) = delete;

  int64_t stored() const { return static_cast<int64_t>(rowOf.size()); }
  int64_t position(int64_t item, int64_t i) const {
    return positions[item * rows + i];
  }

  int64_t rows;
  runtime::Pattern *pattern;
  std::vector<I> rowOf, coordinateOf; ///< Which the pattern may share.
  std::vector<int64_t> positions;
};

template <typename T> T random(std::mt19937 &engine) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  if constexpr (runtime::isComplex<T>)
    return {static_cast<Real<T>>(uniform(engine)),
            static_cast<Real<T>>(uniform(engine))};
  else
    return static_cast<T>(uniform(engine));
}

/// Well conditioned: row and column sums beside the diagonal are below it. All
/// that a solve must not read is NaN.
template <typename T, typename I>
std::vector<T> valuesFor(std::mt19937 &engine, const Batch<I> &batch,
                         Triangle triangle) {
  std::vector<T> values(batch.stored());
  const int64_t items = batch.pattern->items();
  for (int64_t b = 0; b < items; ++b) {
    std::vector<int64_t> degree(batch.rows, 1);
    for (int64_t k = batch.position(b, 0); k < batch.position(b + 1, 0); ++k)
      ++degree[batch.coordinateOf[k]], ++degree[batch.rowOf[k]];
    for (int64_t k = batch.position(b, 0); k < batch.position(b + 1, 0); ++k) {
      const int64_t i = batch.rowOf[k], c = batch.coordinateOf[k];
      const Real<T> scale =
          static_cast<Real<T>>(std::max(degree[i], degree[c]));
      const bool read = i == c ? !triangle.unit : triangle.upper == (c > i);
      if (!read)
        values[k] = T(std::numeric_limits<Real<T>>::quiet_NaN());
      else if (i == c)
        values[k] = random<T>(engine) + T(k % 2 ? 2 : -2);
      else
        values[k] = random<T>(engine) / scale;
    }
  }
  return values;
}

/// x = op(triangle of the item)^-1 b in long double, one vector at a time.
template <typename T, typename I>
std::vector<T> oracle(const Batch<I> &batch, int64_t item,
                      const std::vector<T> &values, Triangle triangle,
                      Mode mode, const std::vector<T> &b, int64_t count) {
  using Wide = std::conditional_t<runtime::isComplex<T>,
                                  std::complex<long double>, long double>;
  const int64_t n = batch.rows;
  auto wide = [&](T value) -> Wide {
    if constexpr (runtime::isComplex<T>)
      return Wide(value.real(), mode == Mode::C ? -value.imag() : value.imag());
    else
      return value;
  };
  std::vector<Wide> x(n * count), diagonal(n, Wide(1));
  // op(A) as a list of its entries beside the diagonal, by row.
  std::vector<std::vector<std::pair<int64_t, Wide>>> strict(n);
  for (int64_t k = batch.position(item, 0); k < batch.position(item + 1, 0);
       ++k) {
    int64_t i = batch.rowOf[k], c = batch.coordinateOf[k];
    if (i == c && !triangle.unit)
      diagonal[i] = wide(values[k]);
    if (i == c || triangle.upper != (c > i))
      continue;
    if (mode != Mode::N)
      std::swap(i, c);
    strict[i].push_back({c, wide(values[k])});
  }
  const bool descending = triangle.upper != (mode != Mode::N);
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = descending ? n - 1 - step : step;
    for (int64_t j = 0; j < count; ++j) {
      Wide sum;
      if constexpr (runtime::isComplex<T>)
        sum = Wide(b[i * count + j].real(), b[i * count + j].imag());
      else
        sum = b[i * count + j];
      for (const auto &[c, v] : strict[i])
        sum -= v * x[c * count + j];
      x[i * count + j] = sum / diagonal[i];
    }
  }
  std::vector<T> result(n * count);
  for (size_t k = 0; k < x.size(); ++k)
    if constexpr (runtime::isComplex<T>)
      result[k] = T(static_cast<Real<T>>(x[k].real()),
                    static_cast<Real<T>>(x[k].imag()));
    else
      result[k] = static_cast<T>(x[k]);
  return result;
}

/// The patterns of the tests, all of one size for batches of unlike items.
inline std::map<std::string, Rows> patternsOf(std::mt19937 &engine,
                                              int64_t side) {
  const int64_t n = side * side;
  return {{"grid", grid(side)},
          {"chain", chain(n)},
          {"arrow", arrow(n)},
          {"diagonal", diagonalRows(n)},
          {"ragged", ragged(engine, n)},
          {"dense", n > 150 ? ragged(engine, n) : dense(n)}};
}

} // namespace tsgu::test

#endif // TSGU_TEST_TRIANGULARMATRICES_H
