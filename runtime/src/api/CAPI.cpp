//===- CAPI.cpp - The C API -----------------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "api/ArgumentChecks.h"
#include "api/LastError.h"
#include "base/Callbacks.h"
#include "base/CompilerLibrary.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "device/Device.h"
#include "direct/Factorization.h"
#include "pattern/Meetings.h"
#include "program/ManifestBytes.h"
#include "program/Program.h"
#include "program/Signature.h"
#include "program/Trace.h"
#include "solvers/Preconditioners.h"
#include "solvers/Solve.h"
#include "triangular/Triangular.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

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

/// For the caller, who frees it with tsgu_string_free.
static char *copyOf(std::string_view text) {
  auto *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (!copy)
    throw std::bad_alloc();
  std::ranges::copy(text, copy);
  copy[text.size()] = '\0';
  return copy;
}

const char *tsgu_last_error(void) { return lastError(); }

const char *tsgu_version(void) { return TSGU_VERSION; }

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

tsgu_status tsgu_pattern_from_csr(int32_t rank, const int64_t *shape,
                                  tsgu_type index_type, const void *positions,
                                  const void *coordinates, int64_t stored,
                                  tsgu_pattern **pattern) {
  return guarded([&] {
    requireNotNull(pattern, "pattern");
    *pattern = wrap(Pattern::fromCSR(rank, shape, index_type, positions,
                                     coordinates, stored));
  });
}

