//===- LDLT.cpp - Hermitian matrices, definite or not ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// P S A S P^T = Q L J L^H Q^H by Cholesky's fronts, S of powers of two that
// bring the largest entry of each row to about 1. Pivots are those of a front's
// own columns. Where one has none, the column is moved to a supernode further
// up, and the factorisation begins again with that analysis: no pivot is
// perturbed, so that determinants and inverses are those of A. A root takes any
// column, or the matrix is singular.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Exponents.h"
#include "direct/cholesky/Hermitian.h"

namespace tsgu::runtime {
namespace {

using namespace cholesky;

/// S, by rows of A (Ruiz 2001).
template <typename T> std::vector<Real<T>> scalesOf(const Matrix<T> &A) {
  constexpr int most = sizeof(Real<T>) == 4 ? 60 : 500;
  constexpr double nothing = -1e300;
  const auto n = static_cast<size_t>(A.rows());
  std::vector<double> exponent(n);
  withRows(A, [&](auto *positions, auto *coordinates) {
    for (int step = 0; step < 6; ++step) {
      std::vector<double> largest(n, nothing);
      for (size_t i = 0; i < n; ++i)
        for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
          const Real<T> size = std::abs(A.values[e]);
          const auto j = static_cast<size_t>(coordinates[e]);
          if (!(size > 0))
            continue;
          const double sum = exponentOf(size) + exponent[i] + exponent[j];
          largest[i] = std::max(largest[i], sum);
          largest[j] = std::max(largest[j], sum);
        }
      for (size_t i = 0; i < n; ++i) {
        if (largest[i] == nothing)
          fail(Status::Singular, "ldlt: the matrix is singular: ",
               nameOfRow(A, static_cast<int64_t>(i)),
               " has no entry other than 0; try sparse_generic_lstsq");
        exponent[i] -= largest[i] / 2;
      }
    }
  });
  std::vector<Real<T>> scale(n);
  for (size_t i = 0; i < n; ++i)
    scale[i] = powerOfTwo<Real<T>>(
        std::clamp(static_cast<int>(std::lround(exponent[i])), -most, most));
  return scale;
}

/// Supernodes of columns whose diagonal is small, or not stored, such that a
/// column that they share an entry with is eliminated before them or beside
/// them; of the others their own.
template <typename T>
std::vector<Index> placesOf(const Symbolic &symbolic,
                            const std::vector<Real<T>> &scale,
                            const T *values) {
  constexpr Real<T> small = Real<T>(1) / 64;
  const Index n = symbolic.columns(), none = symbolic.supernodes();
  std::vector<Index> places(n), supernode(n), earliest(n, none);
  for (Index s = 0; s < symbolic.supernodes(); ++s)
    std::fill(&supernode[symbolic.first[s]],
              &supernode[symbolic.first[s]] + symbolic.width(s), s);
  for (Index s = 0; s < symbolic.supernodes(); ++s) {
    const Index first = symbolic.first[s], width = symbolic.width(s);
    const Index *const rows = symbolic.rowsOf(s).data() - width;
    for (Index k = first; k < first + width; ++k) {
      const auto forNeighbours = [&](auto &&function) {
        for (int64_t e = symbolic.entryStarts[k] + 1;
             e < symbolic.entryStarts[k + 1]; ++e)
          if (const int64_t entry = symbolic.entries[e].entry;
              entry >= 0 && values[entry] != T(0)) {
            const Index row = symbolic.entryRows[e];
            function(row < width ? first + row : rows[row]);
          }
      };
      places[k] = s;
      const int64_t diagonal = symbolic.entries[symbolic.entryStarts[k]].entry;
      const Real<T> by = scale[symbolic.order[k]];
      if (diagonal < 0 || std::abs(values[diagonal]) * by * by < small) {
        Index to = earliest[k];
        forNeighbours([&](Index row) { to = std::min(to, supernode[row]); });
        if (to != none)
          places[k] = std::max(s, to);
      }
      forNeighbours([&](Index row) {
        earliest[row] = std::min(earliest[row], places[k]);
      });
    }
  }
  return places;
}

template <typename T> class LDLT : public HermitianFactors<T> {
public:
  LDLT(const Matrix<T> &A, const tsgu_executor &executor)
      : HermitianFactors<T>(analyse(A), true),
        rounds(static_cast<size_t>(A.rows())) {
    const T *values = A.values + A.pattern->csr().position(A.firstRow());
    auto &scale = this->rowScale;
    scale = scalesOf(A);
    requireHermitian("ldlt", A, symbolic(), scale, values);
    this->columnScale = scale;
    move(A, placesOf(symbolic(), scale, values));
    for (;;) {
      factorise(this->factor, values, scale, executor);
      checkInterrupt();
      const std::vector<Index> places = placesOfThoseLeft();
      if (places.empty())
        break;
      if (!move(A, places))
        failAtRoot(A);
    }
    rounds = {};
    this->findWeakest();
  }

  void halfSolve(Mode, Vectors<const T>, Vectors<T>,
                 const tsgu_executor &) const override {
    fail(Status::InvalidArgument,
         "half solves need a factorisation L L^H, which an indefinite matrix "
         "does not have; use \"cholesky\" for one that is positive definite");
  }

private:
  const Symbolic &symbolic() const { return *this->factor.symbolic; }

  /// Whether any column of L has another supernode.
  bool move(const Matrix<T> &A, const std::vector<Index> &places) {
    bool moves = false;
    for (Index s = 0; s < symbolic().supernodes(); ++s)
      for (Index k = symbolic().first[s]; k < symbolic().first[s + 1]; ++k)
        moves |= places[k] != s;
    if (!moves)
      return false;
    auto moved = moveColumns(A, symbolic(), places);
    this->factor.values = {}; // Two would be too much.
    this->factor = Factor<T>(std::move(moved), true);
    return true;
  }

  /// Supernodes further up the more often a row was left; none, if all have
  /// pivots.
  std::vector<Index> placesOfThoseLeft() {
    const auto &left = this->factor.left;
    std::vector<Index> places;
    if (std::count(left.begin(), left.end(), 0) == symbolic().supernodes())
      return places;
    for (Index s = 0; s < symbolic().supernodes(); ++s) {
      const Index first = symbolic().first[s], width = symbolic().width(s);
      places.resize(first + width, s);
      for (Index k = width - left[s]; k < width; ++k) {
        const Index column = first + this->factor.source[first + k];
        uint8_t &round = rounds[symbolic().order[column]];
        Index to = s;
        for (int64_t up = int64_t{1} << round;
             up > 0 && symbolic().parent[to] >= 0; --up)
          to = symbolic().parent[to];
        round = std::min<int>(round + 1, 30);
        places[column] = to;
      }
    }
    return places;
  }

  [[noreturn]] void failAtRoot(const Matrix<T> &A) const {
    Index s = 0;
    while (this->factor.left[s] == 0)
      ++s;
    const Index last = symbolic().first[s + 1] - 1;
    const Index column = symbolic().first[s] + this->factor.source[last];
    fail(Status::Singular, "ldlt: the matrix is singular: ",
         nameOfRow(A, symbolic().order[column]),
         " is a combination of the rows eliminated before it (its pivot is 0); "
         "try sparse_generic_lstsq");
  }

  std::vector<uint8_t> rounds; ///< In which a row was left.
};

} // namespace

template <typename T>
Factors<T> factorizeLDLT(const Matrix<T> &A, const tsgu_executor &executor) {
  return std::make_shared<LDLT<T>>(A, executor);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> factorizeLDLT(const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
