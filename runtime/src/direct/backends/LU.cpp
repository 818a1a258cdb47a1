//===- LU.cpp - Any square matrix, by Eigen's SparseLU --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is factorised is M = (P R A C)^T, whose columns are the rows of A, so
// that a pivot belongs to a row of A; P by Eigen's COLAMD. Partial pivoting:
// the largest entry that is left of the row. The diagonal is tried first, in an
// order that suits it: many matrices need no other pivots.
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "direct/Factorization.h"
#include "direct/cholesky/Symbolic.h"
#include "direct/lu/Scales.h"
#include "direct/lu/StaticLU.h"
#include "pattern/Rows.h"

#include <Eigen/SparseLU>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <variant>

namespace tsgu::runtime {
namespace {

// Factors may have more entries than 32 bits can count.
using Index = int64_t;
using Indices = Eigen::Matrix<Index, Eigen::Dynamic, 1>;
template <typename T> using Sparse = Eigen::SparseMatrix<T, 0, Index>;

/// What the pattern says: rows of A as they are eliminated, and the tree of M's
/// columns.
struct Elimination : Attachment {
  Indices order, tree;

  int64_t bytes() const override {
    return (order.size() + tree.size()) * static_cast<int64_t>(sizeof(Index));
  }
};

/// Rows and columns as they are eliminated together, the diagonal for pivots.
struct DiagonalPivots : Attachment {
  Indices order;
  std::shared_ptr<const lu::Pivots> pivots; ///< NULL: others serve better.

