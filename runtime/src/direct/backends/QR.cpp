//===- QR.cpp - Matrices of any shape, by Householder's reflections -------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// M P = Q R, M being A or, where that is wide, A^H, scaled by a power of two; P
// by Eigen's COLAMD.
//
//===----------------------------------------------------------------------===//

#include "direct/Factorization.h"
#include "direct/PseudoInverse.h"
#include "direct/qr/Orthogonal.h"
#include "pattern/Rows.h"
#include "solvers/Columns.h"

#include <Eigen/OrderingMethods>
#include <Eigen/SparseCore>

#include <limits>
#include <numeric>

namespace tsgu::runtime {
namespace {

using qr::Columns, qr::Index, qr::Indices, qr::Orthogonal;

/// Columns of M in the order of their elimination.
struct ColumnOrder : Attachment {
  Indices order;
  int64_t bytes() const override {
    return static_cast<int64_t>(order.size() * sizeof(Index));
  }
};

/// The entries of column k of M: function(row, entry of A) for each of them.
template <typename T> class Source {
public:
  explicit Source(const Matrix<T> &A)
      : A(A), isWide(A.rows() < A.columns()),
        layout(isWide ? A.pattern->csr() : A.pattern->transposed()) {}

  Index rows() const { return isWide ? A.columns() : A.rows(); }
  Index columns() const { return isWide ? A.rows() : A.columns(); }

  template <typename F> void eachEntry(Index k, F &&function) const {
    const Index at = A.item * columns() + k;
    for (Index e = layout.position(at); e < layout.position(at + 1); ++e)
      function(numberIn(layout.coordinates, layout.indexType, e),
               isWide || !layout.permutation
                   ? e
                   : numberIn(layout.permutation, layout.permutationType, e));
  }
  T value(Index e) const {
    return isWide ? conjugate(A.values[e]) : A.values[e];
  }

  const Matrix<T> &A;
  const bool isWide;

private:
  static Index numberIn(const void *list, ElementType type, Index e) {
    return type == ElementType::I32 ? static_cast<const int32_t *>(list)[e]
                                    : static_cast<const int64_t *>(list)[e];
  }
  const Layout &layout;
};

template <typename T> std::shared_ptr<ColumnOrder> analyse(const Source<T> &M) {
  auto made = std::make_shared<ColumnOrder>();
  const Index count = M.columns();
  Eigen::SparseMatrix<float, 0, Index> structure(M.rows(), count);
  std::vector<Eigen::Triplet<float, Index>> entries;
  for (Index k = 0; k < count; ++k)
    M.eachEntry(k, [&](Index row, Index) { entries.emplace_back(row, k, 1); });
  structure.setFromTriplets(entries.begin(), entries.end());
  made->order.resize(static_cast<size_t>(count));
  if (entries.empty()) {
    std::iota(made->order.begin(), made->order.end(), 0);
    return made;
  }
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, Index> places;
  Eigen::COLAMDOrdering<Index>()(structure, places);
  for (Index k = 0; k < count; ++k)
    made->order[places.indices()(k)] = k;
  return made;
}

template <typename T> class QR : public PseudoInverse<T> {
public:
  explicit QR(const Matrix<T> &A)
      : QR(A, Source<T>(A), largestEntry("qr", A)) {}

  void apply(Mode mode, Vectors<const T> in, Vectors<T> out,
             const tsgu_executor &) const override {
    const PowerOfTwo<Real<T>> factor(-this->exponent);
    std::vector<T> from(in.length * in.count);
    for (Index i = 0; i < in.length; ++i)
      for (Index j = 0; j < in.count; ++j)
        from[i * in.count + j] = factor(in.row(i)[j]);
    if (this->rank == 0) {
      for (Index i = 0; i < out.length; ++i)
        std::fill_n(out.row(i), out.count, T(0));
      return;
    }
    const std::vector<T> to = isWide == (mode == Mode::N)
                                  ? leastNorm(from, in.count)
                                  : leastSquares(from, in.count);
    for (Index i = 0; i < out.length; ++i)
      std::copy_n(to.data() + i * out.count, out.count, out.row(i));
  }

  int64_t bytes() const override {
    return Q.bytes() + (inner ? inner->bytes() : 0) +
           static_cast<int64_t>(order.size() * sizeof(Index));
  }

private:
  QR(const Matrix<T> &A, const Source<T> &M, double largest)
      : isWide(M.isWide),
        order(
            A.pattern->attachments()
                .template get<ColumnOrder>(
                    attachmentKey(AttachmentKind::Elimination,
                                  static_cast<uint64_t>(A.item) << 8 | TSGU_QR),
                    [&] { return analyse(M); })
                ->order),
        Q(factorise(M, exponentOfMatrix<T>(largest))) {
    this->exponent = exponentOfMatrix<T>(largest);
    this->rank = Q.rank(), this->entries = Q.entries();
    if (this->rank > 0 && this->rank < Q.columns()) {
      inner = std::make_unique<Orthogonal<T>>(Q.trapezoid());
      this->entries += inner->entries();
      this->rcond = std::min(this->rcond, inner->reciprocalCondition());
    }
    if (this->rcond >= std::numeric_limits<Real<T>>::epsilon() &&
        (!inner || inner->rank() == this->rank))
      return;
    fail(Status::Singular, "qr: the rank of the matrix",
         ofItem(*A.pattern, A.item), ", ", A.rows(), " x ", A.columns(),
         ", is not told by its triangle, whose diagonal says ", this->rank,
         " and whose condition is ", 1 / this->rcond,
         "; try LSMR (lstsq=None), which needs no rank");
  }

  /// Pivots may be large, and R1 as good as singular: then a column that the
  /// others nearly make goes last, where that shows (Chan 1987).
  Orthogonal<T> factorise(const Source<T> &M, int exponent) {
    for (Index before = M.columns() + 1;;) {
      Orthogonal<T> found(scaled(M, exponent));
      this->rcond = found.rank() ? found.reciprocalCondition() : 1;
      if (this->rcond >= qr::roundings<T>(M.rows(), M.columns()) ||
          found.rank() >= before)
        return found;
      before = found.rank();
      moveWeakest(found);
    }
  }
  /// Behind the live columns, before those that depend on all of them.
  void moveWeakest(const Orthogonal<T> &of) {
    const Index weakest = of.weakest();
    Indices places = of.live;
    std::erase(places, weakest);
    places.push_back(weakest);
    places.insert(places.end(), of.dead.begin(), of.dead.end());
    for (Index &place : places)
      place = order[place];
    order = std::move(places);
  }

  Columns<T> scaled(const Source<T> &M, int exponent) {
    const PowerOfTwo<Real<T>> factor(-exponent);
    Columns<T> all;
    all.rows = M.rows();
    double squares = 0;
    for (const Index k : order) {
      M.eachEntry(k, [&](Index row, Index e) {
        all.add(row, factor(M.value(e)));
        squares += squaredNorm(Wide<T>(all.values.back()));
      });
      all.end();
    }
    this->norm = std::sqrt(squares);
    return all;
  }

  /// argmin norm(b - M x) of least norm.
  std::vector<T> leastSquares(std::vector<T> &b, Index count) const {
    Q.applyAdjoint(b.data(), count);
    std::vector<T> z = rowsOf(b, Q.pivot, count);
    if (inner)
      z = innerLeastNorm(z, count);
    else
      Q.solve(z.data(), count);
    return toRows(z, order, Q.columns(), count);
  }

  /// argmin norm(y) of those y for which norm(c - M^H y) is least.
  std::vector<T> leastNorm(const std::vector<T> &c, Index count) const {
    std::vector<T> z = rowsOf(c, order, count);
    if (inner)
      z = innerLeastSquares(z, count);
    else
      Q.solveAdjoint(z.data(), count);
    std::vector<T> y = toRows(z, Q.pivot, Q.height, count);
    Q.apply(y.data(), count);
    return y;
  }

  // Of [R1 R2]^H, whose columns are the rows of R from the last one on.
  std::vector<T> innerLeastNorm(const std::vector<T> &z, Index count) const {
    std::vector<T> w = reversed(z, count);
    inner->solveAdjoint(w.data(), count);
    std::vector<T> y = toRows(w, inner->pivot, inner->height, count);
    inner->apply(y.data(), count);
    return y;
  }
  std::vector<T> innerLeastSquares(std::vector<T> &c, Index count) const {
    inner->applyAdjoint(c.data(), count);
    std::vector<T> w = rowsOf(c, inner->pivot, count);
    inner->solve(w.data(), count);
    return reversed(w, count);
  }

  static std::vector<T> rowsOf(const std::vector<T> &block,
                               const Indices &which, Index count) {
    std::vector<T> rows(which.size() * count);
    for (size_t k = 0; k < which.size(); ++k)
      std::copy_n(block.data() + which[k] * count, count,
                  rows.data() + k * count);
    return rows;
  }
  /// The others of `length` rows are 0.
  static std::vector<T> toRows(const std::vector<T> &rows, const Indices &which,
                               Index length, Index count) {
    std::vector<T> block(length * count);
    for (size_t k = 0; k < which.size(); ++k)
      std::copy_n(rows.data() + k * count, count,
                  block.data() + which[k] * count);
    return block;
  }
  static std::vector<T> reversed(const std::vector<T> &rows, Index count) {
    std::vector<T> turned(rows.size());
    const Index length = static_cast<Index>(rows.size()) / count;
    for (Index k = 0; k < length; ++k)
      std::copy_n(rows.data() + k * count, count,
                  turned.data() + (length - 1 - k) * count);
    return turned;
  }

  bool isWide;
  Indices order; ///< Of the columns of M.
  Orthogonal<T> Q;
  std::unique_ptr<Orthogonal<T>> inner; ///< Of a matrix that lacks rank.
};

} // namespace

template <typename T>
std::shared_ptr<const PseudoInverse<T>>
pseudoInverse(const Matrix<T> &A, const tsgu_executor &executor) {
  PreparedKey key;
  key.kind = TSGU_QR;
  return prepare<PseudoInverse<T>>(key, A, executor, [&] {
    auto made = std::make_shared<QR<T>>(A);
    countFactorizations(1);
    return made;
  });
}

#define INSTANTIATE(T)                                                         \
  template std::shared_ptr<const PseudoInverse<T>> pseudoInverse(              \
      const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
