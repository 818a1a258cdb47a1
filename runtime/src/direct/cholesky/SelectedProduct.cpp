//===- SelectedProduct.cpp - The derivative of the selected inverse -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// -Z K Z on a pattern is the tangent of the selected inverse Z of A + e K. K is
// the sum of a Hermitian and of a skew part, K^H = s K, for each of which
// A + e K = L(e) J L(s e)^H, so that one half of each front is enough. With X'
// for tangents, a front, turned by its Q, has
//   L11' = L11 F(L11^-1 F11' L11^-H) J,  F: the lower triangle, half the
//   diagonal, L21' = (F21' - s L21 J L11'^H) L11^-H J, F22' - L21' J L21^H
//   - s L21 J L21'^H for its parent,
// and then, with V = L11^-1 and Y = L21 V, from the root down
//   Y' = (L21' - Y L11') V,  V' = -V L11' V,
//   Z21' = -Z22' Y - Z22 Y',
//   Z11' = s V'^H J V + V^H J V' - s Z21'^H Y - Z21^H Y'.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "direct/cholesky/Numeric.h"

#include <Eigen/Core>

#include <algorithm>
#include <atomic>

namespace tsgu::runtime::cholesky {
namespace {

template <typename T>
using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;

/// The inverse of a front and its tangent, whole.
template <typename T> struct Pieces {
  Dense<T> Z, tangent;
};

template <typename T> class Product {
public:
  Product(const Factor<T> &factor, const std::vector<Real<T>> &scale,
          const T *direction, T *values)
      : factor(factor), symbolic(*factor.symbolic), scale(scale),
        direction(direction), values(values), rests(symbolic.supernodes()),
        panels(symbolic.supernodes()), pieces(symbolic.supernodes()),
        waiting(symbolic.supernodes()) {}

  void run(const tsgu_executor &executor) {
    for (const Pair &pair : symbolic.entries)
      for (const int64_t e : {pair.entry, pair.mirror})
        if (e >= 0)
          values[e] = T(0);
    for (const Real<T> sign : {Real<T>(1), Real<T>(-1)}) {
      this->sign = sign;
      if (!isNeeded())
        continue;
      const Index top = symbolic.taskStarts.back();
      forTasks(executor, [&](Index begin, Index end) {
        for (Index s = begin; s < end; ++s)
          eliminate(s);
      });
      for (Index s = top; s < symbolic.supernodes(); ++s)
        eliminate(s);
      for (Index s = symbolic.supernodes(); s-- > top;)
        invert(s);
      forTasks(executor, [&](Index begin, Index end) {
        for (Index s = end; s-- > begin;)
          invert(s);
      });
    }
  }

private:
  template <typename F>
  void forTasks(const tsgu_executor &executor, F &&function) {
    parallelFor(executor, symbolic.tasks(), [&](int64_t task, int64_t end) {
      for (; task < end; ++task)
        function(symbolic.taskStarts[task], symbolic.taskStarts[task + 1]);
    });
  }

  /// K below the diagonal, at an entry of L's column.
  T entryOf(const Pair &pair) const {
    const T lower = pair.entry < 0 ? T(0) : conjugate(direction[pair.entry]);
    const T upper = pair.mirror < 0 ? T(0) : direction[pair.mirror];
    return (lower + sign * upper) / Real<T>(2);
  }
  bool isNeeded() const {
    return std::any_of(symbolic.entries.begin(), symbolic.entries.end(),
                       [&](const Pair &pair) { return entryOf(pair) != T(0); });
  }

  /// function(row, column, scale, pair) of a front.
  template <typename F> void forEntries(Index s, F &&function) const {
    const Index first = symbolic.first[s], width = symbolic.width(s);
    const Index *const rows = symbolic.rowsOf(s).data() - width;
    for (Index k = 0; k < width; ++k)
      for (int64_t e = symbolic.entryStarts[first + k];
           e < symbolic.entryStarts[first + k + 1]; ++e) {
        const Index row = symbolic.entryRows[e];
        function(
            row, k,
            scale[symbolic.order[first + k]] *
                scale[symbolic.order[row < width ? first + row : rows[row]]],
            symbolic.entries[e]);
      }
  }

  Dense<T> panelOf(Index s) const {
    const Front<T> front = factor.front(s);
    Dense<T> L = Dense<T>::Zero(front.height, front.width);
    for (int64_t j = 0; j < front.width; ++j)
      for (int64_t i = j; i < front.height; ++i)
        if constexpr (isComplex<T>)
          L(i, j) = T(front.column(j)[i], front.column(j)[front.rows() + i]);
        else
          L(i, j) = front.column(j)[i];
    return L;
  }

  bool isTurned(Index s) const {
    return factor.isIndefinite() && factor.isTurned[s];
  }
  /// Q.
  Dense<T> basisOf(Index s) const {
    const Index first = symbolic.first[s], w = symbolic.width(s);
    Dense<T> Q = Dense<T>::Zero(w, w);
    for (Index k = 0; k < w; ++k)
      Q(factor.source[first + k], k) = T(1);
    for (Index k = 0; k < w; ++k) {
      const T sine = factor.sine[first + k];
      if (sine == T(0))
        continue;
      const Real<T> cosine = factor.cosine[first + k];
      const Dense<T> a = Q.col(k), b = Q.col(k + 1);
      Q.col(k) = a * T(cosine) + b * sine;
      Q.col(k + 1) = b * T(cosine) - a * conjugate(sine);
    }
    return Q;
  }
  /// J.
  Eigen::Matrix<T, Eigen::Dynamic, 1> signsOf(Index s) const {
    Eigen::Matrix<T, Eigen::Dynamic, 1> J(symbolic.width(s));
    for (Index k = 0; k < symbolic.width(s); ++k)
      J(k) = factor.isNegative(symbolic.first[s] + k) ? T(-1) : T(1);
    return J;
  }

  /// What is below the diagonal, on the other side too.
  void mirror(Eigen::Ref<Dense<T>> square) const {
    for (Eigen::Index j = 0; j < square.cols(); ++j)
      for (Eigen::Index i = j + 1; i < square.rows(); ++i)
        square(j, i) = sign * conjugate(square(i, j));
  }

  void eliminate(Index s) {
    checkInterrupt();
    const Index w = symbolic.width(s), m = symbolic.below(s);
    Dense<T> front = Dense<T>::Zero(w + m, w + m);
    forEntries(s, [&](Index row, Index k, Real<T> by, const Pair &pair) {
      front(row, k) = entryOf(pair) * by;
    });
    for (const Index c : symbolic.childrenOf(s)) {
      const auto places = symbolic.relativeOf(c);
      for (size_t j = 0; j < places.size(); ++j)
        for (size_t i = j; i < places.size(); ++i)
          front(places[i], places[j]) += rests[c](i, j);
      rests[c].resize(0, 0);
    }
    const Dense<T> L = panelOf(s);
    const auto L11 = L.topRows(w).template triangularView<Eigen::Lower>();
    const auto L21 = L.bottomRows(m);

    Dense<T> square = front.topLeftCorner(w, w);
    mirror(square);
    if (isTurned(s)) {
      const Dense<T> Q = basisOf(s);
      square = (Q.adjoint() * square * Q).eval();
      front.bottomLeftCorner(m, w) = (front.bottomLeftCorner(m, w) * Q).eval();
    }
    const auto signs = signsOf(s);
    const auto J = signs.asDiagonal();
    L11.solveInPlace(square);
    L11.adjoint().template solveInPlace<Eigen::OnTheRight>(square);
    square.diagonal() /= T(2);
    square.template triangularView<Eigen::StrictlyUpper>().setZero();
    Dense<T> &tangent = panels[s];
    tangent.resize(w + m, w);
    tangent.topRows(w) = L11 * (square * J).eval();
    auto below = tangent.bottomRows(m);
    below = front.bottomLeftCorner(m, w);
    const Dense<T> L21J = L21 * J;
    below.noalias() -= sign * (L21J * tangent.topRows(w).adjoint());
    L11.adjoint().template solveInPlace<Eigen::OnTheRight>(below);
    below = (below * J).eval();

    if (m == 0)
      return;
    Dense<T> &rest = rests[s];
    rest = front.bottomRightCorner(m, m);
    auto lower = rest.template triangularView<Eigen::Lower>();
    lower -= below * L21J.adjoint();
    lower -= sign * (L21J * below.adjoint());
  }

  void invert(Index s) {
    checkInterrupt();
    const Index w = symbolic.width(s), m = symbolic.below(s);
    Pieces<T> &here = pieces[s];
    here.Z.resize(w + m, w + m), here.tangent.resize(w + m, w + m);
    if (const Index p = symbolic.parent[s]; p >= 0) {
      const auto places = symbolic.relativeOf(s);
      for (Index j = 0; j < m; ++j)
        for (Index i = 0; i < m; ++i) {
          here.Z(w + i, w + j) = pieces[p].Z(places[i], places[j]);
          here.tangent(w + i, w + j) = pieces[p].tangent(places[i], places[j]);
        }
      if (waiting[p].fetch_sub(1, std::memory_order_acq_rel) == 1)
        pieces[p] = {};
    }
    const Dense<T> L = panelOf(s), tangent = std::move(panels[s]);
    panels[s].resize(0, 0);
    const auto L11 = L.topRows(w).template triangularView<Eigen::Lower>();
    Dense<T> V = Dense<T>::Identity(w, w);
    L11.solveInPlace(V);
    const Dense<T> Vt = -V * (tangent.topRows(w) * V);
    const Dense<T> Y = L.bottomRows(m) * V;
    const Dense<T> Yt =
        (tangent.bottomRows(m) - Y * tangent.topRows(w)).eval() * V;

    const auto Z22 = here.Z.bottomRightCorner(m, m);
    const auto Z22t = here.tangent.bottomRightCorner(m, m);
    const Dense<T> Z21 = -Z22 * Y;
    Dense<T> Z21t = -Z22t * Y;
    Z21t.noalias() -= Z22 * Yt;
    here.Z.bottomLeftCorner(m, w) = Z21;
    here.Z.topRightCorner(w, m) = Z21.adjoint();
    here.tangent.bottomLeftCorner(m, w) = Z21t;
    here.tangent.topRightCorner(w, m) = sign * Z21t.adjoint();
    const Dense<T> JV = signsOf(s).asDiagonal() * V;
    here.Z.topLeftCorner(w, w) = V.adjoint() * JV - Z21.adjoint() * Y;
    here.tangent.topLeftCorner(w, w) =
        sign * (Vt.adjoint() * JV - Z21t.adjoint() * Y) + JV.adjoint() * Vt -
        Z21.adjoint() * Yt;
    if (isTurned(s))
      for (Dense<T> *of : {&here.Z, &here.tangent}) {
        const Dense<T> Q = basisOf(s);
        of->leftCols(w) = (of->leftCols(w) * Q.adjoint()).eval();
        of->topRows(w) = (Q * of->topRows(w)).eval();
      }
    write(s);
    waiting[s] = static_cast<Index>(symbolic.childrenOf(s).size());
    if (waiting[s] == 0)
      here = {};
  }

  /// What A's pattern has of the front's columns.
  void write(Index s) const {
    const Dense<T> &tangent = pieces[s].tangent;
    forEntries(s, [&](Index row, Index k, Real<T> by, const Pair &pair) {
      const T value = -by * tangent(row, k);
      if (pair.mirror >= 0)
        values[pair.mirror] += value;
      if (pair.entry >= 0 && pair.entry != pair.mirror)
        values[pair.entry] += sign * conjugate(value);
    });
  }

  const Factor<T> &factor;
  const Symbolic &symbolic;
  const std::vector<Real<T>> &scale; ///< By rows of A.
  const T *const direction;
  T *const values;
  Real<T> sign = 1;
  std::vector<Dense<T>> rests, panels; ///< Tangents.
  std::vector<Pieces<T>> pieces;
  std::vector<std::atomic<Index>> waiting; ///< Children that need the pieces.
};

} // namespace

template <typename T>
void multiplySelected(const Factor<T> &factor,
                      const std::vector<Real<T>> &scale, const T *direction,
                      T *values, const tsgu_executor &executor) {
  Product<T>(factor, scale, direction, values).run(executor);
}

#define INSTANTIATE(T)                                                         \
  template void multiplySelected(const Factor<T> &,                            \
                                 const std::vector<Real<T>> &, const T *, T *, \
                                 const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::cholesky
