//===- SSOR.cpp - Symmetric successive over-relaxation --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With A = L + D + U and w the relaxation (Saad, Iterative Methods, 10.2)
//
//   M = w / (2 - w) (D / w + L) D^-1 (D / w + U),
//
// which is Hermitian where A is, and positive definite where D is too: it then
// preconditions CG and MINRES.
//
//===----------------------------------------------------------------------===//

#include "../../triangular/Triangular.h"
#include "Makers.h"
#include "Rows.h"

namespace tsgu::runtime {
namespace {

template <typename T> class SSOR : public Preconditioner<T> {
public:
  SSOR(const Matrix<T> &A, double relaxation, const tsgu_executor &executor)
      : scaled(A.rows()) {
    const std::vector<int64_t> diagonal = findDiagonal(A, "SSOR");
    const Layout &csr = A.pattern->csr();
    const int64_t first = csr.position(A.firstRow());
    std::vector<T> values(A.values + first,
                          A.values + csr.position(A.firstRow() + A.rows()));
    for (int64_t i = 0; i < A.rows(); ++i) {
      T &entry = values[diagonal[i] - first];
      scaled[i] = entry * Real<T>((2 - relaxation) / relaxation);
      entry /= Real<T>(relaxation);
    }
    const Matrix<T> both{A.pattern, A.item, values.data() - first};
    lower = std::make_unique<PreparedTriangle<T>>(both, Triangle{false, false},
                                                  executor);
    upper = std::make_unique<PreparedTriangle<T>>(both, Triangle{true, false},
                                                  executor);
  }

  void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor) const override {
    const auto &first = mode == Mode::N ? lower : upper;
    const auto &last = mode == Mode::N ? upper : lower;
    first->solve(mode, r, z, executor);
    forRows(executor, z.length, 2 * z.count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T factor = mode == Mode::C ? conjugate(scaled[i]) : scaled[i];
        for (int64_t j = 0; j < z.count; ++j)
          z.row(i)[j] = times(factor, z.row(i)[j]);
      }
    });
    last->solve(mode, {z.data, z.length, z.count, z.stride}, z, executor);
  }

  int64_t bytes() const override {
    return scaled.size() * sizeof(T) + lower->bytes() + upper->bytes();
  }

private:
  std::vector<T> scaled; ///< (2 - w) / w D.
  std::unique_ptr<PreparedTriangle<T>> lower, upper;
};

} // namespace

template <typename T>
Made<T> makeSSOR(const Matrix<T> &A, double relaxation,
                 const tsgu_executor &executor) {
  return std::make_unique<SSOR<T>>(A, relaxation, executor);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeSSOR(const Matrix<T> &, double, const tsgu_executor &);
TSGU_FOR_EACH_VALUE_TYPE(INSTANTIATE)

} // namespace tsgu::runtime
