//===- IterationAPI.cpp - The C API of solves by reverse communication ----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "api/ArgumentChecks.h"
#include "api/LastError.h"
#include "program/Signature.h"
#include "solvers/Closure.h"
#include "solvers/Methods.h"
#include "solvers/Report.h"

#include <cmath>

using namespace tsgu;
using namespace tsgu::runtime;

namespace {

struct Handle {
  std::unique_ptr<ClosureBase> closure;
  tsgu_type type = TSGU_F64;
  enum { Running, Done, Failed } state = Running;
  std::string explanation;
  int64_t inShape[2], outShape[2], strides[2];
};

Handle *unwrap(tsgu_iteration *iteration) {
  return reinterpret_cast<Handle *>(iteration);
}

Handle &finished(tsgu_iteration *iteration) {
  requireNotNull(iteration, "iteration");
  Handle &handle = *unwrap(iteration);
  if (handle.state != Handle::Done)
    fail(Status::InvalidArgument,
         "the iteration is not done: call tsgu_iteration_next until it says "
         "TSGU_DONE");
  return handle;
}

void checkOptions(const tsgu_solver &solver,
                  const tsgu_iteration_options &options) {
  checkSolver(solver);
  auto refuse = [](bool wrong, const char *what) {
    if (wrong)
      fail(Status::InvalidArgument, "iteration: ", what);
  };
  refuse(solver.method != TSGU_LSMR &&
             methodAt(solver.method).kind != TSGU_KRYLOV,
         "method must be one that iterates");
  refuse(solver.preconditioner != 0 || solver.scale_columns != 0,
         "preconditioner and scale_columns need a matrix; for a closure they "
         "must be 0 (give a preconditioner as TSGU_PRECONDITION requests)");
  const bool lsmr = solver.method == TSGU_LSMR;
  refuse(lsmr && options.preconditioned, "LSMR takes no preconditioner");
  refuse(lsmr && options.shift_count, "LSMR takes no shifts");
  refuse(options.shift_count < 0 || options.tridiagonals < 0,
         "shift_count and tridiagonals must not be negative");
  refuse(options.shift_count > 0 && !options.shifts, "shifts is NULL");
  refuse(options.tridiagonals > 0 && solver.method != TSGU_CG,
         "Lanczos matrices come from CG");
  for (int32_t s = 0; s < options.shift_count; ++s)
    refuse(!std::isfinite(options.shifts[s]), "a shift is not finite");
  refuse(!std::isfinite(options.factor), "factor is not finite");
  auto inRange = [](double value) { return value >= 0 && value < INFINITY; };
  refuse(!inRange(options.rest) || !inRange(options.least_product) ||
             options.min_iterations < 0 || options.max_products < 0,
         "rest, least_product, min_iterations and max_products must be finite "
         "and not negative");
  const bool ofCG = options.mean || options.min_iterations ||
                    options.rest > 0 || options.least_product > 0;
  refuse(ofCG && solver.method != TSGU_CG,
         "mean, min_iterations, rest and least_product are for CG");
  refuse(ofCG && (solver.rtol == 0 || solver.atol != 0),
         "mean, min_iterations, rest and least_product are relative to rtol, "
         "which must not be 0, and atol must be");
  refuse(lsmr && options.max_products, "LSMR takes no max_products");
}

/// [rows, columns], of `rank` 2 or with a leading dimension of any length.
void checkBlock(const char *name, const tsgu_tensor *tensor, int32_t rank,
                tsgu_type type) {
  requireNotNull(tensor, name);
  bool fits = tensor->rank == rank && tensor->shape && tensor->strides &&
              tensor->type == type;
  for (int32_t d = 0; fits && d < rank; ++d)
    fits = tensor->shape[d] >= 0 &&
           (d + 1 < rank ? tensor->strides[d] >= 0
                         : tensor->strides[d] == 1 || tensor->shape[d] <= 1);
  if (!fits)
    fail(Status::InvalidArgument, name, " must have rank ", rank,
         ", the type of b and a last stride of 1");
  if (elementsOf(*tensor) > 0)
    requireNotNull(tensor->data, name);
}

void checkShapes(const tsgu_solver &solver,
                 const tsgu_iteration_options &options, const tsgu_tensor *b,
                 const tsgu_tensor *x) {
  requireNotNull(b, "b");
  if (!isSolverType(static_cast<ElementType>(b->type)))
    fail(Status::InvalidArgument, "b must be of type ", solverTypes);
  const bool shifted = options.shift_count > 0;
  checkBlock("b", b, 2, b->type);
  checkBlock("x", x, shifted ? 3 : 2, b->type);
  const int64_t *shape = x->shape + shifted;
  if (shifted && x->shape[0] != options.shift_count)
    fail(Status::InvalidArgument, "x must have shape [shift_count, n, p]");
  if (shape[1] != b->shape[1])
    fail(Status::InvalidArgument, "b has ", b->shape[1], " columns, x ",
         shape[1]);
  if (solver.method != TSGU_LSMR && shape[0] != b->shape[0])
    fail(Status::InvalidArgument, "b has ", b->shape[0], " rows, x ", shape[0],
         "; they must be alike for a square matrix");
  if (options.tridiagonals > b->shape[1])
    fail(Status::InvalidArgument, "Lanczos matrices of ", options.tridiagonals,
         " columns are wanted; b has ", b->shape[1]);
  checkApart("b", *b, "x", *x);
}

template <typename T>
std::unique_ptr<ClosureBase>
makeClosure(const tsgu_solver &solver, const tsgu_iteration_options &given,
            const tsgu_tensor &b, const tsgu_tensor &x,
            const tsgu_executor *executor) {
  ClosureOptions options;
  options.guess = given.guess != 0;
  options.preconditioned = given.preconditioned != 0;
  options.fixedColumns = given.fixed_columns != 0;
  options.tridiagonals = given.tridiagonals;
  options.shifts.assign(given.shifts, given.shifts + given.shift_count);
  options.factor = given.factor != 0 ? given.factor : 1;
  options.criteria.mean = given.mean != 0;
  options.criteria.leastIterations = given.min_iterations;
  options.criteria.mostProducts = given.max_products;
  const double rtol = relativeTolerance<T>(solver);
  if (given.rest > 0)
    options.criteria.rest = given.rest / rtol;
  options.criteria.leastProduct = given.least_product / (rtol * rtol);
  const int lead = given.shift_count > 0;
  return std::make_unique<Closure<T>>(
      solver, std::move(options),
      Vectors<const T>{static_cast<const T *>(b.data), b.shape[0], b.shape[1],
                       b.strides[0]},
      Vectors<T>{static_cast<T *>(x.data), x.shape[lead], x.shape[lead + 1],
                 x.strides[lead]},
      lead ? x.strides[0] : 0, executorOr(executor));
}

void conclude(Handle &handle) {
  const ClosureBase &closure = *handle.closure;
  handle.explanation = explain(closure.solver, closure.result, {});
  handle.state = Handle::Done; // Also where the outcome is raised.
  runtime::conclude(closure.solver,
                    outcomeOf(closure.solver, Mode::N, 0, closure.result,
                              handle.explanation));
}

void ask(Handle &handle, const Question &question, tsgu_tensor *in,
         tsgu_tensor *out) {
  handle.inShape[0] = question.inLength;
  handle.outShape[0] = question.outLength;
  handle.inShape[1] = handle.outShape[1] = question.columns;
  handle.strides[0] = question.columns, handle.strides[1] = 1;
  *in = {const_cast<void *>(question.in), handle.type, 2, handle.inShape,
         handle.strides};
  *out = {question.out, handle.type, 2, handle.outShape, handle.strides};
}

} // namespace

