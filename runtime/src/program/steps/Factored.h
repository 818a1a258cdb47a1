//===- Factored.h - What steps by a factorisation share ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_STEPS_FACTORED_H
#define TSGU_SRC_PROGRAM_STEPS_FACTORED_H

#include "base/Callbacks.h"
#include "direct/Factorization.h"
#include "program/Step.h"
#include "solvers/Solve.h"

namespace tsgu::runtime {

/// Of a step that reads a solver and the values of a matrix first.
inline void requireSquare(const StepView &view) {
  view.requireCSR();
  const std::vector<int32_t> &shape = view.pattern().shape;
  view.require(shape.back() == shape[shape.size() - 2],
               "has a matrix that is not square");
}

/// Whether the items of a batch have a matrix each, on one pattern of rank 2,
/// whose values follow one another.
inline bool hasManyMatrices(const HostStep &call) {
  const int64_t size = elementSize(call.binding.valueType);
  return call.pattern().rank() == 2 && call.pattern().stored() > 0 &&
         call.frame.itemBytes(call.plan.reads[1]) ==
             call.pattern().stored() * size;
}

/// function(A, factors) for the matrix of each item that has rows and is not
/// among those that are `done`. Throws InvalidArgument for a method that does
/// not factorise, and what factorize throws.
template <typename F>
void forFactored(const HostStep &call, F &&function,
                 const std::vector<char> &done = {}) {
  const tsgu_solver &solver = call.solver();
  checkSolver(solver);
  if (!isDirect(solver.method))
    fail(Status::InvalidArgument, call.view.info.name,
         " takes a factorisation, by \"lu\" or \"cholesky\", not by ",
         methodAt(solver.method).name);
  Pattern &pattern = call.pattern();
  if (pattern.rows() != pattern.columns())
    fail(Status::InvalidArgument, call.view.info.name,
         " takes a square matrix, not one of ", pattern.rows(), " x ",
         pattern.columns());
  withValueType(call.binding.valueType, [&]<typename T>(T) {
    for (int64_t item = 0; item < pattern.items(); ++item) {
      checkInterrupt();
      const Matrix<T> A{&pattern, item,
                        reinterpret_cast<const T *>(call.read(1))};
      if (pattern.rows() > 0 && (done.empty() || !done[item]))
        function(A, *factorize(solver.method, A, call.executor));
    }
  });
}

/// Of A's item, in an array of those of all items.
template <typename V, typename T> V *itemOf(V *values, const Matrix<T> &A) {
  return values + A.pattern->csr().position(A.firstRow());
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_STEPS_FACTORED_H
