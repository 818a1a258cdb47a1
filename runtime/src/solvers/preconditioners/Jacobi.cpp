//===- Jacobi.cpp - The inverse of the diagonal ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/Diagonal.h"
#include "solvers/preconditioners/Makers.h"

namespace tsgu::runtime {
namespace {

template <typename T> class Jacobi : public Prepared<T> {
public:
  explicit Jacobi(const Matrix<T> &A) : inverse(A.rows()) {
    const std::vector<int64_t> diagonal = findDiagonal(A, "Jacobi");
    for (int64_t i = 0; i < A.rows(); ++i) {
      const T entry = A.values[diagonal[i]];
      inverse[i] = T(1) / entry;
      if (isFinite(entry) && !isFinite(inverse[i]))
        fail(Status::Singular, "Jacobi: the diagonal of ", nameOfRow(A, i),
             " is ", entry, ", whose inverse overflows; scale the matrix");
    }
  }

  void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor) const override {
    forRows(executor, r.length, 2 * r.count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T factor = mode == Mode::C ? conjugate(inverse[i]) : inverse[i];
        for (int64_t j = 0; j < r.count; ++j)
          z.row(i)[j] = times(factor, r.row(i)[j]);
      }
    });
  }

  int64_t bytes() const override { return inverse.size() * sizeof(T); }

private:
  std::vector<T> inverse;
};

} // namespace

template <typename T>
Made<T> makeJacobi(const Matrix<T> &A, const tsgu_solver &,
                   const tsgu_executor &) {
  return std::make_shared<Jacobi<T>>(A);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeJacobi(const Matrix<T> &, const tsgu_solver &,          \
                              const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