tsgu_status tsgu_iteration_start(const tsgu_solver *solver,
                                 const tsgu_iteration_options *options,
                                 const tsgu_tensor *b, const tsgu_tensor *x,
                                 const tsgu_executor *executor,
                                 tsgu_iteration **iteration) {
  return guarded([&] {
    requireNotNull(solver, "solver");
    requireNotNull(iteration, "iteration");
    const tsgu_iteration_options given =
        options ? *options : tsgu_iteration_options{};
    checkOptions(*solver, given);
    checkShapes(*solver, given, b, x);
    auto handle = std::make_unique<Handle>();
    handle->type = b->type;
    withValueType(static_cast<ElementType>(b->type), [&]<typename T>(T) {
      handle->closure = makeClosure<T>(*solver, given, *b, *x, executor);
    });
    *iteration = reinterpret_cast<tsgu_iteration *>(handle.release());
  });
}

tsgu_status tsgu_iteration_next(tsgu_iteration *iteration,
                                tsgu_request *request, tsgu_tensor *in,
                                tsgu_tensor *out) {
  return guarded([&] {
    requireNotNull(iteration, "iteration");
    requireNotNull(request, "request");
    requireNotNull(in, "in");
    requireNotNull(out, "out");
    Handle &handle = *unwrap(iteration);
    *request = TSGU_DONE;
    if (handle.state == Handle::Done)
      return;
    if (handle.state == Handle::Failed)
      fail(Status::InvalidArgument,
           "the iteration has failed before; it can only be freed");
    handle.state = Handle::Failed;
    const Question question = handle.closure->next();
    if (question.ask == Ask::Nothing)
      return conclude(handle);
    handle.state = Handle::Running;
    ask(handle, question, in, out);
    *request = static_cast<tsgu_request>(question.ask);
  });
}

static_assert(static_cast<int>(Ask::Product) == TSGU_APPLY &&
              static_cast<int>(Ask::Adjoint) == TSGU_APPLY_ADJOINT &&
              static_cast<int>(Ask::Precondition) == TSGU_PRECONDITION);

tsgu_status tsgu_iteration_outcome(tsgu_iteration *iteration,
                                   tsgu_outcome *outcome) {
  return guarded([&] {
    Handle &handle = finished(iteration);
    requireNotNull(outcome, "outcome");
    *outcome = outcomeOf(handle.closure->solver, Mode::N, 0,
                         handle.closure->result, handle.explanation);
  });
}

tsgu_status tsgu_iteration_tridiagonal(tsgu_iteration *iteration,
                                       int64_t column, int64_t *steps,
                                       const double **diagonal,
                                       const double **off_diagonal) {
  return guarded([&] {
    Handle &handle = finished(iteration);
    requireNotNull(steps, "steps");
    requireNotNull(diagonal, "diagonal");
    requireNotNull(off_diagonal, "off_diagonal");
    const Tridiagonals &kept = handle.closure->tridiagonals;
    if (column < 0 || column >= kept.wanted)
      fail(Status::InvalidArgument, "column is ", column,
           "; Lanczos matrices were kept of ", kept.wanted, " columns");
    const Tridiagonals::Column &found =
        kept.columns[static_cast<size_t>(column)];
    *steps = static_cast<int64_t>(found.diagonal.size());
    *diagonal = found.diagonal.data();
    *off_diagonal = found.offDiagonal.data();
  });
}

void tsgu_iteration_free(tsgu_iteration *iteration) {
  delete unwrap(iteration);
}
