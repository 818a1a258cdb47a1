//===- Operators.cpp - The operators that torch sees ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `run1` to `run5` run a program with one CSR pattern and so many operands;
// they are boxed by hand and carry as few numbers as they can: an int costs
// three times a tensor at the boundary, a list ten times. `run_form1` to
// `run_form5` do the same for the other forms, `run_both3` to `run_both5` for
// two programs of the same operands, `run` for any program. They
// carry no autograd and are registered for the CPU and for CUDA alone, so that
// torch refuses other devices and layouts; `tsgu._programs.autograd` and
// `tsgu._programs.component_ops` build the public operators on them.
//
//===----------------------------------------------------------------------===//

#include "Checks.h"
#include "Errors.h"
#include "Joined.h"
#include "Meetings.h"
#include "Run.h"
#include "Tensors.h"
#include "Transposed.h"
#include "Values.h"

#include <torch/csrc/stable/library.h>

using namespace tsgu::torch_plugin;

namespace {
/// Reads a boxed call's arguments, whose tensors the callee owns.
class Arguments {
public:
  explicit Arguments(StableIValue *stack) : stack(stack) {}

  int64_t integer() { return static_cast<int64_t>(stack[next++]); }
  TensorHandle tensor() {
    return TensorHandle(
        torch::stable::detail::to<AtenTensorHandle>(stack[next++]));
  }

private:
  StableIValue *stack;
  uint64_t next = 0;
};

/// The arguments that describe one pattern.
struct PatternArguments {
  explicit PatternArguments(Arguments &arguments)
      : positions(arguments.tensor()), coordinates(arguments.tensor()) {
    arrays.positions = positions.get();
    arrays.coordinates = coordinates.get();
    arrays.form = arguments.integer();
    arrays.items = arguments.integer();
    arrays.rows = arguments.integer();
    arrays.columns = arguments.integer();
    arrays.version = arguments.integer();
  }
  TensorHandle positions, coordinates;
  IndexArrays arrays;
};

#define TSGU_CSR_SCHEMA                                                        \
  "Tensor positions, Tensor coordinates, int columns, int version"
#define TSGU_PATTERN_SCHEMA                                                    \
  "Tensor positions, Tensor coordinates, int form, int items, int rows, "      \
  "int columns, int version"
} // namespace

static void checkForm(const IndexArrays &arrays) {
  if (arrays.form < 0 || arrays.form >= FormCount)
    fail(ErrorKind::Value,
         "no pattern form has the number " + std::to_string(arrays.form));
}

static void give(StableIValue &slot, TensorHandle tensor) {
  slot = torch::stable::detail::from(tensor.release());
}

/// Rows of a CSR pattern that is yet to be described by its positions.
static constexpr int64_t fromPositions = -1;

/// A matrix's positions are one-dimensional, a batch's two-dimensional.
static void shapeFromPositions(IndexArrays &arrays) {
  int64_t rank = 0, extent = 0;
  checkTorch(aoti_torch_get_dim(arrays.positions, &rank), "read a rank");
  if (rank != 1 && rank != 2)
    fail(ErrorKind::Pattern, "positions must be one-dimensional, or "
                             "two-dimensional for a batch");
  checkTorch(aoti_torch_get_size(arrays.positions, rank - 1, &extent),
             "read a size");
  if (extent < 1)
    fail(ErrorKind::Pattern, "positions are empty: n rows need n + 1");
  arrays.rows = extent - 1;
  arrays.items = -1;
  if (rank == 2)
    checkTorch(aoti_torch_get_size(arrays.positions, 0, &arrays.items),
               "read a size");
}

/// The same of a CSR pattern.
struct CSRArguments {
  explicit CSRArguments(Arguments &arguments)
      : positions(arguments.tensor()), coordinates(arguments.tensor()) {
    arrays.positions = positions.get();
    arrays.coordinates = coordinates.get();
    arrays.rows = fromPositions;
    arrays.columns = arguments.integer();
    arrays.version = arguments.integer();
  }
  TensorHandle positions, coordinates;
  IndexArrays arrays;
};

template <int arity> struct Operands {
  explicit Operands(Arguments &arguments) {
    for (int k = 0; k < arity; ++k) {
      owned[k] = arguments.tensor();
      handles[k] = owned[k].get();
    }
  }
  TensorHandle owned[arity];
  AtenTensorHandle handles[arity];
};

template <int arity>
static TensorHandle runFixed(int64_t number, Arguments &arguments,
                             IndexArrays &arrays) {
  Operands<arity> operands(arguments);
  if (arrays.rows == fromPositions)
    shapeFromPositions(arrays);
  checkForm(arrays);
  return run(findProgram(number), &arrays, 1, operands.handles, arity);
}

