//===- Krylov.cpp - Iterative solves of one matrix ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Krylov.h"
#include "base/Callbacks.h"
#include "solvers/Preconditioners.h"
#include "solvers/Product.h"
#include "solvers/Refinement.h"
#include "solvers/Report.h"
#include "solvers/Solve.h"

namespace tsgu::runtime {

template <typename T> Task (*methodOf(int64_t method))(Iteration<T> &) {
  switch (method) {
#define TSGU_KRYLOV_METHOD(number, enumerator, name, title, needs, products,   \
                           function)                                           \
  case number:                                                                 \
    return function<T>;
#include "tsgu/Methods.def"
  }
  fail(Status::InvalidArgument, "solver: method ", method,
       " is none for a square matrix");
}

template <typename T>
static void answer(Product<T> &product, const Prepared<T> *preconditioner,
                   Mode mode, const tsgu_executor &executor,
                   const Request<T> &request) {
  if (request.ask != Ask::Precondition)
    return product.serve(request);
  const int64_t n = product.rows(), k = request.columns;
  preconditioner->apply(mode, {request.in, n, k, k}, {request.out, n, k, k},
                        executor);
  if (product.exponent() == 0)
    return;
  const PowerOfTwo<Real<T>> factor(-product.exponent());
  for (int64_t e = 0; e < n * k; ++e)
    request.out[e] = factor(request.out[e]);
}

template <typename T>
static void solveSquare(const Problem &problem, const Matrix<T> &A,
                        Vectors<const T> b, Vectors<T> x,
                        const tsgu_executor &executor) {
  const tsgu_solver &solver = *problem.solver;
  Product<T> product(A, problem.mode, executor);
  std::shared_ptr<const Prepared<T>> preconditioner;
  if (solver.preconditioner != TSGU_NO_PRECONDITIONER)
    preconditioner = makePreconditioner<T>(solver, A, executor);
  RefinementOptions<T> options;
  options.solver = &solver;
  options.guess = problem.guess;
  options.preconditioned = preconditioner != nullptr;
  options.operatorScale = product.exponent();
  Channel<T> channel;
  Refinement<T> refinement(options, methodOf<T>(solver.method), b, x, executor,
                           channel);
  Task task = refinement.run();
  for (task.start(); !task.done(); channel.resume()) {
    checkInterrupt();
    answer(product, preconditioner.get(), problem.mode, executor,
           channel.request);
  }
  task.finish();
  report<T>(problem, A, refinement.result);
}

template <typename T>
void solveIteratively(const Problem &problem, const Matrix<T> &A,
                      Vectors<const T> b, Vectors<T> x,
                      const tsgu_executor &executor) {
  if (problem.kind == Problem::NormalEquations)
    return problem.solver->method == TSGU_CALLBACK
               ? solveNormalByCaller(problem, A, b, x, executor)
               : solveNormalEquations(problem, A, b, x, executor);
  if (problem.solver->method == TSGU_CALLBACK)
    return solveByCaller(problem, A, b, x, executor);
  if (problem.kind == Problem::LeastSquares)
    return solveLeastSquares(problem, A, b, x, executor);
  solveSquare(problem, A, b, x, executor);
}

#define INSTANTIATE(T)                                                         \
  template Task (*methodOf<T>(int64_t))(Iteration<T> &);                       \
  template void solveIteratively(const Problem &, const Matrix<T> &,           \
                                 Vectors<const T>, Vectors<T>,                 \
                                 const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
