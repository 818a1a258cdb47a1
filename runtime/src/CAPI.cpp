//===- CAPI.cpp - The C API -----------------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompilerLibrary.h"
#include "LastError.h"
#include "Parallel.h"
#include "Pattern.h"
#include "Program.h"
#include "Scratch.h"
#include "Signature.h"
#include "solvers/Preconditioners.h"
#include "solvers/Solve.h"
#include "triangular/Triangular.h"

#include <cstdlib>
#include <cstring>

using namespace tsgu;
using namespace tsgu::runtime;

static Pattern *unwrap(tsgu_pattern *pattern) {
  return reinterpret_cast<Pattern *>(pattern);
}
static tsgu_pattern *wrap(Pattern *pattern) {
  return reinterpret_cast<tsgu_pattern *>(pattern);
}
static Program *unwrap(tsgu_program *program) {
  return reinterpret_cast<Program *>(program);
}
static tsgu_program *wrap(Program &program) {
  return reinterpret_cast<tsgu_program *>(&program);
}

static void require(bool condition, const char *name) {
  if (!condition)
    fail(Status::InvalidArgument, name, " is NULL");
}

const char *tsgu_last_error(void) { return lastError(); }

const char *tsgu_version(void) { return TSGU_VERSION; }

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

tsgu_status tsgu_pattern_from_csr(int32_t rank, const int64_t *shape,
                                  tsgu_type index_type, const void *positions,
                                  const void *coordinates, int64_t stored,
                                  tsgu_release release, void *owner,
                                  tsgu_pattern **pattern) {
  CallerArrays arrays(release, owner);
  return guarded([&] {
    require(pattern, "pattern");
    *pattern = wrap(Pattern::fromCSR(rank, shape, index_type, positions,
                                     coordinates, stored, std::move(arrays)));
  });
}

tsgu_status tsgu_pattern_from_coo(int32_t rank, const int64_t *shape,
                                  tsgu_type index_type,
                                  const void *const *coordinates,
                                  int64_t stored, tsgu_release release,
                                  void *owner, tsgu_pattern **pattern) {
  CallerArrays arrays(release, owner);
  return guarded([&] {
    require(pattern, "pattern");
    *pattern = wrap(Pattern::fromCOO(rank, shape, index_type, coordinates,
                                     stored, std::move(arrays)));
  });
}

void tsgu_pattern_retain(tsgu_pattern *pattern) {
  if (pattern)
    unwrap(pattern)->retain();
}

void tsgu_pattern_release(tsgu_pattern *pattern) {
  if (pattern)
    unwrap(pattern)->release();
}

tsgu_status tsgu_pattern_layout(tsgu_pattern *pattern, const int32_t *order,
                                tsgu_layout *layout) {
  return guarded([&] {
    require(pattern, "pattern");
    require(layout, "layout");
    const Layout &found = unwrap(pattern)->layout(order);
    *layout = {static_cast<tsgu_type>(found.indexType),
               static_cast<tsgu_type>(found.permutationType),
               found.positions,
               found.coordinates,
               found.permutation,
               found.rows};
  });
}