  int64_t bytes() const override {
    return order.size() * static_cast<int64_t>(sizeof(Index)) +
           (pivots ? pivots->bytes() : 0);
  }
};

/// Eigen's factors, whose analysis is that of all values on a pattern. M comes
/// in the order of its elimination: for another one, Eigen would write to
/// memory that it has not checked to be there.
template <typename T>
class EigenLU
    : public Eigen::SparseLU<Sparse<T>, Eigen::NaturalOrdering<Index>> {
  using Base = Eigen::SparseLU<Sparse<T>, Eigen::NaturalOrdering<Index>>;

public:
  void factorize(const Sparse<T> &M, const Elimination &from) {
    this->m_etree = from.tree;
    this->m_analysisIsOk = true;
    this->m_info = Eigen::InvalidInput; // Left so where memory ends at once.
    Base::factorize(M);
    this->m_mat = Sparse<T>(M.rows(), M.cols()); // It keeps a copy.
  }

  /// Also of a factorisation that ended early, behind column k.
  T pivot(Index k) const {
    const auto &store = this->m_glu;
    return store.lusup(store.xlusup(k) + k - store.xsup(store.supno(k)));
  }

  /// Of the permutation that pivoting found, 1 or -1.
  int permutationSign() const {
    return static_cast<int>(this->m_detPermR * this->m_detPermC);
  }

  /// As those of StaticLU.
  void solve(bool transposed, T *y, int64_t count) const {
    using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
    Eigen::Map<Dense> block(y, this->rows(), count);
    // Its views of the transpose only read, but are not const.
    auto &own = const_cast<EigenLU &>(*this);
    block = transposed ? Dense(own.transpose().solve(block))
                       : Dense(Base::solve(block));
  }
  double count() const {
    return static_cast<double>(this->nnzL()) +
           static_cast<double>(this->nnzU());
  }

  int64_t bytes() const {
    const auto &store = this->m_glu;
    return (store.lusup.size() + store.ucol.size()) *
               static_cast<int64_t>(sizeof(T)) +
           (store.lsub.size() + store.usub.size() + 10 * this->cols()) *
               static_cast<int64_t>(sizeof(Index));
  }
};

/// The rows of A from order[0] on as columns; `valueOf` an entry its value.
template <typename T, typename V, typename F>
Sparse<V> columnsOf(const Matrix<T> &A, const Indices &order, F &&valueOf) {
  const Index n = A.rows();
  Sparse<V> M(n, n);
  withRows(A, [&](auto *positions, auto *coordinates) {
    M.resizeNonZeros(positions[n] - positions[0]);
    Index to = 0;
    for (Index k = 0; k < n; ++k) {
      M.outerIndexPtr()[k] = to;
      const Index row = order(k);
      for (Index e = positions[row]; e < positions[row + 1]; ++e, ++to) {
        M.innerIndexPtr()[to] = coordinates[e];
        M.valuePtr()[to] = valueOf(row, coordinates[e], e);
      }
    }
    M.outerIndexPtr()[n] = to;
  });
  return M;
}

/// As SparseLU::analyzePattern.
template <typename T> std::shared_ptr<Elimination> analyse(const Matrix<T> &A) {
  auto made = std::make_shared<Elimination>();
  const Index n = A.rows();
  const auto structure = [&](const Indices &order) {
    return columnsOf<T, float>(A, order,
                               [](Index, Index, Index) { return 1.0F; });
  };
  Indices order = Indices::LinSpaced(n, 0, n - 1);
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, Index> places;
  Eigen::COLAMDOrdering<Index>()(structure(order), places);
  for (Index i = 0; i < n; ++i)
    order(places.indices()(i)) = i;
  checkInterrupt();
  Indices firstRows, tree, post;
  auto M = structure(order);
  Eigen::internal::coletree(M, tree, firstRows);
  Eigen::internal::treePostorder(n, tree, post);
  made->order.resize(n), made->tree.resize(n + 1);
  for (Index k = 0; k < n; ++k)
    made->order(post(k)) = order(k);
  for (Index k = 0; k < n; ++k)
    made->tree(post(k)) = post(tree(k));
  made->tree(n) = n;
  return made;
}

template <typename T> bool storesDiagonal(const Matrix<T> &A) {
  return withRows(A, [&](auto *positions, auto *coordinates) {
    for (int64_t i = 0; i < A.rows(); ++i)
      if (!std::binary_search(coordinates + positions[i],
                              coordinates + positions[i + 1], i))
        return false;
    return true;
  });
}

/// L and U as if A had an entry across from each that it has.
lu::Pivots symmetricPivots(const cholesky::Symbolic &symbolic) {
  using Place = lu::Pivots::Index;
  const Place n = symbolic.columns();
  std::vector<std::vector<Place>> above(n);
  lu::Pivots made;
  made.placeOf.resize(n);
  for (Place s = 0; s < symbolic.supernodes(); ++s)
    for (Place k = symbolic.first[s]; k < symbolic.first[s + 1]; ++k) {
      made.placeOf[symbolic.order[k]] = k;
      const auto add = [&](Place row) {
        made.rowOf.push_back(row), above[row].push_back(k);
      };
      made.rowOf.insert(made.rowOf.end(), above[k].begin(), above[k].end());
      above[k] = {};
      made.middles.push_back(static_cast<Place>(made.rowOf.size()));
      for (Place row = k + 1; row < symbolic.first[s + 1]; ++row)
        add(row);
      for (const Place row : symbolic.rowsOf(s))
        add(row);
      made.starts.push_back(static_cast<Place>(made.rowOf.size()));
    }
  made.sign = signOf(made.placeOf);
  return made;
}

template <typename T>
std::shared_ptr<DiagonalPivots> analyseDiagonal(const Matrix<T> &A) {
  auto made = std::make_shared<DiagonalPivots>();
  constexpr int64_t many = std::numeric_limits<lu::Pivots::Index>::max() / 4;
  if (A.rows() > many || !storesDiagonal(A))
    return made;
  const auto symbolic = cholesky::analyse(A);
  const auto entries = static_cast<double>(2 * symbolic->factorEntries);
  // Its supernodes store zeros.
  if (2 * symbolic->factorEntries > many ||
      symbolic->flops > 1.5 * lu::Pivots::mostProducts * entries)
    return made;
  made->order.resize(A.rows());
  std::copy(symbolic->order.begin(), symbolic->order.end(),
            made->order.begin());
  checkInterrupt();
  auto pivots = std::make_shared<lu::Pivots>(
      symmetricPivots(*symbolic).pruned(columnsOf<T, float>(
          A, made->order, [](Index, Index, Index) { return 1.0F; })));
  if (pivots->pay())
    made->pivots = std::move(pivots);
  return made;
}

template <typename T> class LU : public Factorization<T> {
public:
  explicit LU(const Matrix<T> &A) {
    setScales("lu", A, *this);
    if (!factoriseByDiagonal(A))
      factoriseByPivoting(A);
    for (Index k = 0; k < A.rows(); ++k) {
      const Real<T> pivot =
          with([&](const auto &by) { return std::abs(by.pivot(k)); });
      if (pivot < this->weakestPivot || this->weakestRow < 0)
        this->weakestPivot = pivot, this->weakestRow = (*order)(k);
    }
  }

  // A^-1 = C M^-T P R, A^-T = R P^T M^-1 C, A^-H = conj(A^-T).
  void apply(Mode mode, Vectors<const T> b, Vectors<T> x,
             const tsgu_executor &) const override {
    const bool conjugated = mode == Mode::C;
    std::vector<T> y(static_cast<size_t>(b.length * b.count));
    for (Index k = 0; k < b.length; ++k) {
      const Index i = mode == Mode::N ? (*order)(k) : k;
      const Real<T> scale =
          mode == Mode::N ? this->rowScale[i] : this->columnScale[i];
      for (Index j = 0; j < b.count; ++j) {
        const T value = b.row(i)[j] * scale;
        y[j * b.length + k] = conjugated ? conjugate(value) : value;
      }
    }
    checkInterrupt();
    with([&](const auto &by) { by.solve(mode == Mode::N, y.data(), b.count); });
    for (Index k = 0; k < b.length; ++k) {
      const Index i = mode == Mode::N ? k : (*order)(k);
      const Real<T> scale =
          mode == Mode::N ? this->columnScale[i] : this->rowScale[i];
      for (Index j = 0; j < b.count; ++j) {
        const T value = y[j * b.length + k] * scale;
        x.row(i)[j] = conjugated ? conjugate(value) : value;
      }
    }
  }

  Determinant<T> determinant() const override {
    ScaledProduct<T> product;
    const int sign = with([](const auto &by) { return by.permutationSign(); });
    product.multiply(T(Real<T>(sign * signOf(*order))));
    for (size_t k = 0; k < this->rowScale.size(); ++k) {
      product.multiply(with(
          [&](const auto &by) { return by.pivot(static_cast<Index>(k)); }));
      product.divide(this->rowScale[k]), product.divide(this->columnScale[k]);
    }
    return product.determinant();
  }

  double entries() const override {
    return with([](const auto &by) { return by.count(); });
  }

  int64_t bytes() const override {
    return with([](const auto &by) { return by.bytes(); }) +
           static_cast<int64_t>(this->rowScale.size() * 2 * sizeof(Real<T>));
  }

private:
  /// What the pattern says, made once.
  template <typename Made, typename Make>
  const Made &analysis(const Matrix<T> &A, AttachmentKind kind, Make &&make) {
    const auto made = A.pattern->attachments().template get<Made>(
        attachmentKey(kind, static_cast<uint64_t>(A.item) << 8 | TSGU_LU),
        [&] { return make(A); });
    order = std::shared_ptr<const Indices>(made, &made->order);
    return *made;
  }
  Sparse<T> scaledColumns(const Matrix<T> &A) const {
    return columnsOf<T, T>(A, *order, [&](Index i, Index j, Index e) {
      return A.values[e] * this->rowScale[i] * this->columnScale[j];
    });
  }

  /// Whether the diagonal's entries suit as pivots: those that do so do it
  /// whatever was factorised before.
  bool factoriseByDiagonal(const Matrix<T> &A) {
    const auto &from =
        analysis<DiagonalPivots>(A, AttachmentKind::Pivots, analyseDiagonal<T>);
    if (!from.pivots)
      return false;
    auto made = std::make_unique<lu::StaticLU<T>>(from.pivots);
    if (!made->factorise(scaledColumns(A)))
      return false;
    factors = std::move(made);
    return true;
  }
  void factoriseByPivoting(const Matrix<T> &A) {
    const auto &from =
        analysis<Elimination>(A, AttachmentKind::Elimination, analyse<T>);
    auto made = std::make_unique<EigenLU<T>>();
    made->factorize(scaledColumns(A), from);
    if (made->info() != Eigen::Success)
      failAt(A, *made);
    factors = std::move(made);
  }

  /// function(factors), whichever they are.
  template <typename F> decltype(auto) with(F &&function) const {
    return std::visit(
        [&](const auto &of) -> decltype(auto) { return function(*of); },
        factors);
  }

  /// Only its message says where it ended: at which column, from 1.
  [[noreturn]] void failAt(const Matrix<T> &A,
                           const EigenLU<T> &factors) const {
    const std::string message = factors.lastErrorMessage();
    const size_t digits = message.find_last_not_of("0123456789") + 1;
    const Index k = std::atoll(message.c_str() + digits);
    if (factors.info() == Eigen::InvalidInput || k < 1 || k > A.rows())
      fail(Status::OutOfMemory, "lu: out of memory for the factors");
    // Rounding may have hidden an earlier row's, and left this one without any.
    constexpr auto nothing = 1000 * std::numeric_limits<Real<T>>::epsilon();
    Index at = k - 1;
    for (Index earlier = 0; earlier < k - 1 && at == k - 1; ++earlier)
      if (std::abs(factors.pivot(earlier)) < nothing)
        at = earlier;
    fail(Status::Singular,
         "lu: the matrix is singular: ", nameOfRow(A, (*order)(at)),
         " is a combination of the rows eliminated before it; try "
         "sparse_generic_lstsq");
  }

  std::shared_ptr<const Indices> order; ///< Rows of A as they are eliminated.
  std::variant<std::unique_ptr<EigenLU<T>>, std::unique_ptr<lu::StaticLU<T>>>
      factors;
};

} // namespace

template <typename T>
Factors<T> factorizeLU(const Matrix<T> &A, const tsgu_executor &) {
  return std::make_shared<LU<T>>(A);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> factorizeLU(const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
