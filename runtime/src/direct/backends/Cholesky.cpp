//===- Cholesky.cpp - Hermitian positive definite matrices, by Eigen ------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// P C A C P^T = L D L^H by Eigen's SimplicialLDLT, P by its AMD. Both triangles
// have to be stored and to agree; the lower one is what is factorised. Without
// positive pivots nothing bounds the growth of L, so they are demanded.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "base/Scratch.h"
#include "direct/Factorization.h"
#include "pattern/Rows.h"

#include <Eigen/SparseCholesky>

#include <cmath>
#include <limits>

namespace tsgu::runtime {
namespace {

// Factors may have more entries than 32 bits can count.
using Index = int64_t;
template <typename T> using Sparse = Eigen::SparseMatrix<T, 0, Index>;

/// What the pattern of an item says: where entries go in the upper triangle of
/// the permuted matrix, and the elimination tree. Entries count from the item's
/// first.
struct Elimination : Attachment {
  std::vector<Index> order;           ///< Rows as they are eliminated.
  std::vector<Index> diagonal;        ///< Entry of each row, or -1.
  std::vector<Index> mirror;          ///< Entry on the other side, or -1.
  std::vector<Index> starts, rows;    ///< Of the columns.
  std::vector<Index> entries;         ///< ~e: the conjugate of entry e.
  std::vector<Index> parents, counts; ///< Of L's columns.
  std::vector<Index> factorStarts;

