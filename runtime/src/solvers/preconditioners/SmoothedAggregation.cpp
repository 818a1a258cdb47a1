//===- SmoothedAggregation.cpp - Algebraic multigrid ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The setup: levels until a dense inverse is cheap. For Hermitian A, R = P^H.
// Otherwise R^H is the prolongator of A^H on the same aggregates, and the
// adjoints of all matrices are kept for M^-H.
//
//===----------------------------------------------------------------------===//

#define EIGEN_MPL2_ONLY
#define EIGEN_DONT_PARALLELIZE

#include "pattern/ItemValues.h"
#include "solvers/preconditioners/Diagonal.h"
#include "solvers/preconditioners/Makers.h"
#include "solvers/preconditioners/multigrid/Coarsening.h"
#include "solvers/preconditioners/multigrid/Cycle.h"

#include <Eigen/LU>
#include <Eigen/QR>

#include <limits>

namespace tsgu::runtime {

using namespace multigrid;

namespace {

constexpr int64_t denseRows = 200;    ///< The coarsest level, where possible.
constexpr int64_t stalledRows = 1000; ///< Or where coarsening comes to nothing.
constexpr int64_t mostLevels = 25;

/// A connection is strong from this on, relative to the diagonal. Vanek et al.
/// halve it from level to level; in three dimensions that leaves too few
/// connections on the second (27 iterations of CG instead of 11 on 100^3).
double strength(int64_t level) { return 0.08 * std::pow(0.25, level); }

/// A^-1, or the pseudo-inverse if A is numerically singular; in double.
template <typename T>
std::vector<T> denseInverse(const CSR<T> &A, bool hermitian) {
  using Dense =
      Eigen::Matrix<Wide<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Dense dense = Dense::Zero(A.rows, A.rows);
  for (int64_t i = 0; i < A.rows; ++i)
    for (int64_t k = A.positions[i]; k < A.positions[i + 1]; ++k)
      dense(i, A.coordinates[k]) = static_cast<Wide<T>>(A.values[k]);
  const Eigen::PartialPivLU<Dense> lu(dense);
  const double singular =
      A.rows * static_cast<double>(std::numeric_limits<Real<T>>::epsilon());
  Dense inverse;
  if (lu.rcond() > singular) {
    inverse = lu.inverse();
  } else {
    Eigen::CompleteOrthogonalDecomposition<Dense> decomposition;
    decomposition.setThreshold(singular);
    inverse = decomposition.compute(dense).pseudoInverse();
  }
  if (hermitian)
    inverse = (0.5 * (inverse + inverse.adjoint())).eval();
  std::vector<T> result(A.rows * A.rows);
  std::transform(inverse.data(), inverse.data() + result.size(), result.begin(),
                 [](Wide<T> x) { return static_cast<T>(x); });
  return result;
}

template <typename T> class SmoothedAggregation : public Prepared<T> {
public:
  SmoothedAggregation(const Matrix<T> &A, const tsgu_executor &executor)
      : values(A, executor) {
    levels.emplace_back().A = viewOf(values.of(A));
    hermitian = isHermitian(levels[0].A);
    while (coarsen(executor)) {
    }
    const int64_t rows = levels.back().A.rows;
    if (rows <= (levels.size() > 1 ? stalledRows : denseRows))
      levels.back().dense = denseInverse(levels.back().A, hermitian);
    if (!hermitian)
      for (const Level<T> &level : levels)
        adjoints.push_back(adjointOf(level));
  }

  void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor) const override {
    const auto &used = mode == Mode::N || hermitian ? levels : adjoints;
    if (!isComplex<T> || mode != Mode::T)
      return cycle(used, r, z, executor);
    // M^-T r = conj(M^-H conj(r)).
    std::vector<T> conjugated(multiply(r.length, r.count));
    const Vectors<T> copy{conjugated.data(), r.length, r.count, r.count};
    conjugateRows(r, copy);
    cycle(used, Vectors<const T>{copy.data, r.length, r.count, r.count}, z,
          executor);
    conjugateRows(Vectors<const T>{z.data, z.length, z.count, z.stride}, z);
  }

  int64_t bytes() const override {
    int64_t sum = values.bytes();
    for (const auto *list : {&levels, &adjoints})
      for (const Level<T> &level : *list)
        sum += level.bytes();
    return sum;
  }

private:
  /// Adds a level below the last. False: that is small enough, or has nothing
  /// to aggregate.
  bool coarsen(const tsgu_executor &executor) {
    const auto depth = static_cast<int64_t>(levels.size()) - 1;
    Level<T> &fine = levels.back();
    fine.inverseDiagonal = inverseDiagonal(fine.A, depth);
    fine.radius = spectralRadius(fine.A, fine.inverseDiagonal, executor);
    if (fine.A.rows <= denseRows || depth + 1 == mostLevels)
      return false;

    const CSR<T> strong = strongPart(fine.A, strength(depth));
    const Aggregates aggregates = aggregate(strong);
    if (aggregates.count == 0 || aggregates.count > fine.A.rows * 9 / 10)
      return false;
    fine.P = prolongator(strong, aggregates, depth, executor);
    fine.R = adjoint(fine.P);
    if (!hermitian)
      fine.R = adjoint(prolongator(strongPart(adjoint(fine.A), strength(depth)),
                                   aggregates, depth, executor));
    Level<T> coarse;
    coarse.A = product(fine.R, product(fine.A, fine.P, executor), executor);
    levels.push_back(std::move(coarse));
    return true;
  }

  static Level<T> adjointOf(const Level<T> &level) {
    Level<T> result;
    result.A = adjoint(level.A);
    result.radius = level.radius;
    for (T entry : level.inverseDiagonal)
      result.inverseDiagonal.push_back(conjugate(entry));
    if (level.P.rows > 0) {
      result.P = adjoint(level.R);
      result.R = adjoint(level.P);
    }
    const int64_t n = level.dense.empty() ? 0 : level.A.rows;
    result.dense.resize(n * n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        result.dense[j * n + i] = conjugate(level.dense[i * n + j]);
    return result;
  }

  static void conjugateRows(Vectors<const T> from, Vectors<T> to) {
    for (int64_t i = 0; i < from.length; ++i)
      for (int64_t j = 0; j < from.count; ++j)
        to.row(i)[j] = conjugate(from.row(i)[j]);
  }

  ItemValues<T> values; ///< Of the finest level.
  bool hermitian = false;
  std::vector<Level<T>> levels, adjoints; ///< From the finest to the coarsest.
};

} // namespace

template <typename T>
Made<T> makeSmoothedAggregation(const Matrix<T> &A, const tsgu_solver &,
                                const tsgu_executor &executor) {
  if (!fitsInt32(A.rows()))
    fail(Status::InvalidArgument, "AMG: the matrix has ", A.rows(),
         " rows; 2,147,483,647 are the most");
  findDiagonal(A, "AMG"); // Or throws.
  return std::make_shared<SmoothedAggregation<T>>(A, executor);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeSmoothedAggregation(                                    \
      const Matrix<T> &, const tsgu_solver &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
