//===- Pivots.cpp - Pivots of an indefinite front -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pivots are entries of the diagonal and squares of two, tested against all
// rows of the front (Duff, Reid 1983). A square is turned to a diagonal one
// (Jacobi), so that all that follows knows columns alone. A window of columns
// is up to date, the others are updated when it is done; what found no pivot
// waits for all others, and is tried once more.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "direct/cholesky/Front.h"

#include <cmath>

namespace tsgu::runtime::cholesky {
namespace {

constexpr int64_t windowColumns = 32;
/// An entry of L D, as a part of the pivot: what is stable whatever its size.
constexpr double threshold = 0.1;

template <typename R> struct Sources {
  static constexpr int most = 4;
  const R *from[most];
  R re[most], im[most];
  int count = 0;
};

/// to -= the sum of columns of L times numbers, in rows [begin, end).
template <typename T>
void subtractColumns(Real<T> *to, Sources<Real<T>> of, int64_t imaginary,
                     int64_t begin, int64_t end) {
  using R = Real<T>;
  for (int k = of.count; k < of.most; ++k)
    of.from[k] = of.from[0], of.re[k] = of.im[k] = 0;
  withVectors([&]() TSGU_INLINE {
    const R *const a = of.from[0], *const b = of.from[1], *const c = of.from[2],
                   *const d = of.from[3];
    const R are = of.re[0], bre = of.re[1], cre = of.re[2], dre = of.re[3];
    if constexpr (!isComplex<T>) {
      for (int64_t i = begin; i < end; ++i)
        to[i] -= a[i] * are + b[i] * bre + (c[i] * cre + d[i] * dre);
    } else {
      const R aim = of.im[0], bim = of.im[1], cim = of.im[2], dim = of.im[3];
      R *const toIm = to + imaginary;
      const R *const ai = a + imaginary, *const bi = b + imaginary,
                     *const ci = c + imaginary, *const di = d + imaginary;
      for (int64_t i = begin; i < end; ++i) {
        to[i] -= a[i] * are - ai[i] * aim + (b[i] * bre - bi[i] * bim) +
                 (c[i] * cre - ci[i] * cim) + (d[i] * dre - di[i] * dim);
        toIm[i] -= a[i] * aim + ai[i] * are + (b[i] * bim + bi[i] * bre) +
                   (c[i] * cim + ci[i] * cre) + (d[i] * dim + di[i] * dre);
      }
    }
  });
}

template <typename T> class Pivoting {
public:
  using R = Real<T>;
  Pivoting(const Front<T> &front, Basis<T> basis)
      : front(front), basis(basis), imaginary(front.rows()) {}

  /// Columns [0, begin) are done; the number of those that had to be left.
  int64_t run(int64_t begin) {
    int64_t done = begin, limit = front.width; // What waits is behind.
    InterruptCheck check;
    while (done < front.width) {
      const bool isLast = done == limit;
      const int64_t end =
          isLast ? front.width : std::min(done + windowColumns, limit);
      const int64_t made = eliminateWindow(done, end);
      updateAfter(done, made, end);
      done += made;
      if (isLast)
        break;
      const int64_t left = end - done, others = limit - end;
      for (int64_t i = 0; i < std::min(left, others); ++i)
        swap(done + i, limit - 1 - i);
      limit -= left;
      check.after((end - done + made) * front.height * made);
    }
    return front.width - done;
  }

private:
  /// Below the diagonal, or on it.
  T at(int64_t i, int64_t j) const {
    const R *const column = front.column(j) + i;
    if constexpr (isComplex<T>)
      return {column[0], column[imaginary]};
    else
      return *column;
  }
  void set(int64_t i, int64_t j, T value) const {
    R *const column = front.column(j) + i;
    *column = std::real(value);
    if constexpr (isComplex<T>)
      column[imaginary] = std::imag(value);
  }

  void swap(int64_t p, int64_t q) const {
    if (p == q)
      return;
    const auto exchange = [](R *column, int64_t i, R *other, int64_t k) {
      std::swap(column[i], other[k]);
    };
    for (int64_t j = 0; j < p; ++j) {
      R *const column = front.column(j);
      exchange(column, p, column, q);
      if constexpr (isComplex<T>)
        exchange(column, imaginary + p, column, imaginary + q);
    }
    const T diagonal = at(p, p);
    set(p, p, at(q, q)), set(q, q, diagonal);
    for (int64_t i = p + 1; i < q; ++i) {
      const T below = at(i, p);
      set(i, p, conjugate(at(q, i))), set(q, i, conjugate(below));
    }
    set(q, p, conjugate(at(q, p)));
    for (int64_t part = 0; part < partsOf<T>; ++part)
      std::swap_ranges(front.column(p) + part * imaginary + q + 1,
                       front.column(p) + part * imaginary + front.height,
                       front.column(q) + part * imaginary + q + 1);
    std::swap(basis.source[p], basis.source[q]);
  }

  /// Sizes of entries beside the diagonal's, of what is not eliminated.
  struct Column {
    R most = 0, partnerSize = 0;
    int64_t partner = -1; ///< The row of the largest in the window.
  };
  Column look(int64_t t, int64_t k, int64_t end, int64_t except) const {
    Column found;
    const auto meet = [&](R size, int64_t i) {
      found.most = std::max(found.most, size);
      if (i < end && size > found.partnerSize)
        found.partnerSize = size, found.partner = i;
    };
    for (int64_t i = k; i < t; ++i)
      if (i != except)
        meet(std::abs(at(t, i)), i);
    for (int64_t i = t + 1; i < front.height; ++i)
      if (i != except)
        meet(std::abs(at(i, t)), i);
    return found;
  }

  static bool isPivot(R diagonal, R most) {
    const R size = std::abs(diagonal);
    return size > 0 && (size >= R(threshold) * most ||
                        most * most <= R(mostOfL * mostOfL) * size);
  }
  bool isPair(int64_t t, int64_t r, int64_t k, int64_t end) const {
    const double a = std::abs(double(std::real(at(t, t)))),
                 c = std::abs(double(std::real(at(r, r))));
    const double b = std::abs(at(std::max(t, r), std::min(t, r)));
    const double size = std::abs(
        double(std::real(at(t, t))) * double(std::real(at(r, r))) - b * b);
    const double mt = look(t, k, end, r).most, mr = look(r, k, end, t).most;
    if (!(size > std::numeric_limits<R>::epsilon() * (a + b) * (c + b)))
      return false;
    return std::max(c * mt + b * mr, b * mt + a * mr) * threshold <= size ||
           (mt + mr) * (mt + mr) * (a + 2 * b + c) <=
               double(mostOfL * mostOfL) * size;
  }

  /// Pivots for columns from k on, each among those up to `end`.
  int64_t eliminateWindow(int64_t k, int64_t end) const {
    const int64_t begin = k;
    while (k < end) {
      const int64_t made = eliminateOne(k, end);
      if (made == 0)
        break;
      k += made;
    }
    return k - begin;
  }

  /// The columns that were eliminated: one, two, or none.
  int64_t eliminateOne(int64_t k, int64_t end) const {
    for (int64_t t = k; t < end; ++t) {
      const Column column = look(t, k, end, -1);
      if (isPivot(std::real(at(t, t)), column.most)) {
        swap(k, t);
        eliminate(k, end);
        return 1;
      }
      const int64_t r = column.partner;
      if (r < 0 || !isPair(t, r, k, end))
        continue;
      swap(k, std::min(t, r));
      swap(k + 1, std::max(t, r));
      turn(k);
      eliminate(k, end), eliminate(k + 1, end);
      return 2;
    }
    return 0;
  }

  /// Columns k and k + 1, so that their square is diagonal.
  void turn(int64_t k) const {
    const T lower = at(k + 1, k);
    const R b = std::abs(lower), a = std::real(at(k, k)),
            c = std::real(at(k + 1, k + 1));
    const R ratio = (c - a) / (2 * b);
    const R t = (ratio > 0 ? R(-1) : R(1)) /
                (std::abs(ratio) + std::sqrt(1 + ratio * ratio));
    const R cosine = 1 / std::sqrt(1 + t * t);
    const T sine = t * cosine * (lower / b);
    set(k, k, a + t * b), set(k + 1, k + 1, c - t * b), set(k + 1, k, T(0));
    for (int64_t i = k + 2; i < front.height; ++i) {
      const T first = at(i, k), second = at(i, k + 1);
      set(i, k, first * cosine + times(second, sine));
      set(i, k + 1, second * cosine - times(first, conjugate(sine)));
    }
    for (int64_t j = 0; j < k; ++j) {
      const T first = at(k, j), second = at(k + 1, j);
      set(k, j, first * cosine + times(conjugate(sine), second));
      set(k + 1, j, second * cosine - times(sine, first));
    }
    basis.cosine[k] = cosine, basis.sine[k] = sine;
  }

  void eliminate(int64_t k, int64_t end) const {
    const R pivot = std::real(at(k, k));
    const R sign = pivot < 0 ? R(-1) : R(1);
    front.sign[k] = sign;
    const R by = front.inverse[k] = 1 / std::sqrt(sign * pivot);
    R *const column = front.column(k);
    for (int64_t part = 0; part < partsOf<T>; ++part)
      for (int64_t i = k; i < front.height; ++i)
        column[part * imaginary + i] *= by * sign;
    for (int64_t j = k + 1; j < end; ++j)
      subtract(j, k, k + 1);
  }

  /// Columns [first, last) of L from column j.
  void subtract(int64_t j, int64_t first, int64_t last) const {
    Sources<R> of;
    for (int64_t k = first; k < last; ++k) {
      const T by = conjugate(at(j, k)) * front.sign[k];
      of.from[of.count] = front.column(k);
      of.re[of.count] = std::real(by), of.im[of.count] = std::imag(by);
      ++of.count;
    }
    subtractColumns<T>(front.column(j), of, imaginary, j, front.height);
  }

  void updateAfter(int64_t first, int64_t count, int64_t next) const {
    for (int64_t j = next; j < front.width; ++j)
      for (int64_t k = 0; k < count; k += Sources<R>::most)
        subtract(j, first + k,
                 first + std::min<int64_t>(k + Sources<R>::most, count));
  }

  const Front<T> &front;
  Basis<T> basis;
  int64_t imaginary;
};

} // namespace

template <typename T>
int64_t eliminateByPivots(const Front<T> &front, int64_t begin,
                          Basis<T> basis) {
  return Pivoting<T>(front, basis).run(begin);
}

#define INSTANTIATE(T)                                                         \
  template int64_t eliminateByPivots(const Front<T> &, int64_t, Basis<T>);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
