//===- GMRES.cpp - Generalised minimal residuals --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Saad, Schultz, GMRES, 1986: one restart, preconditioned from the right; the
// driver begins the next from the true residual. Classical Gram-Schmidt, twice
// where the first left little (Daniel, Gragg, Kaufman, Stewart, 1976). Columns
// that are done wait for the others.
//
//===----------------------------------------------------------------------===//

#include "solvers/Iteration.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {
namespace {

/// h[i * k + j] = v_i^H w of column j, in one pass over w.
template <typename T>
void project(VectorOps<T> &ops, const std::vector<T *> &basis, const T *w,
             std::vector<Wide<T>> &h) {
  const int64_t k = ops.columns, rows = chunkRows(ops.length);
  const int64_t chunks = (ops.length + rows - 1) / rows;
  const auto width = static_cast<int64_t>(basis.size()) * k;
  T *partial = ops.partialSums(chunks, width);
  ops.forChunks(chunks, [&, partial](int64_t first, int64_t last) {
    withVectors([&]() TSGU_INLINE {
      for (int64_t chunk = first; chunk < last; ++chunk) {
        T *to = partial + chunk * width;
        for (const T *v : basis) {
          sweepRows<T>(k, chunk * rows,
                       std::min(ops.length, (chunk + 1) * rows), to,
                       std::make_index_sequence<1>{},
                       [=](auto e, auto, auto &sum)
                           TSGU_INLINE { sum += dotTerm(at(v, e), at(w, e)); });
          to += k;
        }
      }
    });
  });
  h.resize(static_cast<size_t>(width));
  ops.addChunks(partial, chunks, width, h.data());
}

/// w += sum of h_i v_i, times `sign`.
template <typename T>
void combine(VectorOps<T> &ops, const std::vector<T *> &basis,
             const std::vector<Wide<T>> &h, double sign, T *w) {
  const int64_t k = ops.columns, rows = chunkRows(ops.length);
  const int64_t tile = lanes * k;
  std::vector<T> factors(basis.size() * static_cast<size_t>(tile));
  for (size_t i = 0; i < basis.size(); ++i)
    for (int64_t c = 0; c < tile; ++c)
      factors[i * tile + c] = static_cast<T>(sign * h[i * k + c % k]);
  ops.forChunks(
      (ops.length + rows - 1) / rows, [&](int64_t first, int64_t last) {
        withVectors([&]() TSGU_INLINE {
          for (int64_t chunk = first; chunk < last; ++chunk)
            for (size_t i = 0; i < basis.size(); ++i) {
              const T *v = basis[i], *f = factors.data() + i * tile;
              sweepRows<T>(k, chunk * rows,
                           std::min(ops.length, (chunk + 1) * rows),
                           static_cast<T *>(nullptr), std::index_sequence<>{},
                           [=](auto e, auto c) TSGU_INLINE {
                             at(w, e) += times(at(f, c), at(v, e));
                           });
            }
        });
      });
}

/// The triangular factor of one column's Hessenberg matrix, by rotations.
template <typename T> struct Hessenberg {
  std::vector<std::vector<Wide<T>>> columns; ///< Of the triangular factor.
  std::vector<double> cosines;
  std::vector<Wide<T>> sines, rightSide;

  /// Adds column h (of length size + 1) and `next` below it. False: the matrix
  /// is singular, and the column is left out.
  bool add(std::vector<Wide<T>> h, double next) {
    double size = next;
    for (const Wide<T> &entry : h)
      size = std::hypot(size, std::abs(entry));
    for (size_t i = 0; i < cosines.size(); ++i) {
      const Wide<T> upper = h[i], lower = h[i + 1];
      h[i] = cosines[i] * upper + sines[i] * lower;
      h[i + 1] = -conjugate(sines[i]) * upper + cosines[i] * lower;
    }
    const Wide<T> last = h.back();
    const double radius = std::hypot(std::abs(last), next);
    if (!(radius > std::numeric_limits<Real<T>>::epsilon() * size))
      return false;
    // [c s; -conj(s) c] maps (last, next) to (radius phase, 0), c >= 0.
    const double cosine = std::abs(last) / radius;
    const Wide<T> phase =
        std::abs(last) > 0 ? last / std::abs(last) : Wide<T>(1);
    const Wide<T> sine = phase * (next / radius);
    cosines.push_back(cosine), sines.push_back(sine);
    h.back() = phase * radius;
    columns.push_back(std::move(h));
    const Wide<T> right = rightSide.back();
    rightSide.back() = cosine * right;
    rightSide.push_back(-conjugate(sine) * right);
    return true;
  }

  double residual() const { return std::abs(rightSide.back()); }

  /// The coefficients of the basis vectors.
  std::vector<Wide<T>> solve() const {
    std::vector<Wide<T>> y(columns.size());
    for (size_t i = columns.size(); i-- > 0;) {
      Wide<T> value = rightSide[i];
      for (size_t l = i + 1; l < columns.size(); ++l)
        value -= columns[l][i] * y[l];
      y[i] = value / columns[i][i];
    }
    return y;
  }
};

/// Makes w orthogonal to the basis; h: the coefficients, next: its norms then,
/// zero where nothing but rounding errors is left.
template <typename T>
void orthogonalize(VectorOps<T> &ops, const std::vector<T *> &basis, T *w,
                   std::vector<Wide<T>> &h, std::vector<double> &next) {
  const int64_t k = ops.columns;
  std::vector<double> before(k);
  ops.squares(w, before);
  project(ops, basis, w, h);
  combine(ops, basis, h, -1, w);
  ops.squares(w, next);
  bool again = false;
  std::vector<char> repeat(k);
  for (int64_t j = 0; j < k; ++j)
    again |= repeat[j] = next[j] < 0.5 * before[j];
  if (again) {
    std::vector<Wide<T>> rest;
    project(ops, basis, w, rest);
    for (size_t c = 0; c < rest.size(); ++c) {
      if (!repeat[c % k])
        rest[c] = 0;
      h[c] += rest[c];
    }
    combine(ops, basis, rest, -1, w);
    ops.squares(w, next);
  }
  const double eps = 4 * std::numeric_limits<Real<T>>::epsilon();
  for (int64_t j = 0; j < k; ++j)
    next[j] = next[j] <= eps * eps * before[j] ? 0 : std::sqrt(next[j]);
}

template <typename T>
void scale(VectorOps<T> &ops, std::vector<double> norms, T *v) {
  for (double &norm : norms)
    norm = norm > 0 ? 1 / norm : 0;
  const T *f = ops.spread(norms, 0);
  ops.each([=](auto e, auto c)
               TSGU_INLINE { at(v, e) = times(at(f, c), at(v, e)); });
}

} // namespace

