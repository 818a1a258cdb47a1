//===- Run.cpp - One run of a program over torch tensors --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Run.h"
#include "Errors.h"
#include "Prepared.h"
#include "Values.h"

#include <algorithm>
#include <cstring>

using namespace tsgu::torch_plugin;

//===-- Threads -----------------------------------------------------------===//

namespace {
struct TorchTask {
  tsgu_task task;
  void *context;
};
} // namespace

/// Set when torch's pool refused a region, whose result is then incomplete.
static thread_local bool poolFailed = false;

static void torchParallelFor(int64_t count, tsgu_task task, void *context) {
  TorchTask both{task, context};
  auto forward = [](int64_t begin, int64_t end, void *at) {
    auto *both = static_cast<TorchTask *>(at);
    both->task(both->context, begin, end);
  };
  if (torch_parallel_for(0, count, 1, forward, &both) != 0)
    poolFailed = true;
}

tsgu_executor tsgu::torch_plugin::torchExecutor() {
  uint32_t threads = 1;
  checkTorch(torch_get_num_threads(&threads), "read its thread count");
  poolFailed = false;
  return {static_cast<int32_t>(threads), torchParallelFor};
}

void tsgu::torch_plugin::requirePool() {
  if (poolFailed)
    fail(ErrorKind::Internal, "torch's thread pool could not run the kernel");
}

//===-- A run -------------------------------------------------------------===//

namespace {
/// Everything that must outlive the kernels of one run.
struct Frame {
  const Said said = Said::take();
  Place place;
  std::shared_ptr<CachedPattern> patterns[maxPatterns];
  tsgu_pattern *handles[maxPatterns];
  TensorHandle copies[maxOperands];
  TensorView views[maxOperands];
  tsgu_tensor tensors[maxOperands];
  int64_t shapes[maxOperands][maxRank]; ///< of operands that are not read
};

/// Strides for operands without data.
constexpr int64_t ones[maxRank] = {1, 1, 1, 1, 1, 1, 1, 1};
} // namespace

static void findPatterns(const Program &program, IndexArrays *arrays,
                         int32_t count, Frame &frame) {
  if (count != program.patterns)
    fail(ErrorKind::Value, "the program has " +
                               std::to_string(program.patterns) +
                               " patterns, not " + std::to_string(count));
  for (int32_t k = 0; k < count; ++k) {
    frame.patterns[k] = PatternCache::get().find(arrays[k]);
    if (k == 0)
      frame.place = arrays[k].place();
    requireSame(arrays[k].place(), "the index tensors of pattern", k,
                frame.place);
    const CachedPattern &pattern = *frame.patterns[k];
    frame.handles[k] = pattern.pattern;
    if (!program.sumsRepeated && pattern.stored != pattern.entries)
      fail(ErrorKind::Pattern,
           "the pattern names " +
               std::to_string(pattern.entries - pattern.stored) +
               " elements more than once, and this program has a sparse "
               "result: coalesce the operand first");
  }
}

/// An operand that is not read lends its shape alone.
static void bindShape(const Program &program, Frame &frame, int32_t k,
                      tsgu_type type) {
  tsgu_tensor &tensor = frame.tensors[k];
  tensor.data = nullptr;
  tensor.type = type;
  tensor.strides = ones;
  int32_t number = program.operands[static_cast<size_t>(k)].pattern;
  if (number < 0 || tensor.rank < 1)
    return;
  const CachedPattern &pattern = *frame.patterns[number];
  int64_t &length = frame.shapes[k][tensor.rank - 1];
  std::copy_n(tensor.shape, tensor.rank, frame.shapes[k]);
  if (length == pattern.entries)
    length = pattern.stored;
  tensor.shape = frame.shapes[k];
}

static void bindOperand(const Program &program, Frame &frame, int32_t k,
                        AtenTensorHandle operand, const Queue &queue) {
  TensorView &view = frame.views[k];
  int32_t last = view.rank - 1;
  if (last >= 0 && view.strides[last] != 1 && view.shape[last] > 1) {
    frame.copies[k] = contiguous(operand, view);
    view = inspect(frame.copies[k].get(), "operand", k);
  }
  int32_t pattern = program.operands[static_cast<size_t>(k)].pattern;
  if (pattern >= 0 && mapped(*frame.patterns[pattern]))
    frame.copies[k] = storedValues(*frame.patterns[pattern], view, k, queue);
  frame.tensors[k] = toTensor(view);
}

