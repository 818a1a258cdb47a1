//===- Hermitian.h - What factors of Hermitian matrices do ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_CHOLESKY_HERMITIAN_H
#define TSGU_SRC_DIRECT_CHOLESKY_HERMITIAN_H

#include "base/Exponents.h"
#include "base/Scratch.h"
#include "direct/Factorization.h"
#include "direct/cholesky/Numeric.h"
#include "pattern/Rows.h"

#include <array>
#include <cmath>
#include <limits>
#include <sstream>

namespace tsgu::runtime::cholesky {

/// Powers of two that bring the diagonal to between 1 and 4, by rows of A,
/// which must be positive. `values` are those of A's item alone.
template <typename T>
std::vector<Real<T>> definiteScales(const char *method, const Matrix<T> &A,
                                    const Symbolic &symbolic, const T *values) {
  std::vector<Real<T>> scale(symbolic.order.size());
  int64_t first = -1; // Row that is refused.
  for (size_t k = 0; k < scale.size(); ++k) {
    const int64_t e = symbolic.entries[symbolic.entryStarts[k]].entry;
    const Real<T> value = e < 0 ? Real<T>(0) : std::real(values[e]);
    const int64_t row = symbolic.order[k];
    if (value > 0)
      scale[row] = powerOfTwo<Real<T>>(-(exponentOf(value) >> 1));
    else if (first < 0 || row < first)
      first = row;
  }
  if (first < 0)
    return scale;
  const auto k = std::find(symbolic.order.begin(), symbolic.order.end(), first);
  const int64_t e =
      symbolic.entries[symbolic.entryStarts[k - symbolic.order.begin()]].entry;
  fail(Status::Singular, method,
       ": the matrix is not positive definite: ", "the diagonal of ",
       nameOfRow(A, first), e < 0 ? " is not stored" : " is ",
       e < 0 ? std::string()
             : (std::ostringstream() << std::real(values[e])).str(),
       "; try \"lu\"");
}

/// Throws for the first pair of entries that are not each other's conjugates by
/// more than refinement makes up for.
template <typename T>
void requireHermitian(const char *method, const Matrix<T> &A,
                      const Symbolic &symbolic,
                      const std::vector<Real<T>> &scale, const T *values) {
  const Real<T> rounding = std::sqrt(std::numeric_limits<Real<T>>::epsilon());
  std::array<int64_t, 2> worst{-1, -1};
  for (Index s = 0; s < symbolic.supernodes(); ++s)
    for (Index k = symbolic.first[s]; k < symbolic.first[s + 1]; ++k)
      for (int64_t e = symbolic.entryStarts[k]; e < symbolic.entryStarts[k + 1];
           ++e) {
        const auto [entry, mirror] = symbolic.entries[e];
        const T here = entry < 0 ? T(0) : values[entry];
        const T there = mirror < 0 ? T(0) : values[mirror];
        const T difference = here - conjugate(there);
        if (difference == T(0))
          continue;
        const int64_t i = symbolic.order[k];
        const int64_t j = symbolic.rowAt(s, symbolic.entryRows[e]);
        if (std::abs(difference * scale[i] * scale[j]) <= rounding)
          continue;
        const std::array<int64_t, 2> at{std::min(i, j), std::max(i, j)};
        if (worst[0] < 0 || at < worst)
          worst = at;
      }
  if (worst[0] < 0)
    return;
  const auto [i, j] = worst;
  const auto entryAt = [&](int64_t row, int64_t column) {
    return withRows(A, [&](auto *positions, auto *coordinates) {
      for (int64_t e = positions[row]; e < positions[row + 1]; ++e)
        if (coordinates[e] == column)
          return (std::ostringstream() << A.values[e]).str();
      return std::string("not stored");
    });
  };
  // The one that is stored first.
  const std::string upper = entryAt(i, j), lower = entryAt(j, i);
  const bool turned = upper == "not stored";
  fail(Status::InvalidArgument, method, ": the matrix",
       ofItem(*A.pattern, A.item), " is not Hermitian: entry (", turned ? j : i,
       ", ", turned ? i : j, ") is ", turned ? lower : upper, ", entry (",
       turned ? i : j, ", ", turned ? j : i, ") is ", turned ? upper : lower,
       "; store both triangles of the same matrix, or use \"lu\"");
}

/// P S A S P^T = L L^H or Q L J L^H Q^H, S of powers of two, which are the
/// scales of rows and columns.
template <typename T> class HermitianFactors : public Factorization<T> {
public:
  // The inverse is Hermitian, and that of A^T its conjugate.
  void apply(Mode mode, Vectors<const T> b, Vectors<T> x,
             const tsgu_executor &executor) const override {
    const Rows rows(b.length, b.count, mode == Mode::T);
    read(rows, b, true);
    substitute(factor, true, rows.y, rows.width, executor);
    multiplyByJ(rows);
    rows.conjugateSeveral();
    substitute(factor, false, rows.y, rows.width, executor);
    write(rows, x, true);
  }

  void selectedInverse(const Matrix<T> &, T *values,
                       const tsgu_executor &executor) const override {
    invertSelected(factor, this->rowScale, values, executor);
  }

  void selectedProduct(const Matrix<T> &, const T *direction, T *values,
                       const tsgu_executor &executor) const override {
    multiplySelected(factor, this->rowScale, direction, values, executor);
  }

  Determinant<T> determinant() const override {
    ScaledProduct<T> product;
    for (size_t k = 0; k < factor.inverse.size(); ++k) {
      const auto column = static_cast<Index>(k);
      product.multiply(T(factor.isNegative(column) ? -1 / factor.inverse[k]
                                                   : 1 / factor.inverse[k]));
      product.multiply(T(1 / factor.inverse[k]));
    }
    for (const Real<T> scale : this->rowScale)
      product.divide(scale), product.divide(scale);
    return product.determinant();
  }

  int64_t negative() const override {
    return std::count(factor.sign.begin(), factor.sign.end(), Real<T>(-1));
  }
  double entries() const override {
    return static_cast<double>(factor.symbolic->factorEntries);
  }
  double flops() const override { return factor.symbolic->flops; }

  int64_t bytes() const override {
    return factor.bytes() +
           static_cast<int64_t>(this->rowScale.size() * 2 * sizeof(Real<T>));
  }

protected:
  HermitianFactors(std::shared_ptr<const Symbolic> symbolic, bool isIndefinite)
      : factor(std::move(symbolic), isIndefinite) {}

  void findWeakest() {
    for (size_t k = 0; k < factor.inverse.size(); ++k) {
      const Real<T> pivot = 1 / (factor.inverse[k] * factor.inverse[k]);
      if (pivot < this->weakestPivot || this->weakestRow < 0)
        this->weakestPivot = pivot,
        this->weakestRow = factor.symbolic->order[k];
    }
  }

  /// Vectors in the order of elimination, as substitute() takes them.
  struct Rows {
    static constexpr int64_t parts = partsOf<T>;
    bool turned; ///< Conjugated where they come in and where they go out.
    int64_t length, width;
    Scratch memory;
    Real<T> *y;

    Rows(int64_t length, int64_t count, bool turned)
        : turned(isComplex<T> && turned), length(length),
          width(count == 1 ? 1 : padded<T>(count)),
          memory(multiply(multiply(length, width),
                          parts * int64_t{sizeof(Real<T>)})),
          y(reinterpret_cast<Real<T> *>(memory.data())) {}
    /// The forward sweep of several vectors is of their conjugates.
    bool isConjugated(bool forward) const {
      return turned != (forward && width > 1);
    }
    void conjugateSeveral() const {
      if (isComplex<T> && width > 1)
        for (int64_t k = 0; k < length; ++k)
          for (int64_t j = 0; j < width; ++j)
            y[(2 * k + 1) * width + j] = -y[(2 * k + 1) * width + j];
    }
  };

  void multiplyByJ(const Rows &rows) const {
    const int64_t step = rows.width * Rows::parts;
    for (int64_t k = 0; k < rows.length; ++k)
      if (factor.isNegative(static_cast<Index>(k)))
        for (int64_t j = 0; j < step; ++j)
          rows.y[k * step + j] = -rows.y[k * step + j];
  }

  /// Rows of A, scaled, where the forward sweep begins.
  void read(const Rows &rows, Vectors<const T> b, bool forward) const {
    for (int64_t k = 0; k < rows.length; ++k) {
      const int64_t row = forward ? factor.symbolic->order[k] : k;
      const Real<T> scale = forward ? this->rowScale[row] : Real<T>(1);
      const T *const from = b.row(row);
      Real<T> *const to = rows.y + k * rows.width * Rows::parts;
      for (int64_t j = 0; j < b.count; ++j) {
        to[j] = std::real(from[j]) * scale;
        if constexpr (isComplex<T>)
          to[rows.width + j] =
              std::imag(rows.isConjugated(forward) ? std::conj(from[j])
                                                   : from[j]) *
              scale;
      }
      for (int64_t p = 0; p < Rows::parts; ++p)
        std::fill(to + p * rows.width + b.count, to + (p + 1) * rows.width,
                  Real<T>(0));
    }
  }

  /// Rows of A, scaled, where the backward sweep ended.
  void write(const Rows &rows, Vectors<T> x, bool backward) const {
    for (int64_t k = 0; k < rows.length; ++k) {
      const int64_t row = backward ? factor.symbolic->order[k] : k;
      const Real<T> scale = backward ? this->rowScale[row] : Real<T>(1);
      T *const to = x.row(row);
      const Real<T> *const from = rows.y + k * rows.width * Rows::parts;
      for (int64_t j = 0; j < x.count; ++j)
        if constexpr (isComplex<T>) {
          const T value(from[j] * scale, from[rows.width + j] * scale);
          to[j] = rows.isConjugated(!backward) ? std::conj(value) : value;
        } else {
          to[j] = from[j] * scale;
        }
    }
  }

  Factor<T> factor;
};

} // namespace tsgu::runtime::cholesky

#endif // TSGU_SRC_DIRECT_CHOLESKY_HERMITIAN_H