tsgu_status tsgu_pattern_from_coo(int32_t rank, const int64_t *shape,
                                  tsgu_type index_type,
                                  const void *const *coordinates,
                                  int64_t stored, tsgu_pattern **pattern) {
  return guarded([&] {
    requireNotNull(pattern, "pattern");
    *pattern =
        wrap(Pattern::fromCOO(rank, shape, index_type, coordinates, stored));
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
    requireNotNull(pattern, "pattern");
    requireNotNull(layout, "layout");
    Pattern &p = *unwrap(pattern);
    Levels levels = canonicalLevels(p.rank());
    for (int32_t d = 0; order && d < p.rank(); ++d)
      levels[d].dimension = order[d];
    if (order)
      p.requireHost();
    const Layout &found = order ? p.layout(levels) : p.csr();
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

static void requireIndexType(tsgu_type type) {
  if (type != TSGU_I32 && type != TSGU_I64)
    fail(Status::InvalidArgument, "index type ", static_cast<int>(type),
         " is none; they are int32 or int64");
}

tsgu_status tsgu_meetings_count(tsgu_meeting kind, tsgu_pattern *a,
                                tsgu_pattern *b, const tsgu_executor *executor,
                                tsgu_meetings **meetings,
                                tsgu_meetings_info *info) {
  return guarded([&] {
    requireNotNull(a, "a");
    requireNotNull(b, "b");
    requireNotNull(meetings, "meetings");
    requireNotNull(info, "info");
    checkExecutor(executor);
    auto made = std::make_unique<Meetings>(kind, *unwrap(a), *unwrap(b),
                                           executorOr(executor));
    *info = {made->rows(), made->stored(), made->count(), made->width(),
             static_cast<tsgu_type>(made->indexType())};
    *meetings = reinterpret_cast<tsgu_meetings *>(made.release());
  });
}

tsgu_status tsgu_meetings_write(const tsgu_meetings *meetings,
                                tsgu_type result_type, void *positions,
                                void *coordinates, tsgu_type type,
                                void *const *entries,
                                const tsgu_executor *executor) {
  return guarded([&] {
    requireNotNull(meetings, "meetings");
    requireNotNull(positions, "positions");
    requireNotNull(entries, "entries");
    checkExecutor(executor);
    requireIndexType(result_type);
    requireIndexType(type);
    const auto &m = *reinterpret_cast<const Meetings *>(meetings);
    requireNotNull(m.stored() == 0 || coordinates, "coordinates");
    for (int32_t k = 0; k < m.width(); ++k)
      requireNotNull(m.count() == 0 || entries[k], "an array of entries");
    m.write(static_cast<ElementType>(result_type), positions, coordinates,
            static_cast<ElementType>(type), entries, executorOr(executor));
  });
}

void tsgu_meetings_free(tsgu_meetings *meetings) {
  delete reinterpret_cast<Meetings *>(meetings);
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

tsgu_status tsgu_program_open(const char *path, tsgu_program **program) {
  return guarded([&] {
    requireNotNull(path, "path");
    requireNotNull(program, "program");
    *program = wrap(Program::open(path));
  });
}

tsgu_status tsgu_program_add(const char *name, const char *text) {
  return guarded([&] {
    requireNotNull(name, "name");
    requireNotNull(text, "text");
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
    requireNotNull(object, "object");
    requireNotNull(program, "program");
    *program = wrap(Program::fromObject(*object));
  });
}

const char *tsgu_program_signature(const tsgu_program *program) {
  return program ? reinterpret_cast<const Program *>(program)
                       ->signatureJSON()
                       .c_str()
                 : "null";
}

tsgu_status
tsgu_program_infer(tsgu_program *program, tsgu_pattern *const *patterns,
                   int32_t pattern_count, const tsgu_tensor *operands,
                   int32_t operand_count, int64_t *shape, int32_t *rank) {
  return guarded([&] {
    requireNotNull(program, "program");
    requireNotNull(shape, "shape");
    requireNotNull(rank, "rank");
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
    requireNotNull(program, "program");
    requireNotNull(result, "result");
    requireNotNull(!executor || executor->threads <= 1 ||
                       executor->parallel_for,
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
    requireNotNull(program, "program");
    requireNotNull(text, "text");
    *text = copyOf(unwrap(program)->printManifest(specialization));
  });
}

tsgu_status tsgu_program_emit(tsgu_program *program,
                              const tsgu_specialization *specialization,
                              const char *cpu, char **object, uint64_t *size) {
  return guarded([&] {
    requireNotNull(program, "program");
    requireNotNull(specialization, "specialization");
    requireNotNull(object, "object");
    requireNotNull(size, "size");
    const std::vector<uint8_t> bytes =
        unwrap(program)->emit(*specialization, cpu);
    *object =
        copyOf({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    *size = bytes.size();
  });
}

tsgu_status tsgu_manifest_print(const void *bytes, uint64_t size, char **text) {
  return guarded([&] {
    requireNotNull(bytes, "bytes");
    requireNotNull(text, "text");
    *text = copyOf(Manifest::parse(bytes, manifestLength(bytes, size)).print());
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
    requireNotNull(library, "library");
    openCompiler(library);
  });
}

tsgu_status tsgu_compiler_llvm(const char **version) {
  return guarded([&] {
    requireNotNull(version, "version");
    *version = llvmVersion();
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
  counters->factorizations = factorizations();
  counters->device_launches = Device::launches();
  const PreparedCounters prepared = PreparedCache::get().counters();
  counters->prepared = prepared.entries;
  counters->prepared_made = prepared.made;
  counters->prepared_hits = prepared.hits;
  counters->prepared_evictions = prepared.evicted;
  counters->prepared_bytes = prepared.bytes;
  counters->prepared_limit = prepared.limit;
}

tsgu_status tsgu_trace_start(void) {
  return guarded([] { startTrace(); });
}

tsgu_status tsgu_trace_stop(char **stages) {
  return guarded([&] {
    requireNotNull(stages, "stages");
    *stages = copyOf(stopTrace());
  });
}

void tsgu_advise_huge(void *data, int64_t bytes) { adviseHuge(data, bytes); }

//===----------------------------------------------------------------------===//
// Solvers
//===----------------------------------------------------------------------===//

tsgu_status tsgu_solve(const tsgu_solver *solver, tsgu_mode mode,
                       tsgu_pattern *pattern, const tsgu_tensor *values,
                       const tsgu_tensor *b, const tsgu_tensor *x,
                       int32_t guess, const tsgu_executor *executor) {
  return guarded([&] {
    requireNotNull(solver, "solver");
    requireNotNull(pattern, "pattern");
    Pattern &p = *unwrap(pattern);
    checkValues(p, values);
    checkExecutor(executor);
    const SystemShape shape = checkSystem(p, mode, values->type, b, x, false);
    checkApart("values", *values, "x", *x);
    Problem problem;
    problem.kind = solver->method == TSGU_TRIANGULAR ? Problem::Triangular
                   : isLeastSquares(solver->method)  ? Problem::LeastSquares
                                                     : Problem::General;
    problem.mode = static_cast<Mode>(mode);
    problem.solver = solver;
    problem.pattern = &p;
    problem.type = static_cast<ElementType>(values->type);
    problem.values = values->data;
    problem.columns = shape.columns;
    problem.b = b->data, problem.x = x->data;
    problem.bItem = shape.bItem, problem.xItem = shape.xItem;
    problem.bRow = shape.bRow, problem.xRow = shape.xRow;
    problem.guess = guess != 0;
    solve(problem, executorOr(executor));
  });
}

const char *tsgu_method_name(int64_t method) {
  return method < 0 || method >= methodCount() ? nullptr
                                               : methodAt(method).name;
}

const char *tsgu_preconditioner_name(int64_t preconditioner) {
  return preconditionerName(preconditioner);
}

tsgu_kind tsgu_method_kind(int64_t method) {
  return method < 0 || method >= methodCount() ? TSGU_OTHER
                                               : methodAt(method).kind;
}

tsgu_status tsgu_keep_begin(tsgu_kept **kept) {
  return guarded([&] {
    requireNotNull(kept, "kept");
    *kept = reinterpret_cast<tsgu_kept *>(new Keeping);
  });
}

void tsgu_keep_end(tsgu_kept *kept) {
  if (kept)
    reinterpret_cast<Keeping *>(kept)->end();
}

void tsgu_keep_free(tsgu_kept *kept) {
  delete reinterpret_cast<Keeping *>(kept);
}

void tsgu_values_known(const void *values, uint64_t number, int32_t sure) {
  KnownValues::set({values, number, sure != 0});
}

void tsgu_set_callbacks(const tsgu_callbacks *callbacks) {
  setCallbacks(callbacks ? *callbacks : tsgu_callbacks{});
}