template <int arity>
static void runBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  int64_t number = arguments.integer();
  CSRArguments pattern(arguments);
  give(stack[0], runFixed<arity>(number, arguments, pattern.arrays));
}

template <int arity>
static void runFormBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  int64_t number = arguments.integer();
  PatternArguments pattern(arguments);
  give(stack[0], runFixed<arity>(number, arguments, pattern.arrays));
}

/// Two programs of the same operands, as backward needs: one crossing of the
/// boundary instead of two.
template <int arity>
static void runBoth(StableIValue *stack, int64_t first, int64_t second,
                    Arguments &arguments, IndexArrays &arrays) {
  Operands<arity> operands(arguments);
  if (arrays.rows == fromPositions)
    shapeFromPositions(arrays);
  checkForm(arrays);
  auto [one, other] = run(findProgram(first), findProgram(second), arrays,
                          operands.handles, arity);
  give(stack[0], std::move(one));
  give(stack[1], std::move(other));
}

template <int arity>
static void runBothBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  int64_t first = arguments.integer(), second = arguments.integer();
  CSRArguments pattern(arguments);
  runBoth<arity>(stack, first, second, arguments, pattern.arrays);
}

template <int arity>
static void runFormBothBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  int64_t first = arguments.integer(), second = arguments.integer();
  PatternArguments pattern(arguments);
  runBoth<arity>(stack, first, second, arguments, pattern.arrays);
}

static void solveFromBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  int64_t mode = arguments.integer();
  PatternArguments pattern(arguments);
  TensorHandle solver = arguments.tensor(), values = arguments.tensor(),
               b = arguments.tensor(), guess = arguments.tensor();
  checkForm(pattern.arrays);
  if (mode < TSGU_N || mode > TSGU_C)
    fail(ErrorKind::Value, "no mode has the number " + std::to_string(mode));
  give(stack[0], solveFrom(static_cast<tsgu_mode>(mode), pattern.arrays,
                           solver.get(), values.get(), b.get(), guess.get()));
}

static torch::stable::Tensor
runLists(int64_t number, std::vector<torch::stable::Tensor> indices,
         std::vector<int64_t> shapes,
         std::vector<torch::stable::Tensor> operands) {
  size_t patternCount = indices.size() / 2;
  if (indices.size() % 2 || shapes.size() != 5 * patternCount ||
      patternCount > maxPatterns || operands.size() > maxOperands)
    fail(ErrorKind::Value,
         "run takes, for each pattern, two index tensors and five numbers "
         "(form, items, rows, columns, version); at most " +
             std::to_string(maxPatterns) + " patterns and " +
             std::to_string(maxOperands) + " operands");
  IndexArrays arrays[maxPatterns];
  for (size_t k = 0; k < patternCount; ++k) {
    const int64_t *numbers = &shapes[5 * k];
    arrays[k].positions = indices[2 * k].get();
    arrays[k].coordinates = indices[2 * k + 1].get();
    arrays[k].form = numbers[0];
    arrays[k].items = numbers[1];
    arrays[k].rows = numbers[2];
    arrays[k].columns = numbers[3];
    arrays[k].version = numbers[4];
    checkForm(arrays[k]);
  }
  AtenTensorHandle handles[maxOperands];
  for (size_t k = 0; k < operands.size(); ++k)
    handles[k] = operands[k].get();
  return torch::stable::Tensor(run(findProgram(number), arrays,
                                   static_cast<int32_t>(patternCount), handles,
                                   static_cast<int32_t>(operands.size()))
                                   .release());
}

/// The pattern's own CSR layout, items' rows counted through, and for every
/// entry the number of its stored entry (no elements: they are the same).
static void canonicalBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  PatternArguments given(arguments);
  checkForm(given.arrays);
  auto pattern = PatternCache::get().find(given.arrays);
  std::array<TensorHandle, 3> tensors = PatternCache::get().canonical(*pattern);
  for (size_t k = 0; k < tensors.size(); ++k)
    give(stack[k], std::move(tensors[k]));
}

static void meetBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  const int64_t kind = arguments.integer(), isCOO = arguments.integer(),
                wide = arguments.integer();
  PatternArguments a(arguments), b(arguments);
  checkForm(a.arrays);
  checkForm(b.arrays);
  std::array<TensorHandle, 3> tensors =
      meetingsOf(static_cast<tsgu_meeting>(kind), isCOO != 0, wide != 0,
                 a.arrays, b.arrays);
  for (size_t k = 0; k < tensors.size(); ++k)
    give(stack[k], std::move(tensors[k]));
}

