//===- Numeric.h - The factor of a matrix -----------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_NUMERIC_H
#define TSGU_SRC_DIRECT_CHOLESKY_NUMERIC_H

#include "base/Memory.h"
#include "direct/cholesky/Front.h"
#include "direct/cholesky/Symbolic.h"

namespace tsgu::runtime::cholesky {

/// L of S A S = L L^H, A in the order of elimination, by panels as Tiles.h
/// says. Of an indefinite one Q^H S A S Q = L J L^H, J of ones and minus ones,
/// Q of a unitary matrix for each supernode's columns.
template <typename T> struct Factor {
  std::shared_ptr<const Symbolic> symbolic;
  std::vector<int64_t> starts; ///< Of panels, in `values`.
  Block values;
  std::vector<Real<T>> inverse; ///< Of the diagonal.

  // Of an indefinite matrix alone:
  std::vector<Real<T>> sign;   ///< J.
  std::vector<Index> source;   ///< Q, see Basis: columns, from the front's
  std::vector<Real<T>> cosine; ///< first on.
  std::vector<T> sine;
  std::vector<char> isTurned; ///< Whether a supernode's Q is not 1.
  std::vector<Index> left;    ///< Columns of each that found no pivot.

  Factor(std::shared_ptr<const Symbolic> symbolic, bool isIndefinite);
  bool isIndefinite() const { return !sign.empty(); }
  Real<T> *panel(Index s) const { return values.as<Real<T>>() + starts[s]; }
  /// The panel as a front without a rest.
  Front<T> front(Index s) const {
    return {symbolic->width(s),
            symbolic->height(s),
            panel(s),
            nullptr,
            const_cast<Real<T> *>(inverse.data()) + symbolic->first[s],
            isIndefinite()
                ? const_cast<Real<T> *>(sign.data()) + symbolic->first[s]
                : nullptr};
  }
  /// Those of a front's columns that are negative in J.
  bool isNegative(Index column) const {
    return isIndefinite() && sign[column] < 0;
  }
  int64_t bytes() const;
};

/// Fills the factor from an item's values; `scale`: S, of the rows of A. Where
/// a pivot is not positive, the first of the columns of L that has none; of an
/// indefinite matrix factor.left tells.
template <typename T>
Stop factorise(Factor<T> &factor, const T *values,
               const std::vector<Real<T>> &scale,
               const tsgu_executor &executor);

/// y <- L^-1 Q^H y or Q L^-H y for vectors in the order of elimination: one, or
/// as many as have a multiple of 64 bytes in a row. Of several, row k has all
/// real parts, then all imaginary ones, and the forward sweep takes and gives
/// conjugated ones.
template <typename T>
void substitute(const Factor<T> &factor, bool forward, Real<T> *y,
                int64_t width, const tsgu_executor &executor);

/// values[e] = conj((A^-1)(j, i)) for the entries (i, j) of A's pattern, from
/// the item's first on; `scale` as above.
template <typename T>
void invertSelected(const Factor<T> &factor, const std::vector<Real<T>> &scale,
                    T *values, const tsgu_executor &executor);

/// values[e] = (A^-1 D^H A^-1)(i, j) likewise, D on A's pattern with the values
/// `direction`. Its fronts and derivatives have memory of their own.
template <typename T>
void multiplySelected(const Factor<T> &factor,
                      const std::vector<Real<T>> &scale, const T *direction,
                      T *values, const tsgu_executor &executor);

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_NUMERIC_H
