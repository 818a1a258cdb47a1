//===- Orthogonal.h - Q and R by Householder's reflections ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Columns are worked out one after the other from those before them (Davis,
// Direct methods for sparse linear systems, chapter 5). Which columns those are
// is found as they are made, not from a tree before, so that a column that
// depends on others can be left out (Heath 1982): then R is a trapezoid
// [R1 R2], whose adjoint has a QR of its own.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_QR_ORTHOGONAL_H
#define TSGU_SRC_DIRECT_QR_ORTHOGONAL_H

#include "base/Callbacks.h"
#include "base/Numbers.h"
#include "direct/Factorization.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace tsgu::runtime::qr {

using Index = int64_t;
using Indices = std::vector<Index>;

/// Columns of a matrix in the order in which they are taken.
template <typename T> struct Columns {
  Index rows = 0;
  Indices positions{0}, coordinates;
  std::vector<T> values;

  Index count() const { return static_cast<Index>(positions.size()) - 1; }
  void add(Index row, T value) {
    coordinates.push_back(row), values.push_back(value);
  }
  void end() { positions.push_back(static_cast<Index>(values.size())); }
  int64_t bytes() const {
    return static_cast<int64_t>((positions.size() + coordinates.size()) *
                                    sizeof(Index) +
                                values.size() * sizeof(T));
  }
};

template <typename T> double sizeOf(T value) { return std::abs(value); }

/// What is nothing beside 1, of a matrix of this shape.
template <typename T> double roundings(Index rows, Index columns) {
  return static_cast<double>(std::max({rows, columns, Index{16}})) *
         std::numeric_limits<Real<T>>::epsilon();
}