/// A copy of the positions of the pattern's CSR layout. On the CPU that of a
/// transposed matrix is one of the matrix's own layouts.
static void rowPositionsBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  PatternArguments given(arguments);
  checkForm(given.arrays);
  const int32_t matrix[] = {1, 0}, batch[] = {0, 2, 1};
  const int32_t *levels = nullptr;
  given.arrays.inspect();
  if (given.arrays.isTransposed() && given.arrays.place().isCPU()) {
    given.arrays.form &= ~Transposed;
    levels = given.arrays.rank() == 3 ? batch : matrix;
  }
  auto pattern = PatternCache::get().find(given.arrays);
  tsgu_layout layout;
  check(tsgu_pattern_layout(pattern->pattern, levels, &layout));
  give(stack[0], copyOf(pattern->place, layout.index_type, layout.rows + 1,
                        layout.positions));
}

static torch::stable::Tensor inRowsOf(torch::stable::Tensor x) {
  const TensorView view = inspect(x.get(), "x", -1);
  return torch::stable::Tensor((isStoredByColumns(view)
                                    ? inRows(view)
                                    : copiedTo(view.place, x.get(), view))
                                   .release());
}

static torch::stable::Tensor shiftedRowsOf(torch::stable::Tensor x,
                                           torch::stable::Tensor shift) {
  return torch::stable::Tensor(
      shiftedRows(inspect(x.get(), "x", -1), inspect(shift.get(), "shift", -1))
          .release());
}

/// Every index tensor that the pattern cache keeps alive, and the number of the
/// cache's entry that does.
static std::tuple<torch::stable::Tensor, std::vector<torch::stable::Tensor>>
cachedTensors() {
  std::vector<CachedTensor> cached = PatternCache::get().tensors();
  int64_t count = static_cast<int64_t>(cached.size());
  TensorView numbers;
  TensorHandle entries = allocate(Place(), TSGU_I64, 1, &count, numbers);
  std::vector<torch::stable::Tensor> tensors;
  for (int64_t k = 0; k < count; ++k) {
    CachedTensor &each = cached[static_cast<size_t>(k)];
    static_cast<int64_t *>(numbers.data)[k] = each.entry;
    tensors.emplace_back(each.tensor.release());
  }
  return {torch::stable::Tensor(entries.release()), std::move(tensors)};
}

/// Finds the pattern, which validates it. 0: its entries are sorted and unique,
/// 1: unique, 2: some are repeated.
static void validateBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  PatternArguments given(arguments);
  checkForm(given.arrays);
  auto pattern = PatternCache::get().find(given.arrays);
  int64_t order = pattern->stored != pattern->entries ? 2
                  : pattern->entryMap                 ? 1
                                                      : 0;
  stack[0] = torch::stable::detail::from(order);
}

static void isAsOfBoxed(StableIValue *stack, uint64_t, uint64_t) {
  Arguments arguments(stack);
  PatternArguments given(arguments);
  const int64_t version = arguments.integer();
  checkForm(given.arrays);
  stack[0] = torch::stable::detail::from(
      PatternCache::get().isAsOf(given.arrays, version));
}