/// A solver is bytes, whatever the dtype of the others.
static void checkSolver(const TensorView &view, int32_t k, Place place) {
  if (!place.isCPU())
    fail(ErrorKind::Type, "solves run on the CPU, and the operands are on " +
                              place.name() + ": move them with .cpu()");
  requireSame(view.place, "operand", k, place);
  constexpr int64_t words = sizeof(tsgu_solver) / sizeof(int64_t);
  if (view.type != TSGU_I64)
    fail(ErrorKind::Type, "operand " + std::to_string(k) +
                              " must be a solver, as made by tsgu.solver: an "
                              "int64 tensor");
  if (view.rank != 1 || view.shape[0] != words || !view.contiguous())
    fail(ErrorKind::Value, "operand " + std::to_string(k) +
                               " must be a solver: a contiguous tensor of " +
                               std::to_string(words) + " words");
}

/// Returns the dtype that the values have.
static tsgu_type bindOperands(const Program &program,
                              const AtenTensorHandle *operands, int32_t count,
                              Frame &frame, const Queue &queue) {
  if (count != static_cast<int32_t>(program.operands.size()))
    fail(ErrorKind::Value, "the program has " +
                               std::to_string(program.operands.size()) +
                               " operands, not " + std::to_string(count));
  int32_t typed = -1;
  const bool solves = std::any_of(
      program.operands.begin(), program.operands.end(),
      [](const Program::Operand &operand) { return operand.solver; });
  for (int32_t k = 0; k < count; ++k) {
    TensorView &view = frame.views[k];
    view = inspect(operands[k], "operand", k);
    frame.tensors[k] = toTensor(view);
    if (program.operands[static_cast<size_t>(k)].solver) {
      checkSolver(view, k, frame.place);
      continue;
    }
    requireSame(view.place, "operand", k, frame.place);
    if (!program.operands[static_cast<size_t>(k)].read)
      continue;
    if (!isFloat(view.type) ||
        (typed >= 0 && view.type != frame.views[typed].type))
      fail(ErrorKind::Type, "operand " + std::to_string(k) +
                                " must have the dtype of the others, " +
                                valueDtypes + ": convert it with .to(dtype)");
    if (solves && isNarrow(view.type))
      fail(ErrorKind::Type, "operand " + std::to_string(k) + " is " +
                                dtypeName(view.type) +
                                ", and solves compute in float32, float64, "
                                "complex64 or complex128: convert it with "
                                ".to(torch.float32)");
    typed = k;
    bindOperand(program, frame, k, operands[k], queue);
  }
  for (int32_t k = 0; typed < 0 && k < count; ++k) // None is read: zeros.
    if (isFloat(frame.views[k].type))
      typed = k;
  const tsgu_type type = typed < 0 ? TSGU_F64 : frame.views[typed].type;
  for (int32_t k = 0; k < count; ++k) {
    const Program::Operand &operand = program.operands[static_cast<size_t>(k)];
    if (!operand.read && !operand.solver)
      bindShape(program, frame, k, type);
  }
  return type;
}

static void runOnCPU(const Program &program, const Frame &frame,
                     int32_t patternCount, int32_t operandCount,
                     const tsgu_tensor &result) {
  const tsgu_executor executor = torchExecutor();
  const Heard heard(frame.said, frame.tensors, operandCount, frame.patterns,
                    patternCount);
  check(tsgu_program_run(program.program, frame.handles, patternCount,
                         frame.tensors, operandCount, &result, &executor));
  requirePool();
}

/// Runs a program on what is bound in the frame, where its own operands and
/// pattern are.
static TensorHandle runBound(const Program &program, Frame &frame,
                             int32_t patternCount, int32_t operandCount,
                             tsgu_type type, const Queue &queue) {
  int64_t shape[maxRank];
  int32_t rank = 0;
  check(tsgu_program_infer(program.program, frame.handles, patternCount,
                           frame.tensors, operandCount, shape, &rank));
  TensorView view;
  TensorHandle result = PatternCache::withRoom(frame.place, [&] {
    return allocate(frame.place, type, rank, shape, view);
  });
  const tsgu_tensor target = toTensor(view);
  if (queue.get())
    PatternCache::withRoom(frame.place, [&] {
      check(tsgu_program_run_on(program.program, frame.handles, patternCount,
                                frame.tensors, operandCount, &target,
                                queue.get()));
    });
  else
    runOnCPU(program, frame, patternCount, operandCount, target);

  if (program.resultPattern < 0 ||
      !mapped(*frame.patterns[program.resultPattern]))
    return result;
  return entryValues(*frame.patterns[program.resultPattern], view, queue);
}