  int64_t bytes() const override {
    int64_t sum = 0;
    for (const auto *list : {&order, &diagonal, &mirror, &starts, &rows,
                             &entries, &parents, &counts, &factorStarts})
      sum += static_cast<int64_t>(list->capacity() * sizeof(Index));
    return sum;
  }
};

/// Eigen's factors, whose analysis is that of all values on a pattern.
template <typename T>
class LDLT : public Eigen::SimplicialLDLT<Sparse<T>, Eigen::Upper,
                                          Eigen::NaturalOrdering<Index>> {
public:
  void analyse(const Sparse<T> &upper, Elimination &to) {
    this->analyzePattern(upper);
    const Index n = upper.cols();
    to.parents.assign(this->m_parent.data(), this->m_parent.data() + n);
    to.counts.assign(this->m_nonZerosPerCol.data(),
                     this->m_nonZerosPerCol.data() + n);
    to.factorStarts.assign(starts(), starts() + n + 1);
  }

  void factorize(const Sparse<T> &upper, const Elimination &from) {
    const Index n = upper.cols();
    using Vector = Eigen::Map<const Eigen::Matrix<Index, Eigen::Dynamic, 1>>;
    this->m_parent = Vector(from.parents.data(), n);
    this->m_nonZerosPerCol = Vector(from.counts.data(), n);
    this->m_matrix.resize(n, n);
    std::copy_n(from.factorStarts.data(), n + 1,
                this->m_matrix.outerIndexPtr());
    this->m_matrix.resizeNonZeros(from.factorStarts[n]);
    this->m_analysisIsOk = true;
    Eigen::SimplicialLDLT<Sparse<T>, Eigen::Upper,
                          Eigen::NaturalOrdering<Index>>::factorize(upper);
  }

  const Index *starts() const { return this->m_matrix.outerIndexPtr(); }
  const Index *rows() const { return this->m_matrix.innerIndexPtr(); }
  const T *values() const { return this->m_matrix.valuePtr(); }
  const T *pivots() const { return this->m_diag.data(); }
  Index entries() const { return this->m_matrix.nonZeros(); }
};

//===----------------------------------------------------------------------===//
// The pattern
//===----------------------------------------------------------------------===//

template <typename I>
void findMirrors(Index n, const I *positions, const I *coordinates,
                 Elimination &to) {
  const Index first = positions[0];
  to.diagonal.assign(n, -1);
  to.mirror.assign(positions[n] - first, -1);
  std::vector<Index> next(positions, positions + n); // Of each row.
  for (Index i = 0; i < n; ++i)
    for (Index e = positions[i]; e < positions[i + 1]; ++e) {
      const Index j = coordinates[e];
      if (i == j)
        to.diagonal[i] = e - first;
      // Row j is asked for its columns in ascending order.
      while (next[j] < positions[j + 1] && coordinates[next[j]] < i)
        ++next[j];
      if (next[j] < positions[j + 1] && coordinates[next[j]] == i)
        to.mirror[e - first] = next[j] - first;
    }
}

template <typename I>
void findOrder(Index n, const I *positions, const I *coordinates,
               Elimination &to) {
  Sparse<double> lower(n, n);
  lower.reserve(positions[n] - positions[0]);
  for (Index i = 0; i < n; ++i) {
    lower.startVec(i);
    for (Index e = positions[i]; e < positions[i + 1]; ++e)
      if (coordinates[e] <= i)
        lower.insertBack(coordinates[e], i) = 1;
  }
  lower.finalize();
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, Index> order;
  Eigen::AMDOrdering<Index>()(lower, order);
  to.order.assign(order.indices().data(), order.indices().data() + n);
}

template <typename I>
void placeEntries(Index n, const I *positions, const I *coordinates,
                  Elimination &to) {
  std::vector<Index> place(n);
  for (Index k = 0; k < n; ++k)
    place[to.order[k]] = k;
  auto forLower = [&](auto &&function) {
    for (Index i = 0; i < n; ++i)
      for (Index e = positions[i]; e < positions[i + 1] && coordinates[e] <= i;
           ++e)
        function(place[i], place[coordinates[e]], e - positions[0]);
  };
  to.starts.assign(n + 1, 0);
  forLower([&](Index i, Index j, Index) { ++to.starts[std::max(i, j) + 1]; });
  for (Index k = 0; k < n; ++k)
    to.starts[k + 1] += to.starts[k];
  to.rows.resize(to.starts[n]), to.entries.resize(to.starts[n]);
  std::vector<Index> next(to.starts.begin(), to.starts.end() - 1);
  forLower([&](Index i, Index j, Index e) {
    const Index at = next[std::max(i, j)]++;
    to.rows[at] = std::min(i, j), to.entries[at] = i <= j ? e : ~e;
  });
}

/// The upper triangle of the permuted matrix, with `valueOf` its entries.
template <typename T, typename F>
Sparse<T> upperOf(const Elimination &from, F &&valueOf) {
  const auto n = static_cast<Index>(from.order.size());
  Sparse<T> upper(n, n);
  upper.resizeNonZeros(from.starts[n]);
  std::copy_n(from.starts.data(), n + 1, upper.outerIndexPtr());
  std::copy(from.rows.begin(), from.rows.end(), upper.innerIndexPtr());
  for (Index k = 0; k < from.starts[n]; ++k)
    upper.valuePtr()[k] = valueOf(k);
  return upper;
}

template <typename T>
std::shared_ptr<const Elimination> analysed(const Matrix<T> &A) {
  return A.pattern->attachments().template get<Elimination>(
      attachmentKey(AttachmentKind::Elimination,
                    static_cast<uint64_t>(A.item) << 8 | TSGU_CHOLESKY),
      [&] {
        auto made = std::make_shared<Elimination>();
        const Index n = A.rows();
        withRows(A, [&](auto *positions, auto *coordinates) {
          findMirrors(n, positions, coordinates, *made);
          findOrder(n, positions, coordinates, *made);
          checkInterrupt();
          placeEntries(n, positions, coordinates, *made);
        });
        LDLT<double>().analyse(
            upperOf<double>(*made, [](Index) { return 1.0; }), *made);
        return made;
      });
}

//===----------------------------------------------------------------------===//
// The values
//===----------------------------------------------------------------------===//

/// `values` are those of A's item alone.
template <typename T>
std::vector<Real<T>> scalesOf(const Matrix<T> &A, const Elimination &analysis,
                              const T *values) {
  std::vector<Real<T>> scale(analysis.order.size());
  for (size_t i = 0; i < scale.size(); ++i) {
    const Index e = analysis.diagonal[i];
    const Real<T> value = e < 0 ? Real<T>(0) : std::real(values[e]);
    if (e < 0 || !(value > 0))
      fail(Status::Singular, "cholesky: the matrix is not positive definite: ",
           "the diagonal of ", nameOfRow(A, static_cast<int64_t>(i)),
           e < 0 ? " is not stored" : " is ",
           e < 0 ? std::string() : (std::ostringstream() << value).str(),
           "; try \"lu\"");
    scale[i] = std::ldexp(Real<T>(1), -(std::ilogb(value) >> 1));
  }
  return scale;
}

/// Throws for the first pair of entries that are not each other's conjugates by
/// more than refinement makes up for.
template <typename T>
void requireHermitian(const Matrix<T> &A, const Elimination &analysis,
                      const std::vector<Real<T>> &scale, const T *values) {
  const Real<T> rounding = std::sqrt(std::numeric_limits<Real<T>>::epsilon());
  withRows(A, [&](auto *positions, auto *coordinates) {
    for (int64_t i = 0; i < A.rows(); ++i)
      for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
        const int64_t j = coordinates[e];
        const Index other = analysis.mirror[e - positions[0]];
        const T here = values[e - positions[0]];
        const T there = other < 0 ? T(0) : values[other];
        const T difference = here - conjugate(there);
        if (difference == T(0) ||
            std::abs(difference * scale[i] * scale[j]) <= rounding)
          continue;
        fail(Status::InvalidArgument, "cholesky: the matrix",
             ofItem(*A.pattern, A.item), " is not Hermitian: entry (", i, ", ",
             j, ") is ", here, ", entry (", j, ", ", i, ") is ",
             other < 0 ? "not stored" : (std::ostringstream() << there).str(),
             "; store both triangles of the same matrix, or use \"lu\"");
      }
  });
}

template <typename T> class Cholesky : public Factorization<T> {
public:
  explicit Cholesky(const Matrix<T> &A) : analysis(analysed(A)) {
    const Layout &csr = A.pattern->csr();
    const T *values = A.values + csr.position(A.firstRow());
    auto &scale = this->rowScale;
    scale = scalesOf(A, *analysis, values);
    requireHermitian(A, *analysis, scale, values);
    this->columnScale = scale;
    factors.factorize(scaledUpper(values), *analysis);
    checkPivots(A);
  }

  void apply(Mode mode, Vectors<const T> b, Vectors<T> x,
             const tsgu_executor &) const override {
    // The inverse is Hermitian, and that of A^T its conjugate.
    const bool turned = isComplex<T> && mode == Mode::T;
    if (b.count == 1)
      return substitute<1>(turned, b, x);
    substitute<0>(turned, b, x);
  }

  Determinant<T> determinant() const override {
    ScaledProduct<T> product;
    for (size_t k = 0; k < this->rowScale.size(); ++k) {
      product.multiply(factors.pivots()[k]);
      product.divide(this->rowScale[k]), product.divide(this->rowScale[k]);
    }
    return product.determinant();
  }

  void halfSolve(Mode mode, Vectors<const T> in, Vectors<T> out,
                 const tsgu_executor &) const override {
    const int64_t n = in.length, width = in.count;
    std::vector<T> y(multiply(n, width));
    auto root = [&](int64_t k) {
      return std::sqrt(std::real(factors.pivots()[k]));
    };
    const bool turned = isComplex<T> && mode == Mode::T;
    for (int64_t k = 0; k < n; ++k) {
      const Index row = mode == Mode::N ? analysis->order[k] : k;
      const Real<T> by = mode == Mode::N ? this->rowScale[row] : 1 / root(k);
      for (int64_t j = 0; j < width; ++j)
        y[k * width + j] =
            (turned ? conjugate(in.row(row)[j]) : in.row(row)[j]) * by;
    }
    if (mode == Mode::N)
      eliminate(y.data(), n, width);
    else
      substituteBack(y.data(), n, width);
    for (int64_t k = 0; k < n; ++k) {
      const Index row = mode == Mode::N ? k : analysis->order[k];
      const Real<T> by = mode == Mode::N ? 1 / root(k) : this->rowScale[row];
      for (int64_t j = 0; j < width; ++j) {
        const T value = y[k * width + j] * by;
        out.row(row)[j] = turned ? conjugate(value) : value;
      }
    }
  }

  int64_t bytes() const override {
    return factors.entries() * static_cast<int64_t>(sizeof(T) + sizeof(Index)) +
           static_cast<int64_t>(this->rowScale.size()) *
               static_cast<int64_t>(2 * sizeof(Real<T>) + sizeof(T) +
                                    3 * sizeof(Index));
  }

private:
  Sparse<T> scaledUpper(const T *values) const {
    const auto &scale = this->rowScale;
    const auto &order = analysis->order;
    Sparse<T> upper = upperOf<T>(*analysis, [&](Index k) {
      const Index e = analysis->entries[k];
      return e < 0 ? conjugate(values[~e]) : values[e];
    });
    for (Index k = 0; k < upper.cols(); ++k)
      for (Index at = analysis->starts[k]; at < analysis->starts[k + 1]; ++at)
        upper.valuePtr()[at] *=
            scale[order[k]] * scale[order[analysis->rows[at]]];
    return upper;
  }

  /// Eigen stops at a pivot of 0 and goes on from a negative one.
  void checkPivots(const Matrix<T> &A) {
    for (size_t k = 0; k < analysis->order.size(); ++k) {
      const Real<T> pivot = std::real(factors.pivots()[k]);
      const Index row = analysis->order[k];
      if (!(pivot > 0))
        fail(Status::Singular, "cholesky: the matrix is not positive ",
             "definite: elimination leaves ",
             pivot / (this->rowScale[row] * this->rowScale[row]),
             " of the diagonal of ", nameOfRow(A, row),
             "; try \"lu\" or, if the matrix is singular, "
             "sparse_generic_lstsq");
      if (pivot < this->weakestPivot || this->weakestRow < 0)
        this->weakestPivot = pivot, this->weakestRow = row;
    }
  }

  template <int64_t Width>
  void substitute(bool turned, Vectors<const T> b, Vectors<T> x) const {
    const int64_t n = b.length, width = Width ? Width : b.count;
    const Scratch memory(
        multiply(multiply(n, width), static_cast<int64_t>(sizeof(T))));
    T *const y = reinterpret_cast<T *>(memory.data());
    for (int64_t k = 0; k < n; ++k) {
      const Index row = analysis->order[k];
      for (int64_t j = 0; j < width; ++j) {
        const T value = b.row(row)[j] * this->rowScale[row];
        y[k * width + j] = turned ? conjugate(value) : value;
      }
    }
    if constexpr (Width == 1)
      substituteOne(y, n);
    else
      substituteInto(y, n, width);
    for (int64_t k = 0; k < n; ++k) {
      const Index row = analysis->order[k];
      for (int64_t j = 0; j < width; ++j) {
        const T value = y[k * width + j] * this->rowScale[row];
        x.row(row)[j] = turned ? conjugate(value) : value;
      }
    }
  }

  void substituteInto(T *y, int64_t n, int64_t width) const {
    eliminate(y, n, width);
    const T *pivots = factors.pivots();
    for (int64_t k = 0; k < n; ++k)
      for (int64_t j = 0; j < width; ++j)
        y[k * width + j] /= std::real(pivots[k]);
    substituteBack(y, n, width);
  }

  void eliminate(T *y, int64_t n, int64_t width) const {
    const Index *starts = factors.starts(), *rows = factors.rows();
    const T *values = factors.values();
    InterruptCheck check;
    for (int64_t k = 0; k < n; ++k) {
      for (Index e = starts[k]; e < starts[k + 1]; ++e)
        for (int64_t j = 0; j < width; ++j)
          y[rows[e] * width + j] -= times(values[e], y[k * width + j]);
      check.after((starts[k + 1] - starts[k]) * width);
    }
  }

  void substituteBack(T *y, int64_t n, int64_t width) const {
    const Index *starts = factors.starts(), *rows = factors.rows();
    const T *values = factors.values();
    InterruptCheck check;
    for (int64_t k = n - 1; k >= 0; --k) {
      for (Index e = starts[k]; e < starts[k + 1]; ++e)
        for (int64_t j = 0; j < width; ++j)
          y[k * width + j] -=
              times(conjugate(values[e]), y[rows[e] * width + j]);
      check.after((starts[k + 1] - starts[k]) * width);
    }
  }

  /// The same of one column. What the row beside reads stays in a register:
  /// through memory, chains of rows would take twice as long.
  void substituteOne(T *y, int64_t n) const {
    const Index *starts = factors.starts(), *rows = factors.rows();
    const T *values = factors.values(), *pivots = factors.pivots();
    InterruptCheck check;
    T next = n > 0 ? y[0] : T(0);
    for (int64_t k = 0; k < n; ++k) {
      const T here = y[k] = next;
      next = k + 1 < n ? y[k + 1] : T(0);
      for (Index e = starts[k]; e < starts[k + 1]; ++e) {
        const T term = times(values[e], here);
        if (rows[e] == k + 1)
          next -= term;
        else
          y[rows[e]] -= term;
      }
      check.after(starts[k + 1] - starts[k]);
    }
    T last(0);
    for (int64_t k = n - 1; k >= 0; --k) {
      T here = y[k] / std::real(pivots[k]);
      for (Index e = starts[k]; e < starts[k + 1]; ++e)
        here -=
            times(conjugate(values[e]), rows[e] == k + 1 ? last : y[rows[e]]);
      y[k] = last = here;
      check.after(starts[k + 1] - starts[k]);
    }
  }

  std::shared_ptr<const Elimination> analysis;
  LDLT<T> factors;
};

} // namespace

template <typename T> Factors<T> factorizeCholesky(const Matrix<T> &A) {
  return std::make_shared<Cholesky<T>>(A);
}
#define INSTANTIATE(T) template Factors<T> factorizeCholesky(const Matrix<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
