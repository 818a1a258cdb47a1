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

#include "solvers/preconditioners/Diagonal.h"
#include "solvers/preconditioners/Makers.h"
#include "solvers/preconditioners/TrianglePair.h"

namespace tsgu::runtime {
namespace {

template <typename T> class SSOR : public Prepared<T> {
public:
  SSOR(const Matrix<T> &A, double relaxation, const tsgu_executor &executor)
      : scaled(A.rows()),
        pair(A, relax(A, relaxation, scaled, executor), false, executor) {}

  void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor) const override {
    pair.solve(mode, r, z, executor, [&](Vectors<T> z) {
      forRows(executor, z.length, 2 * z.count, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const T factor = mode == Mode::C ? conjugate(scaled[i]) : scaled[i];
          for (int64_t j = 0; j < z.count; ++j)
            z.row(i)[j] = times(factor, z.row(i)[j]);
        }
      });
    });
  }

  int64_t bytes() const override {
    return scaled.size() * sizeof(T) + pair.bytes();
  }

private:
  /// L + D / w + U, and in `scaled` (2 - w) / w D.
  static ItemValues<T> relax(const Matrix<T> &A, double relaxation,
                             std::vector<T> &scaled,
                             const tsgu_executor &executor) {
    const std::vector<int64_t> diagonal = findDiagonal(A, "SSOR");
    ItemValues<T> values(A, executor);
    for (int64_t i = 0; i < A.rows(); ++i) {
      T &entry = values.data()[diagonal[i]];
      scaled[i] = entry * Real<T>((2 - relaxation) / relaxation);
      entry /= Real<T>(relaxation);
    }
    return values;
  }

  std::vector<T> scaled; ///< (2 - w) / w D.
  TrianglePair<T> pair;
};

} // namespace

template <typename T>
Made<T> makeSSOR(const Matrix<T> &A, const tsgu_solver &options,
                 const tsgu_executor &executor) {
  return std::make_shared<SSOR<T>>(A, options.relaxation, executor);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeSSOR(const Matrix<T> &, const tsgu_solver &,            \
                            const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