/// Of the columns of M in their order. The k-th reflection I - c v v^H, with v
/// a column of V that is 1 in row pivot[k], takes a column to its norm in that
/// row. Columns of R are those of M; an entry's row is the number of a
/// reflection.
template <typename T> class Orthogonal {
public:
  explicit Orthogonal(const Columns<T> &M) : height(M.rows) {
    const double least = smallestPivot(M);
    std::vector<T> column(static_cast<size_t>(M.rows));
    Indices first(column.size(), -1); // Of each row, the first reflection.
    Indices parent;                   // Of each reflection, the next one.
    Indices passed, open;             // Reflections; rows that are in none yet.
    Indices seen;                     // Of each reflection, the last column.
    InterruptCheck check;
    for (Index place = 0; place < M.count(); ++place) {
      passed.clear(), open.clear(), seen.resize(parent.size(), -1);
      gather(M, place, first, parent, column, seen, passed, open);
      for (const Index k : passed) {
        reflect(k, coefficient[k], column.data(), 1);
        R.add(k, column[pivot[k]]);
        check.after(V.positions[k + 1] - V.positions[k]);
        if (parent[k] < 0)
          eachRow(k, [&](Index row) { open.push_back(row); });
      }
      R.end();
      if (addReflection(column, open, least)) {
        const Index made = rank() - 1;
        live.push_back(place), parent.push_back(-1);
        for (const Index row : open)
          first[row] = first[row] < 0 ? made : first[row];
        for (const Index k : passed)
          parent[k] = parent[k] < 0 ? made : parent[k];
      } else {
        dead.push_back(place);
      }
      for (const Index k : passed)
        eachEntry(k, [&](Index row) { column[row] = T(0); });
      for (const Index row : open)
        column[row] = T(0);
    }
  }

  Index rank() const { return static_cast<Index>(pivot.size()); }
  Index columns() const { return R.count(); }

  /// y = Q^H y, of `height` rows, or y = Q y.
  void applyAdjoint(T *y, Index count) const {
    for (Index k = 0; k < rank(); ++k)
      reflect(k, coefficient[k], y, count);
  }
  void apply(T *y, Index count) const {
    for (Index k = rank(); k-- > 0;)
      reflect(k, conjugate(coefficient[k]), y, count);
  }

  /// z = R1^-1 z, of `rank` rows, or z = R1^-H z.
  void solve(T *z, Index count) const {
    for (Index k = rank(); k-- > 0;) {
      T *const own = z + k * count;
      for (Index j = 0; j < count; ++j)
        own[j] /= diagonal[k];
      eachAbove(k, [&](Index i, T value) {
        for (Index j = 0; j < count; ++j)
          z[i * count + j] -= times(value, own[j]);
      });
    }
  }
  void solveAdjoint(T *z, Index count) const {
    for (Index k = 0; k < rank(); ++k) {
      T *const own = z + k * count;
      eachAbove(k, [&](Index i, T value) {
        for (Index j = 0; j < count; ++j)
          own[j] -= times(conjugate(value), z[i * count + j]);
      });
      for (Index j = 0; j < count; ++j)
        own[j] /= diagonal[k];
    }
  }

  /// Of R1, in 1-norms.
  double reciprocalCondition() const {
    double norm = 0;
    for (Index k = 0; k < rank(); ++k) {
      double sum = std::abs(double(diagonal[k]));
      eachAbove(k, [&](Index, T value) { sum += sizeOf(value); });
      norm = std::max(norm, sum);
    }
    const double inverse = normOfInverse<T>(
        [&](std::vector<T> &v, bool adjoint) {
          adjoint ? solveAdjoint(v.data(), 1) : solve(v.data(), 1);
        },
        static_cast<size_t>(rank()));
    return std::isfinite(inverse) ? 1 / (norm * inverse) : 0;
  }

  /// The column of M with the largest part in what R1 makes the least of.
  Index weakest() const {
    std::vector<T> v(pivot.size(), T(1));
    for (int step = 0; step < 4; ++step) {
      solveAdjoint(v.data(), 1), solve(v.data(), 1);
      double most = 0;
      for (const T &value : v)
        most = std::max(most, double(std::abs(value)));
      for (T &value : v)
        value /= static_cast<Real<T>>(most);
    }
    const auto smaller = [](T a, T b) { return std::abs(a) < std::abs(b); };
    return live[std::max_element(v.begin(), v.end(), smaller) - v.begin()];
  }

  /// [R1 R2]^H, last columns first: R1's keep their zeros then.
  Columns<T> trapezoid() const {
    std::vector<std::vector<std::pair<Index, T>>> rows(pivot.size());
    for (Index place = 0; place < R.count(); ++place)
      for (Index e = R.positions[place]; e < R.positions[place + 1]; ++e)
        rows[R.coordinates[e]].emplace_back(place, R.values[e]);
    Columns<T> N;
    N.rows = R.count();
    for (Index k = rank(); k-- > 0;) {
      N.add(live[k], T(diagonal[k]));
      for (const auto &[place, value] : rows[k])
        N.add(place, conjugate(value));
      N.end();
    }
    return N;
  }

  double entries() const {
    return static_cast<double>(V.values.size() + R.values.size() +
                               pivot.size());
  }
  int64_t bytes() const {
    return V.bytes() + R.bytes() +
           static_cast<int64_t>((live.size() + dead.size() + pivot.size()) *
                                    sizeof(Index) +
                                pivot.size() * (sizeof(T) + sizeof(Real<T>)));
  }

  Index height;
  Indices live, dead; ///< Columns of M by the number of their reflection.
  Indices pivot;      ///< Rows of M.

private:
  /// What is left of a column that depends on others is roundings of it.
  static double smallestPivot(const Columns<T> &M) {
    double most = 0;
    for (Index k = 0; k < M.count(); ++k) {
      double square = 0;
      for (Index e = M.positions[k]; e < M.positions[k + 1]; ++e)
        square += squaredNorm(Wide<T>(M.values[e]));
      most = std::max(most, square);
    }
    return std::sqrt(most) * roundings<T>(M.rows, M.count());
  }

  /// The column, the reflections that reach it, and its rows that none does.
  static void gather(const Columns<T> &M, Index place, const Indices &first,
                     const Indices &parent, std::vector<T> &column,
                     Indices &seen, Indices &passed, Indices &open) {
    for (Index e = M.positions[place]; e < M.positions[place + 1]; ++e) {
      const Index row = M.coordinates[e];
      column[row] = M.values[e];
      if (first[row] < 0)
        open.push_back(row);
      for (Index k = first[row]; k >= 0 && seen[k] != place; k = parent[k])
        seen[k] = place, passed.push_back(k);
    }
    std::sort(passed.begin(), passed.end());
  }

  /// The reflection of the column's open rows, if they are more than roundings.
  bool addReflection(const std::vector<T> &column, const Indices &open,
                     double least) {
    if (open.empty())
      return false;
    Wide<T> squares = 0;
    for (size_t i = 1; i < open.size(); ++i)
      squares += squaredNorm(Wide<T>(column[open[i]]));
    const Wide<T> top = column[open[0]];
    const double rest = std::real(squares);
    const double norm = std::sqrt(squaredNorm(top) + rest);
    if (!(norm > least))
      return false;
    const bool flat = rest == 0 && std::imag(top) == 0;
    const double beta = flat                 ? std::real(top)
                        : std::real(top) < 0 ? norm
                                             : -norm;
    const Wide<T> difference = top - beta;
    V.add(open[0], T(1));
    for (size_t i = 1; i < open.size(); ++i)
      V.add(open[i],
            flat ? T(0)
                 : static_cast<T>(Wide<T>(column[open[i]]) / difference));
    V.end();
    coefficient.push_back(
        flat ? T(0) : static_cast<T>(conjugate(Wide<T>(-difference / beta))));
    diagonal.push_back(static_cast<Real<T>>(beta));
    pivot.push_back(open[0]);
    return true;
  }

  /// y -= c v v^H y.
  void reflect(Index k, T c, T *y, Index count) const {
    if (c == T(0))
      return;
    const Index begin = V.positions[k], end = V.positions[k + 1];
    T sums[widest];
    for (Index at = 0; at < count; at += widest) {
      const Index width = std::min(widest, count - at);
      std::fill_n(sums, width, T(0));
      for (Index e = begin; e < end; ++e) {
        const T *const row = y + V.coordinates[e] * count + at;
        const T value = conjugate(V.values[e]);
        for (Index j = 0; j < width; ++j)
          sums[j] += times(value, row[j]);
      }
      for (Index j = 0; j < width; ++j)
        sums[j] = times(sums[j], c);
      for (Index e = begin; e < end; ++e) {
        T *const row = y + V.coordinates[e] * count + at;
        for (Index j = 0; j < width; ++j)
          row[j] -= times(V.values[e], sums[j]);
      }
    }
  }

  template <typename F> void eachEntry(Index k, F &&function) const {
    for (Index e = V.positions[k]; e < V.positions[k + 1]; ++e)
      function(V.coordinates[e]);
  }
  /// Rows of a reflection that are below R.
  template <typename F> void eachRow(Index k, F &&function) const {
    eachEntry(k, [&](Index row) {
      if (row != pivot[k])
        function(row);
    });
  }
  /// function(row of R, value) above the k-th entry of R1's diagonal.
  template <typename F> void eachAbove(Index k, F &&function) const {
    for (Index e = R.positions[live[k]]; e < R.positions[live[k] + 1]; ++e)
      function(R.coordinates[e], R.values[e]);
  }

  static constexpr Index widest = 16;
  Columns<T> V, R; // R without its diagonal.
  std::vector<T> coefficient;
  std::vector<Real<T>> diagonal;
};

} // namespace tsgu::runtime::qr

#endif // TSGU_SRC_DIRECT_QR_ORTHOGONAL_H