STABLE_TORCH_LIBRARY_FRAGMENT(tsgu, library) {
#define TSGU_DEFINE(name, schema)                                              \
  library.def(name "1(" schema ", Tensor x0) -> Tensor");                      \
  library.def(name "2(" schema ", Tensor x0, Tensor x1) -> Tensor");           \
  library.def(name "3(" schema                                                 \
                   ", Tensor x0, Tensor x1, Tensor x2) -> Tensor");            \
  library.def(name "4(" schema                                                 \
                   ", Tensor x0, Tensor x1, Tensor x2, Tensor x3) -> Tensor"); \
  library.def(name "5(" schema ", Tensor x0, Tensor x1, Tensor x2, "           \
                   "Tensor x3, Tensor x4) -> Tensor")
  TSGU_DEFINE("run", "int program, " TSGU_CSR_SCHEMA);
#define TSGU_DEFINE_BOTH(name, schema)                                         \
  library.def(name "3(" schema                                                 \
                   ", Tensor x0, Tensor x1, Tensor x2) -> (Tensor, Tensor)");  \
  library.def(name "4(" schema ", Tensor x0, Tensor x1, Tensor x2, "           \
                   "Tensor x3) -> (Tensor, Tensor)");                          \
  library.def(name "5(" schema ", Tensor x0, Tensor x1, Tensor x2, "           \
                   "Tensor x3, Tensor x4) -> (Tensor, Tensor)")
  TSGU_DEFINE_BOTH("run_both", "int first, int second, " TSGU_CSR_SCHEMA);
  TSGU_DEFINE_BOTH("run_form_both",
                   "int first, int second, " TSGU_PATTERN_SCHEMA);
#undef TSGU_DEFINE_BOTH
  TSGU_DEFINE("run_form", "int program, " TSGU_PATTERN_SCHEMA);
#undef TSGU_DEFINE
  library.def("run(int program, Tensor[] indices, int[] shapes, "
              "Tensor[] operands) -> Tensor");
  library.def("solve_from(int mode, " TSGU_PATTERN_SCHEMA
              ", Tensor solver, Tensor values, Tensor b, Tensor guess) "
              "-> Tensor");
  // Whether torch allocated both; implemented in Python, which can tell.
  library.def("owned_by_torch(Tensor positions, Tensor coordinates) -> bool");
  // Whether none is NaN, and none of the values at these places 0.
  library.def("are_regular(Tensor x, Tensor values, Tensor places) -> bool");
  // A contiguous copy.
  library.def("in_rows(Tensor x) -> Tensor");
  // x + shift, contiguous; x is stored by columns.
  library.def("shifted_rows(Tensor x, Tensor shift) -> Tensor");
  library.def("join_coordinates(Tensor[] pieces, int[] extents, bool wide) "
              "-> Tensor");
  library.def("join_positions(Tensor[] pieces, int[] entries, bool wide) "
              "-> Tensor");
  library.def("cached() -> (Tensor entries, Tensor[] tensors)");
  library.def("validate(" TSGU_PATTERN_SCHEMA ") -> int");
  library.def("row_positions(" TSGU_PATTERN_SCHEMA ") -> Tensor");
  // What an operation on two patterns gives: see Meetings.h.
  library.def("meet(int kind, int is_coo, int wide, " TSGU_PATTERN_SCHEMA
              ", Tensor other_positions, Tensor other_coordinates, "
              "int other_form, int other_items, int other_rows, "
              "int other_columns, int other_version) "
              "-> (Tensor positions, Tensor coordinates, Tensor entries)");
  // Whether the pattern is still what it was at another version.
  library.def("is_as_of(" TSGU_PATTERN_SCHEMA ", int other) -> bool");
  library.def("canonical(" TSGU_PATTERN_SCHEMA
              ") -> (Tensor positions, Tensor coordinates, Tensor map)");
}

// It has no tensor from which torch could tell the device.
STABLE_TORCH_LIBRARY_IMPL(tsgu, CompositeExplicitAutograd, library) {
  library.impl("cached", TORCH_BOX(&cachedTensors));
}

static void implement(torch::stable::detail::StableLibrary &library) {
  library.impl("run1", runBoxed<1>);
  library.impl("run2", runBoxed<2>);
  library.impl("run3", runBoxed<3>);
  library.impl("run4", runBoxed<4>);
  library.impl("run5", runBoxed<5>);
  library.impl("run_both3", runBothBoxed<3>);
  library.impl("run_both4", runBothBoxed<4>);
  library.impl("run_both5", runBothBoxed<5>);
  library.impl("run_form_both3", runFormBothBoxed<3>);
  library.impl("run_form_both4", runFormBothBoxed<4>);
  library.impl("run_form_both5", runFormBothBoxed<5>);
  library.impl("run_form1", runFormBoxed<1>);
  library.impl("run_form2", runFormBoxed<2>);
  library.impl("run_form3", runFormBoxed<3>);
  library.impl("run_form4", runFormBoxed<4>);
  library.impl("run_form5", runFormBoxed<5>);
  library.impl("run", TORCH_BOX(&runLists));
  library.impl("solve_from", solveFromBoxed);
  library.impl("validate", validateBoxed);
  library.impl("row_positions", rowPositionsBoxed);
  library.impl("is_as_of", isAsOfBoxed);
  library.impl("meet", meetBoxed);
  library.impl("canonical", canonicalBoxed);
}

STABLE_TORCH_LIBRARY_IMPL(tsgu, CPU, library) {
  implement(library);
  library.impl("are_regular", TORCH_BOX(&areRegular));
  library.impl("in_rows", TORCH_BOX(&inRowsOf));
  library.impl("shifted_rows", TORCH_BOX(&shiftedRowsOf));
  library.impl("join_coordinates", TORCH_BOX(&joinCoordinates));
  library.impl("join_positions", TORCH_BOX(&joinPositions));
}
STABLE_TORCH_LIBRARY_IMPL(tsgu, CUDA, library) { implement(library); }
