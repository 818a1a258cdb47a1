//===- Pivots.cpp - L and U of a batch by the pivots of one item ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/lanes/Pivots.h"
#include "base/Callbacks.h"
#include "direct/Factorization.h"
#include "pattern/Rows.h"

#include <algorithm>
#include <cmath>

namespace tsgu::runtime::lanewise {
namespace {

using Index = Pivots::Index;

/// Eigen's LU of one matrix takes about as long as more of them.
constexpr int64_t mostProducts = 1 << 18;

/// What is left of a small matrix: dense numbers, and the lists of the entries
/// that a row has.
class Active {
public:
  template <typename T>
  Active(const Matrix<T> &A, Pivots &to)
      : n(static_cast<Index>(A.rows())), values(multiply(n, n)),
        places(values.size(), -1), rows(n), inColumn(n), live(n) {
    withRows(A, [&](auto *positions, auto *coordinates) {
      for (Index i = 0; i < n; ++i) {
        for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
          const auto j = static_cast<Index>(coordinates[e]);
          values[at(i, j)] = A.values[e];
          places[at(i, j)] = static_cast<Index>(e);
          rows[i].push_back(j), ++inColumn[j];
          to.columnOf.push_back(j);
        }
        to.rowStarts.push_back(static_cast<Index>(positions[i + 1]));
      }
    });
    for (Index i = 0; i < n; ++i)
      live[i] = i;
    scale();
  }

  /// Moves the best pivot's row and column to the lists. False: there is none,
  /// or too much to do.
  bool eliminate(Recipe &to) {
    const auto [p, q] = best();
    if (p < 0 || products > mostProducts)
      return false;
    to.rows.push_back(p), to.columns.push_back(q);
    std::erase(live, p), std::erase(rows[p], q);
    products += static_cast<int64_t>(rows[p].size()) * (inColumn[q] - 1);
    for (const Index j : rows[p])
      --inColumn[j];
    for (const Index i : live) {
      if (places[at(i, q)] == absent)
        continue;
      std::erase(rows[i], q);
      const double by = values[at(i, q)] / values[at(p, q)];
      for (const Index j : rows[p]) {
        values[at(i, j)] -= by * values[at(p, j)];
        if (Index &place = places[at(i, j)]; place == absent)
          place = filled, rows[i].push_back(j), ++inColumn[j];
      }
    }
    return true;
  }

  /// The entry of A at a row and a column, filled for one of L and U alone.
  Index placeOf(Index i, Index j) const { return places[at(i, j)]; }

  static constexpr Index absent = -1, filled = -2;

private:
  size_t at(Index i, Index j) const { return size_t(i) * n + j; }

  void scale() {
    std::vector<double> most(n);
    for (Index i = 0; i < n; ++i) {
      double size = 0;
      for (const Index j : rows[i])
        size = std::max(size, std::abs(values[at(i, j)]));
      for (const Index j : rows[i]) {
        values[at(i, j)] *= scaleOf(size);
        most[j] = std::max(most[j], std::abs(values[at(i, j)]));
      }
    }
    for (Index i = 0; i < n; ++i)
      for (const Index j : rows[i])
        values[at(i, j)] *= scaleOf(most[j]);
  }

  std::pair<Index, Index> best() const {
    std::vector<double> most(n);
    for (const Index i : live)
      for (const Index j : rows[i])
        most[j] = std::max(most[j], std::abs(values[at(i, j)]));
    std::pair<Index, Index> found{-1, -1};
    int64_t least = 0;
    double largest = 0;
    for (const Index i : live)
      for (const Index j : rows[i]) {
        const double size = std::abs(values[at(i, j)]);
        if (!(size > 0 && size >= most[j] / 10))
          continue;
        const int64_t fill = (static_cast<int64_t>(rows[i].size()) - 1) *
                             (int64_t{inColumn[j]} - 1);
        if (found.first >= 0 &&
            (fill > least || (fill == least && size <= largest)))
          continue;
        found = {i, j}, least = fill, largest = size;
      }
    return found;
  }

  Index n;
  int64_t products = 0;
  std::vector<double> values;
  std::vector<Index> places;
  std::vector<std::vector<Index>> rows; ///< Columns of what is left.
  std::vector<Index> inColumn, live;
};

} // namespace

int64_t Pivots::bytes() const {
  return recipe.bytes() +
         static_cast<int64_t>((rowStarts.capacity() + columnOf.capacity()) *
                              sizeof(Index));
}

template <typename T> Pivots choosePivots(const Matrix<T> &A) {
  Pivots made;
  Recipe &to = made.recipe;
  Active active(A, made);
  const auto n = static_cast<Index>(A.rows());
  for (Index k = 0; k < n; ++k) {
    checkInterrupt();
    if (!active.eliminate(to))
      return made;
  }
  for (Index k = 0; k < n; ++k) {
    for (Index i = 0; i < n; ++i) {
      const Index place = active.placeOf(to.rows[i], to.columns[k]);
      if (i == k)
        to.middles.push_back(static_cast<Index>(to.entries()));
      else if (place != Active::absent)
        to.rowOf.push_back(i);
      if (i == k || place != Active::absent)
        to.from.push_back(std::max(place, Index{-1}));
    }
    to.starts.push_back(static_cast<Index>(to.entries()));
  }
  made.exist = to.list(false, mostProducts);
  return made;
}

template Pivots choosePivots(const Matrix<float> &);
template Pivots choosePivots(const Matrix<double> &);

} // namespace tsgu::runtime::lanewise