template <typename T> Task gmres(Iteration<T> &it) {
  VectorOps<T> &ops = it.ops;
  const int64_t k = it.active();
  const int64_t wanted = it.solver.restart > 0 ? it.solver.restart : 30;
  const int64_t restart = std::min(wanted, ops.length);
  T *const hat = it.preconditioned ? it.block() : nullptr;
  std::vector<T *> basis{it.residual};
  std::vector<Hessenberg<T>> factors(static_cast<size_t>(k));
  std::vector<double> norms = it.start, next(static_cast<size_t>(k));
  std::vector<Wide<T>> h;

  for (int64_t j = 0; j < k; ++j)
    factors[j].rightSide.push_back(norms[j]);
  scale(ops, norms, basis[0]);
  for (int64_t step = 0; step < restart; ++step) {
    T *const w = it.block();
    const T *direction = basis.back();
    if (hat) {
      co_await it.precondition(direction, hat);
      direction = hat;
    }
    co_await it.product(direction, w);
    orthogonalize(ops, basis, w, h, next);
    scale(ops, next, w);
    basis.push_back(w);
    bool going = false;
    for (int64_t j = 0; j < k; ++j) {
      if (it.leaving(j))
        continue;
      std::vector<Wide<T>> column;
      for (int64_t i = 0; i <= step; ++i)
        column.push_back(h[i * k + j]);
      if (!std::isfinite(next[j]))
        it.leave(j, Exit::NotFinite);
      else if (!factors[j].add(std::move(column), next[j]))
        it.leave(j, Exit::Breakdown);
      norms[j] = factors[j].residual();
    }
    it.count(norms);
    for (int64_t j = 0; j < k; ++j)
      going |= !it.leaving(j);
    if (!going)
      break;
  }

  basis.pop_back();
  std::vector<Wide<T>> y(basis.size() * static_cast<size_t>(k));
  for (int64_t j = 0; j < k; ++j) {
    const std::vector<Wide<T>> column = factors[j].solve();
    for (size_t i = 0; i < column.size(); ++i)
      y[i * k + j] = column[i];
    it.leave(j, Exit::Restart);
  }
  combine(ops, basis, y, 1, it.correction);
  if (hat) {
    co_await it.precondition(it.correction, hat);
    T *d = it.correction;
    ops.each([=](auto e, auto) TSGU_INLINE { at(d, e) = at(hat, e); });
  }
  it.retire();
}

#define INSTANTIATE(T) template Task gmres(Iteration<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