TensorHandle tsgu::torch_plugin::run(const Program &program,
                                     IndexArrays *patterns,
                                     int32_t patternCount,
                                     const AtenTensorHandle *operands,
                                     int32_t operandCount) {
  Frame frame;
  findPatterns(program, patterns, patternCount, frame);
  if (patternCount == 0 && operandCount > 0)
    frame.place = placeOf(operands[0], "operand", 0);
  const Queue queue(frame.place);
  const tsgu_type type =
      bindOperands(program, operands, operandCount, frame, queue);
  return runBound(program, frame, patternCount, operandCount, type, queue);
}

/// Whether two programs read the same of their operands.
static bool readAlike(const Program &first, const Program &second) {
  return std::equal(first.operands.begin(), first.operands.end(),
                    second.operands.begin(), second.operands.end(),
                    [](const Program::Operand &a, const Program::Operand &b) {
                      return a.pattern == b.pattern && a.read == b.read &&
                             a.solver == b.solver;
                    });
}

std::pair<TensorHandle, TensorHandle>
tsgu::torch_plugin::run(const Program &first, const Program &second,
                        IndexArrays &pattern, const AtenTensorHandle *operands,
                        int32_t operandCount) {
  Frame frame;
  findPatterns(first, &pattern, 1, frame);
  const Queue queue(frame.place);
  tsgu_type type = bindOperands(first, operands, operandCount, frame, queue);
  TensorHandle result = runBound(first, frame, 1, operandCount, type, queue);
  TensorHandle copies[maxOperands];
  if (!readAlike(first, second)) {
    // What was copied for the first, as a cotangent that is one number for all
    // elements, is not copied again.
    AtenTensorHandle known[maxOperands];
    for (int32_t k = 0; k < operandCount; ++k) {
      copies[k] = std::move(frame.copies[k]);
      const bool dense = first.operands[static_cast<size_t>(k)].pattern < 0;
      known[k] = dense && copies[k] ? copies[k].get() : operands[k];
    }
    type = bindOperands(second, known, operandCount, frame, queue);
  }
  return {std::move(result),
          runBound(second, frame, 1, operandCount, type, queue)};
}

//===-- A solve from a guess ----------------------------------------------===//

/// An operand of type `type` whose last stride is 1, copied to `copy` if need
/// be.
static TensorView bindDense(AtenTensorHandle tensor, int32_t k, tsgu_type type,
                            TensorHandle &copy) {
  TensorView view = inspect(tensor, "operand", k);
  requireSame(view.place, "operand", k, Place());
  if (view.type != type)
    fail(ErrorKind::Type,
         "operand " + std::to_string(k) + " must have the dtype of the values");
  if (view.contiguous())
    return view;
  copy = contiguous(tensor, view);
  return inspect(copy.get(), "operand", k);
}

TensorHandle tsgu::torch_plugin::solveFrom(tsgu_mode mode, IndexArrays &arrays,
                                           AtenTensorHandle solver,
                                           AtenTensorHandle values,
                                           AtenTensorHandle b,
                                           AtenTensorHandle guess) {
  const Said said = Said::take();
  std::shared_ptr<CachedPattern> pattern = PatternCache::get().find(arrays);
  TensorView handle = inspect(solver, "operand", 0);
  const Place place = arrays.place();
  checkSolver(handle, 0, place);
  const tsgu_type type = inspect(values, "operand", 1).type;
  TensorHandle copies[4];
  TensorView views[3] = {bindDense(values, 1, type, copies[0]),
                         bindDense(b, 2, type, copies[1]),
                         bindDense(guess, 3, type, copies[2])};
  if (mapped(*pattern))
    copies[3] = storedValues(*pattern, views[0], 1, Queue(place));
  TensorView view;
  TensorHandle result =
      allocate(place, type, views[2].rank, views[2].shape, view);
  if (int64_t bytes = view.elements() * elementSize(type))
    std::memcpy(view.data, views[2].data, static_cast<size_t>(bytes));

  const tsgu_tensor given[3] = {toTensor(views[0]), toTensor(views[1]),
                                toTensor(view)};
  const tsgu_executor executor = torchExecutor();
  const Heard heard(said, given, 3, &pattern, 1);
  check(tsgu_solve(static_cast<const tsgu_solver *>(handle.data), mode,
                   pattern->pattern, &given[0], &given[1], &given[2], 1,
                   &executor));
  requirePool();
  return result;
}
