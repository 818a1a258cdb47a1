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

namespace {
template <typename T> struct Maker {
  Made<T> (*make)(const Matrix<T> &, const tsgu_solver &,
                  const tsgu_executor &) = nullptr;
  int64_t option = 0; ///< The bits of what it reads.
};

/// Returns how it is made, and fills in the option that was left out.
template <typename T> Maker<T> makerOf(tsgu_solver &solver) {
  switch (solver.preconditioner) {
#define TSGU_PRECONDITIONER(number, enumerator, name, function, option,        \
                            otherwise)                                         \
  case number:                                                                 \
    if (solver.option == 0)                                                    \
      solver.option = otherwise;                                               \
    return {function<T>, std::bit_cast<int64_t>(solver.option)};
#include "tsgu/Methods.def"
  default:
    fail(Status::InvalidArgument, "solver: preconditioner ",
         solver.preconditioner, " is none of tsgu_preconditioner");
  }
}
} // namespace

template <typename T>
std::shared_ptr<const Prepared<T>>
makePreconditioner(const tsgu_solver &given, const Matrix<T> &A,
                   const tsgu_executor &executor) {
  if (given.preconditioner == TSGU_NO_PRECONDITIONER)
    return nullptr;
  if (A.rows() != A.columns())
    fail(Status::InvalidArgument,
         "a preconditioner needs a square matrix, not one of ", A.rows(), " x ",
         A.columns());
  tsgu_solver solver = given;
  const Maker<T> maker = makerOf<T>(solver);
  PreparedKey key;
  key.kind = preconditionerKind + solver.preconditioner;
  key.options = {maker.option, 0};
  return prepare<Prepared<T>>(key, A, executor, [&] {
    Made<T> made = maker.make(A, solver, executor);
    setups.fetch_add(1, std::memory_order_relaxed);
    return made;
  });
}
#define INSTANTIATE(T)                                                         \
  template std::shared_ptr<const Prepared<T>> makePreconditioner(              \
      const tsgu_solver &, const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
