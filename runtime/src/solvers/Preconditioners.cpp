//===- Preconditioners.cpp - Preconditioners, made once for their values --===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Preconditioners.h"
#include "pattern/ContentCache.h"
#include "solvers/preconditioners/Makers.h"

namespace tsgu::runtime {

static std::atomic<uint64_t> setups{0};

uint64_t preconditionerSetups() {
  return setups.load(std::memory_order_relaxed);
}

namespace {

/// A preconditioner with the options and the values that it was made from.
template <typename T> struct Kept {
  int64_t blockSize = 0;
  double relaxation = 0;
  KeptValues<T> values;
  std::unique_ptr<Preconditioner<T>> made;
  CountedBytes counted;

  explicit Kept(const Matrix<T> &A) : values(A) {}
  int64_t bytes() const { return values.bytes() + made->bytes(); }
};

template <typename T>
Made<T> make(int64_t kind, const Matrix<T> &A, const Kept<T> &options,
             const tsgu_executor &executor) {
  switch (kind) {
  case TSGU_JACOBI:
    return makeJacobi(A, executor);
  case TSGU_BLOCK_JACOBI:
    return makeBlockJacobi(A, options.blockSize, executor);
  case TSGU_SSOR:
    return makeSSOR(A, options.relaxation, executor);
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

} // namespace

template <typename T>
std::shared_ptr<const Preconditioner<T>>
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
  using Cache = ContentCache<Kept<T>>;
  const auto cache = A.pattern->attachments().template get<Cache>(
      attachmentKey(AttachmentKind::Preconditioner,
                    static_cast<uint64_t>(A.item) << 8 | kind << 2 |
                        typeCode<T>()),
      [] { return std::make_shared<Cache>(2, 0); });

  auto same = [&](const auto &entry) {
    return entry->blockSize == blockSize && entry->relaxation == relaxation &&
           entry->values.areThoseOf(A);
  };
  auto result = [](std::shared_ptr<const Kept<T>> entry) {
    const Preconditioner<T> *made = entry->made.get();
    return std::shared_ptr<const Preconditioner<T>>(std::move(entry), made);
  };
  if (auto found = cache->find(same))
    return result(std::move(found));

  auto kept = std::make_shared<Kept<T>>(A);
  kept->blockSize = blockSize, kept->relaxation = relaxation;
  kept->made = make(kind, kept->values.of(A), *kept, executor);
  kept->counted.set(kept->bytes());
  setups.fetch_add(1, std::memory_order_relaxed);
  cache->insert(kept);
  return result(std::move(kept));
}
#define INSTANTIATE(T)                                                         \
  template std::shared_ptr<const Preconditioner<T>> makePreconditioner(        \
      const tsgu_solver &, const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