void tsgu_pattern_describe(const tsgu_pattern *pattern,
                           tsgu_pattern_info *info) {
  if (!info)
    return;
  *info = {};
  if (!pattern)
    return;
  const Pattern &p = *reinterpret_cast<const Pattern *>(pattern);
  info->rank = p.rank();
  for (int32_t d = 0; d < p.rank(); ++d)
    info->shape[d] = p.extent(d);
  info->stored = p.stored();
  info->entries = p.entries();
  info->entry_map = p.entryMap();
  info->index_type = static_cast<tsgu_type>(p.indexType());
  info->bytes = p.bytes();
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

tsgu_status tsgu_program_open(const char *path, tsgu_program **program) {
  return guarded([&] {
    require(path, "path");
    require(program, "program");
    *program = wrap(Program::open(path));
  });
}

tsgu_status tsgu_program_add(const char *name, const char *text) {
  return guarded([&] {
    require(name, "name");
    require(text, "text");
    if (!*name || std::strchr(name, '/'))
      fail(Status::InvalidArgument, "'", name,
           "' cannot name a program: it is ",
           "empty or has a '/', which stands before a derivation");
    addProgram(name, text);
  });
}

tsgu_status tsgu_program_from_object(const tsgu_object *object,
                                     tsgu_program **program) {
  return guarded([&] {
    require(object, "object");
    require(program, "program");
    *program = wrap(Program::fromObject(*object));
  });
}

const char *tsgu_program_signature(const tsgu_program *program) {
  return program ? reinterpret_cast<const Program *>(program)
                       ->signatureJSON()
                       .c_str()
                 : "null";
}

static Arguments argumentsOf(tsgu_pattern *const *patterns,
                             int32_t pattern_count, const tsgu_tensor *operands,
                             int32_t operand_count) {
  if (pattern_count < 0 || operand_count < 0)
    fail(Status::InvalidArgument, "a number of arguments is negative");
  require(patterns || pattern_count == 0, "patterns");
  require(operands || operand_count == 0, "operands");
  return {{reinterpret_cast<Pattern *const *>(patterns),
           static_cast<size_t>(pattern_count)},
          {operands, static_cast<size_t>(operand_count)}};
}

tsgu_status
tsgu_program_infer(tsgu_program *program, tsgu_pattern *const *patterns,
                   int32_t pattern_count, const tsgu_tensor *operands,
                   int32_t operand_count, int64_t *shape, int32_t *rank) {
  return guarded([&] {
    require(program, "program");
    require(shape, "shape");
    require(rank, "rank");
    *rank = unwrap(program)->infer(
        argumentsOf(patterns, pattern_count, operands, operand_count), shape);
  });
}

tsgu_status tsgu_program_run(tsgu_program *program,
                             tsgu_pattern *const *patterns,
                             int32_t pattern_count, const tsgu_tensor *operands,
                             int32_t operand_count, const tsgu_tensor *result,
                             const tsgu_executor *executor) {
  return guarded([&] {
    require(program, "program");
    require(result, "result");
    require(!executor || executor->threads <= 1 || executor->parallel_for,
            "parallel_for of the executor");
    unwrap(program)->run(
        argumentsOf(patterns, pattern_count, operands, operand_count), *result,
        executor);
  });
}

tsgu_status tsgu_program_manifest(tsgu_program *program,
                                  const tsgu_specialization *specialization,
                                  char **text) {
  return guarded([&] {
    require(program, "program");
    require(text, "text");
    const std::string printed = unwrap(program)->printManifest(specialization);
    auto *copy = static_cast<char *>(std::malloc(printed.size() + 1));
    if (!copy)
      throw std::bad_alloc();
    std::memcpy(copy, printed.c_str(), printed.size() + 1);
    *text = copy;
  });
}

void tsgu_string_free(char *text) { std::free(text); }

//===----------------------------------------------------------------------===//
// The process
//===----------------------------------------------------------------------===//

void tsgu_set_threads(int32_t count) { setThreads(count); }

int32_t tsgu_threads(void) { return threads(); }

tsgu_status tsgu_set_compiler(const char *library) {
  return guarded([&] {
    require(library, "library");
    openCompiler(library);
  });
}

void tsgu_get_counters(tsgu_counters *counters) {
  if (!counters)
    return;
  compilerCounters(counters->compiled, counters->loaded);
  counters->patterns = Pattern::alive();
  counters->pattern_bytes = Pattern::bytesAlive();
  counters->scratch_bytes = Scratch::kept();
  counters->analyses = triangularAnalyses();
  counters->setups = preconditionerSetups();
}

void tsgu_advise_huge(void *data, int64_t bytes) { adviseHuge(data, bytes); }

//===----------------------------------------------------------------------===//
// Solvers
//===----------------------------------------------------------------------===//

/// Values, b or x of tsgu_solve: the extents, and strides that end in 1.
static void checkTensor(const char *name, const tsgu_tensor *tensor,
                        const std::vector<int64_t> &shape, tsgu_type type) {
  require(tensor, name);
  const auto rank = static_cast<int32_t>(shape.size());
  bool fits = tensor->rank == rank && tensor->shape && tensor->strides;
  for (int32_t d = 0; fits && d < rank; ++d)
    fits = tensor->shape[d] == shape[d] &&
           (d + 1 < rank ? tensor->strides[d] >= 0
                         : tensor->strides[d] == 1 || shape[d] <= 1);
  if (!fits) {
    std::string wanted;
    for (int64_t extent : shape)
      wanted += (wanted.empty() ? "" : ", ") + std::to_string(extent);
    fail(Status::InvalidArgument, name, " must have shape [", wanted,
         "] and a last stride of 1");
  }
  if (tensor->type != type)
    fail(Status::InvalidArgument, name, " has another type than the values");
  if (elementsOf(*tensor) > 0)
    require(tensor->data, name);
}

tsgu_status tsgu_solve(const tsgu_solver *solver, tsgu_mode mode,
                       tsgu_pattern *pattern, const tsgu_tensor *values,
                       const tsgu_tensor *b, const tsgu_tensor *x,
                       int32_t guess, const tsgu_executor *executor) {
  return guarded([&] {
    require(solver, "solver");
    require(pattern, "pattern");
    require(values, "values");
    require(b, "b");
    Pattern &p = *unwrap(pattern);
    if (mode < TSGU_N || mode > TSGU_C)
      fail(Status::InvalidArgument, "mode is ", static_cast<int>(mode),
           "; it is TSGU_N, TSGU_T or TSGU_C");
    if (!isFloat(static_cast<ElementType>(values->type)) ||
        values->type < TSGU_F32 || values->type > TSGU_C128)
      fail(Status::InvalidArgument,
           "values must be of type f32, f64, c64 or c128");
    if (b->rank < 2 || !b->shape || b->shape[b->rank - 1] < 0)
      fail(Status::InvalidArgument, "b must have shape [n, p], or [items, n, "
                                    "p] for a batch of matrices");
    std::vector<int64_t> lead;
    if (p.rank() == 3)
      lead.push_back(p.items());
    const int64_t columns = b->shape[b->rank - 1];
    std::vector<int64_t> bShape = lead, xShape = lead;
    bShape.push_back(mode == TSGU_N ? p.rows() : p.columns());
    xShape.push_back(mode == TSGU_N ? p.columns() : p.rows());
    bShape.push_back(columns), xShape.push_back(columns);
    checkTensor("values", values, {p.stored()}, values->type);
    checkTensor("b", b, bShape, values->type);
    checkTensor("x", x, xShape, values->type);
    Problem problem;
    problem.kind = solver->method == TSGU_TRIANGULAR ? SolveInfo::Triangular
                   : solver->method == TSGU_LSMR     ? SolveInfo::LeastSquares
                                                     : SolveInfo::General;
    problem.mode = static_cast<Mode>(mode);
    problem.solver = solver;
    problem.pattern = &p;
    problem.type = static_cast<ElementType>(values->type);
    problem.values = values->data;
    problem.columns = columns;
    problem.b = b->data, problem.x = x->data;
    problem.bItem = lead.empty() ? 0 : b->strides[0];
    problem.xItem = lead.empty() ? 0 : x->strides[0];
    problem.bRow = b->strides[lead.size()];
    problem.xRow = x->strides[lead.size()];
    problem.guess = guess != 0;
    solve(problem, executorOr(executor));
  });
}

void tsgu_set_callbacks(const tsgu_callbacks *callbacks) {
  setCallbacks(callbacks ? *callbacks : tsgu_callbacks{});
}
