//===- Preconditioners.cpp - Preconditioners, made once for their values --===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Preconditioners.h"
#include "solvers/preconditioners/Makers.h"

#include <bit>

namespace tsgu::runtime {

/// Kinds of preconditioners among those of prepared things.
static constexpr int64_t preconditionerKind = 64;

static std::atomic<uint64_t> setups{0};

uint64_t preconditionerSetups() {
  return setups.load(std::memory_order_relaxed);
}

template <typename T>
static Made<T> make(int64_t kind, int64_t blockSize, double relaxation,
                    const Matrix<T> &A, const tsgu_executor &executor) {
  switch (kind) {
  case TSGU_JACOBI:
    return makeJacobi(A, executor);
  case TSGU_BLOCK_JACOBI:
    return makeBlockJacobi(A, blockSize, executor);
  case TSGU_SSOR:
    return makeSSOR(A, relaxation, executor);
  case TSGU_ILU0:
    return makeIncompleteLU(A, executor);
  case TSGU_IC0:
    return makeIncompleteCholesky(A, executor);
  case TSGU_AMG:
    return makeSmoothedAggregation(A, executor);
  default:
    fail(Status::InvalidArgument, "solver: preconditioner ", kind,
         " is none of tsgu_preconditioner");
  }
}

template <typename T>
std::shared_ptr<const Prepared<T>>
makePreconditioner(const tsgu_solver &solver, const Matrix<T> &A,
                   const tsgu_executor &executor) {
  const int64_t kind = solver.preconditioner;
  if (kind == TSGU_NO_PRECONDITIONER)
    return nullptr;
  if (A.rows() != A.columns())
    fail(Status::InvalidArgument,
         "a preconditioner needs a square matrix, not "
         "one of ",
         A.rows(), " x ", A.columns());

  const int64_t blockSize = kind != TSGU_BLOCK_JACOBI ? 0
                            : solver.block_size       ? solver.block_size
                                                      : 8;
  const double relaxation = kind != TSGU_SSOR        ? 0
                            : solver.relaxation != 0 ? solver.relaxation
                                                     : 1;
  PreparedKey key;
  key.kind = preconditionerKind + kind;
  key.options = {blockSize, std::bit_cast<int64_t>(relaxation)};
  return prepare<Prepared<T>>(key, A, executor, [&] {
    Made<T> made = make(kind, blockSize, relaxation, A, executor);
    setups.fetch_add(1, std::memory_order_relaxed);
    return made;
  });
}
#define INSTANTIATE(T)                                                         \
  template std::shared_ptr<const Prepared<T>> makePreconditioner(              \
      const tsgu_solver &, const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
