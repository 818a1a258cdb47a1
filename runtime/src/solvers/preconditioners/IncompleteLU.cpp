//===- IncompleteLU.cpp - ILU(0) ------------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// M = L U with L and U on the pattern of A, where L U equals A (Meijerink, van
// der Vorst 1977). L has ones on its diagonal.
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/Diagonal.h"
#include "solvers/preconditioners/Makers.h"
#include "solvers/preconditioners/TrianglePair.h"

namespace tsgu::runtime {
namespace {

/// Row by row (IKJ; Saad, Iterative Methods, algorithm 10.4). `values` begins
/// with the item's first entry, and so do `positions` count from `first`.
template <typename T, typename I>
void factorize(const Matrix<T> &A, const I *positions, const I *coordinates,
               const std::vector<int64_t> &diagonal, T *values) {
  std::vector<int64_t> where(A.rows(), -1); // Of the row's entries, by column.
  InterruptCheck check;
  for (int64_t i = 0; i < A.rows(); ++i) {
    for (int64_t k = positions[i]; k < positions[i + 1]; ++k)
      where[coordinates[k]] = k;
    for (int64_t k = positions[i]; k < diagonal[i]; ++k) {
      const int64_t pivot = diagonal[coordinates[k]];
      const T factor = values[k] /= values[pivot];
      check.after(positions[coordinates[k] + 1] - pivot);
      for (int64_t u = pivot + 1; u < positions[coordinates[k] + 1]; ++u)
        if (const int64_t to = where[coordinates[u]]; to >= 0)
          values[to] -= times(factor, values[u]);
    }
    for (int64_t k = positions[i]; k < positions[i + 1]; ++k)
      where[coordinates[k]] = -1;
    if (values[diagonal[i]] == T(0))
      fail(Status::Singular, "ILU(0): the pivot of ", nameOfRow(A, i),
           " became zero (the diagonal entry of A is ", A.values[diagonal[i]],
           "); reorder the rows, add to the diagonal, or use another "
           "preconditioner");
  }
}

template <typename T>
ItemValues<T> factors(const Matrix<T> &A, const tsgu_executor &executor) {
  const std::vector<int64_t> diagonal = findDiagonal(A, "ILU(0)");
  ItemValues<T> values(A, executor);
  withRows(A, [&](auto *positions, auto *coordinates) {
    factorize(A, positions, coordinates, diagonal, values.data());
  });
  return values;
}

template <typename T> class IncompleteLU : public Prepared<T> {
public:
  IncompleteLU(const Matrix<T> &A, const tsgu_executor &executor)
      : pair(A, factors(A, executor), true, executor) {}

  void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor) const override {
    pair.solve(mode, r, z, executor, [](Vectors<T>) {});
  }

  int64_t bytes() const override { return pair.bytes(); }

private:
  TrianglePair<T> pair;
};

} // namespace

template <typename T>
Made<T> makeIncompleteLU(const Matrix<T> &A, const tsgu_solver &,
                         const tsgu_executor &executor) {
  return std::make_shared<IncompleteLU<T>>(A, executor);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeIncompleteLU(const Matrix<T> &, const tsgu_solver &,    \
                                    const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
