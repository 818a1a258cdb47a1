//===- FakePrograms.cpp - Hand-written programs with manifests ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakePrograms.h"

namespace tsgu::test {
namespace {

//===----------------------------------------------------------------------===//
// Kernels. Sizes: first the ranges, then extents, then strides.
//===----------------------------------------------------------------------===//

/// C[r, :] = sum over the row's entries of A * B[column, :].
template <typename T, typename I>
void productRow(const I *positions, const I *coordinates, const T *A,
                const T *B, int64_t ldb, T *C, int64_t p) {
  for (int64_t j = 0; j < p; ++j) {
    T sum = 0;
    for (int64_t k = positions[0]; k < positions[1]; ++k)
      sum += A[k] * B[coordinates[k] * ldb + j];
    C[j] = sum;
  }
}

template <typename T, typename I>
void spmm(void *const *pointers, const int64_t *sizes) {
  auto *positions = static_cast<const I *>(pointers[0]);
  auto *C = static_cast<T *>(pointers[4]);
  for (int64_t r = 0; r < sizes[0]; ++r)
    productRow(positions + r, static_cast<const I *>(pointers[1]),
               static_cast<const T *>(pointers[2]),
               static_cast<const T *>(pointers[3]), sizes[2], C + r * sizes[3],
               sizes[1]);
}

/// Sizes: items, rows, rows per item, p, strides of B and C. `shared`: one
/// pattern for all items.
template <typename T, typename I, bool shared>
void batchedSpmm(void *const *pointers, const int64_t *sizes) {
  auto *positions = static_cast<const I *>(pointers[0]);
  auto *B = static_cast<const T *>(pointers[3]);
  auto *C = static_cast<T *>(pointers[4]);
  for (int64_t i = 0; i < sizes[0]; ++i)
    for (int64_t r = 0; r < sizes[1]; ++r)
      productRow(positions + (shared ? 0 : i * sizes[2]) + r,
                 static_cast<const I *>(pointers[1]),
                 static_cast<const T *>(pointers[2]), B + i * sizes[4],
                 sizes[5], C + i * sizes[6] + r * sizes[7], sizes[3]);
}

template <typename T, typename I>
void rowSums(void *const *pointers, const int64_t *sizes) {
  auto *positions = static_cast<const I *>(pointers[0]);
  auto *A = static_cast<const T *>(pointers[1]);
  auto *sums = static_cast<T *>(pointers[2]);
  for (int64_t r = 0; r < sizes[0]; ++r) {
    sums[r] = 0;
    for (int64_t k = positions[r]; k < positions[r + 1]; ++k)
      sums[r] += A[k];
  }
}

template <typename T, typename I>
void divideRows(void *const *pointers, const int64_t *sizes) {
  auto *positions = static_cast<const I *>(pointers[0]);
  auto *A = static_cast<const T *>(pointers[1]);
  auto *sums = static_cast<const T *>(pointers[2]);
  auto *result = static_cast<T *>(pointers[3]);
  for (int64_t r = 0; r < sizes[0]; ++r)
    for (int64_t k = positions[r]; k < positions[r + 1]; ++k)
      result[k] = A[k] / sums[r];
}

template <typename T> void total(void *const *pointers, const int64_t *sizes) {
  T sum = 0;
  for (int64_t k = 0; k < sizes[0]; ++k)
    sum += static_cast<const T *>(pointers[0])[k];
  *static_cast<T *>(pointers[1]) = sum;
}

/// Of a whole batch of items: reads nothing but positions.
template <typename T, typename I>
void itemLength(void *const *pointers, const int64_t *sizes) {
  auto *positions = static_cast<const I *>(pointers[0]);
  for (int64_t i = 0; i < sizes[0]; ++i)
    static_cast<T *>(pointers[1])[i] =
        static_cast<T>(positions[(i + 1) * sizes[1]] - positions[i * sizes[1]]);
}

template <typename T, typename I>
tsgu_kernel kernelNamed(const std::string &n) {
  return n == "spmm"           ? spmm<T, I>
         : n == "batched_spmm" ? batchedSpmm<T, I, false>
         : n == "shared_spmm"  ? batchedSpmm<T, I, true>
         : n == "row_sums"     ? rowSums<T, I>
         : n == "divide_rows"  ? divideRows<T, I>
         : n == "item_length"  ? itemLength<T, I>
                               : total<T>;
}

template <typename T>
tsgu_kernel kernelNamed(const std::string &name, ElementType index) {
  return index == ElementType::I32 ? kernelNamed<T, int32_t>(name)
                                   : kernelNamed<T, int64_t>(name);
}

//===----------------------------------------------------------------------===//
// Manifests
//===----------------------------------------------------------------------===//

constexpr Buffer result{Buffer::Result, 0};
constexpr Buffer operand(int32_t i) { return {Buffer::Operand, i}; }
constexpr Buffer scratch(int32_t i) { return {Buffer::Scratch, i}; }

class Builder {
public:
  Builder(const std::string &name, const Types &types) : types(types) {
    m.program = name;
    m.target = "any";
  }

  int32_t size(const char *name) {
    m.symbols.push_back({name, -1, 0});
    return static_cast<int32_t>(m.symbols.size()) - 1;
  }
  /// Returns the symbol of the stored entries.
  int32_t pattern(std::vector<int32_t> shape) {
    auto index = static_cast<int32_t>(m.patterns.size());
    const char digit = static_cast<char>('0' + index);
    m.symbols.push_back({{'z', digit}, index, 0});
    auto stored = static_cast<int32_t>(m.symbols.size()) - 1;
    m.patterns.push_back({{'P', digit}, shape, stored});
    return stored;
  }
  void layout(std::vector<int32_t> order) {
    Levels levels = canonicalLevels(static_cast<int32_t>(order.size()));
    for (size_t i = 0; i < order.size(); ++i)
      levels[i].dimension = order[i];
    m.layouts.push_back(
        {0, levels, isCanonical(levels) ? types.index : types.derived});
  }
  void sparse(const char *name) {
    m.operands.push_back({name, types.value, 0, m.patterns[0].shape, true, -1});
  }
  void dense(const char *name, std::vector<int32_t> shape, bool read = true) {
    m.operands.push_back({name, types.value, -1, shape, read, -1});
  }
  void gives(int32_t pattern, std::vector<int32_t> shape) {
    m.result = {"result", types.value, pattern, shape, true, -1};
  }
  void keeps(std::vector<int32_t> shape) {
    m.scratch.push_back({types.value, shape});
  }
  Stage &kernel(const char *name, std::vector<int32_t> loops, int32_t weights) {
    Stage &stage = m.stages.emplace_back();
    stage.name = name;
    stage.partition = {loops, !loops.empty(), weights, "written by hand"};
    for (size_t loop = 0; loop < loops.size(); ++loop)
      stage.sizes.push_back({SizeRef::Range, static_cast<int32_t>(loop), 0});
    return stage;
  }
  StepInfo &step(const char *name, std::vector<Buffer> reads,
                 std::vector<Buffer> writes) {
    StepInfo &step = m.stages.emplace_back().step;
    step = {name, 0, std::move(reads), std::move(writes), {}};
    return step;
  }
  void permute(Buffer source, int32_t layout, Buffer destination) {
    step("permute_values", {source}, {destination}).layout = layout;
  }

  Argument positions(int32_t layout) const {
    Argument argument;
    argument.role = Argument::Positions;
    argument.layout = layout;
    argument.level = static_cast<int32_t>(m.layouts[layout].levels.size()) - 1;
    return argument;
  }
  Argument coordinates(int32_t layout) const {
    Argument argument = positions(layout);
    argument.role = Argument::Coordinates;
    return argument;
  }
  static Argument values(Buffer buffer, bool written = false) {
    Argument argument;
    argument.role = Argument::Values;
    argument.buffer = buffer;
    argument.written = written;
    return argument;
  }
  static Argument dense(Buffer buffer, std::vector<int32_t> shape,
                        std::vector<int32_t> slice, bool written = false) {
    Argument argument = values(buffer, written);
    argument.role = Argument::Dense;
    argument.shape = shape;
    argument.slice = slice;
    return argument;
  }
  static SizeRef extent(int32_t symbol) { return {SizeRef::Extent, symbol, 0}; }
  static SizeRef stride(int32_t argument, int32_t dim) {
    return {SizeRef::Stride, argument, dim};
  }

  Manifest m;
  const Types types;
};

Manifest spmm(Builder b, bool transposed) {
  int32_t m = b.size("m"), n = b.size("n"), p = b.size("p");
  int32_t z = b.pattern({m, n});
  b.sparse("A");
  b.dense("B", {transposed ? m : n, p});
  b.gives(-1, {transposed ? n : m, p});
  b.layout(transposed ? std::vector{1, 0} : std::vector{0, 1});
  Buffer values = operand(0);
  if (transposed) {
    b.keeps({z});
    b.permute(operand(0), 0, values = scratch(0));
  }
  Stage &stage = b.kernel("spmm", {transposed ? n : m}, 0);
  stage.arguments = {b.positions(0), b.coordinates(0), Builder::values(values),
                     Builder::dense(operand(1), b.m.operands[1].shape, {-1}),
                     Builder::dense(result, b.m.result.shape, {0}, true)};
  stage.sizes.insert(
      stage.sizes.end(),
      {Builder::extent(p), Builder::stride(3, 0), Builder::stride(4, 0)});
  stage.cost.flops = {{2, {z, p}}};
  stage.cost.bytes = {{12, {z}}, {16, {m, p}}};
  return b.m;
}

Manifest batchedSpmm(Builder b, bool shared) {
  int32_t items = b.size("b"), m = b.size("m"), n = b.size("n");
  int32_t p = b.size("p");
  int32_t z = shared ? b.pattern({m, n}) : b.pattern({items, m, n});
  b.sparse("A");
  b.dense("B", {items, n, p});
  b.gives(-1, {items, m, p});
  b.layout(shared ? std::vector{0, 1} : std::vector{0, 1, 2});
  Stage &stage =
      b.kernel(shared ? "shared_spmm" : "batched_spmm", {items, m}, 0);
  stage.arguments = {b.positions(0), b.coordinates(0),
                     Builder::values(operand(0)),
                     Builder::dense(operand(1), {items, n, p}, {0, -1}),
                     Builder::dense(result, {items, m, p}, {0, 1}, true)};
  stage.sizes.insert(stage.sizes.end(),
                     {Builder::extent(m), Builder::extent(p),
                      Builder::stride(3, 0), Builder::stride(3, 1),
                      Builder::stride(4, 0), Builder::stride(4, 1)});
  stage.cost.flops = {{2, {z, p}}};
  if (shared)
    stage.cost.flops[0].symbols.push_back(items);
  return b.m;
}

/// Every value divided by the sum of its row: two stages and scratch.
Manifest rowNormalize(Builder b) {
  int32_t m = b.size("m"), n = b.size("n"), z = b.pattern({m, n});
  b.sparse("A");
  b.gives(0, {m, n});
  b.layout({0, 1});
  b.keeps({m});
  Stage &sums = b.kernel("row_sums", {m}, 0);
  sums.arguments = {b.positions(0), Builder::values(operand(0)),
                    Builder::dense(scratch(0), {m}, {0}, true)};
  sums.cost.flops = {{1, {z}}};
  Stage &divide = b.kernel("divide_rows", {m}, 0);
  divide.arguments = {b.positions(0), Builder::values(operand(0)),
                      Builder::dense(scratch(0), {m}, {0}),
                      Builder::values(result, true)};
  divide.cost.flops = {{1, {z}}};
  return b.m;
}

/// The sum of all values: a scalar, and no loop that could be cut.
Manifest total(Builder b) {
  int32_t z = b.pattern({b.size("m"), b.size("n")});
  b.sparse("A");
  b.gives(-1, {});
  Stage &stage = b.kernel("total", {}, -1);
  stage.arguments = {Builder::dense(operand(0), {z}, {}),
                     Builder::dense(result, {}, {}, true)};
  stage.sizes = {Builder::extent(z)};
  stage.cost.flops = {{1, {z}}};
  return b.m;
}

/// Entries of every item: whole items are the unit of work.
Manifest itemLength(Builder b) {
  int32_t items = b.size("b"), m = b.size("m"), n = b.size("n");
  int32_t z = b.pattern({items, m, n});
  b.sparse("A");
  b.m.operands[0].read = false;
  b.gives(-1, {items});
  b.layout({0, 1, 2});
  Stage &stage = b.kernel("item_length", {items}, 0);
  stage.arguments = {b.positions(0),
                     Builder::dense(result, {items}, {0}, true)};
  stage.sizes.push_back(Builder::extent(m));
  stage.cost.flops = {{1, {z}}};
  return b.m;
}

/// X = L^-1 B, and its gradient by B alone; `items`: a batch of matrices.
Manifest solve(Builder b, bool batched) {
  std::vector<int32_t> lead;
  if (batched)
    lead.push_back(b.size("b"));
  int32_t m = b.size("m"), n = b.size("n"), p = b.size("p");
  auto with = [&](std::initializer_list<int32_t> rest) {
    std::vector<int32_t> shape = lead;
    shape.insert(shape.end(), rest);
    return shape;
  };
  b.pattern(with({m, n}));
  b.m.operands.push_back({"solver", ElementType::I64, -1, {}, true, -1, true});
  b.sparse("A");
  b.dense("B", with({m, p}));
  b.gives(-1, with({n, p}));
  b.layout(batched ? std::vector{0, 1, 2} : std::vector{0, 1});
  b.step("triangular_solve", {operand(0), operand(1), operand(2)}, {result})
      .numbers = {0};
  return b.m;
}

/// The entries of A that a triangular solver reads.
Manifest keepTriangle(Builder b) {
  int32_t m = b.size("m"), n = b.size("n");
  b.pattern({m, n});
  b.m.operands.push_back({"solver", ElementType::I64, -1, {}, true, -1, true});
  b.sparse("A");
  b.gives(0, {m, n});
  b.layout({0, 1});
  b.step("triangle", {operand(0), operand(1)}, {result});
  return b.m;
}

} // namespace

Manifest fakeManifest(const std::string &name, const Types &types) {
  Builder builder(name, types);
  return name == "spmm"              ? spmm(builder, false)
         : name == "spmm-transposed" ? spmm(builder, true)
         : name == "batched-spmm"    ? batchedSpmm(builder, false)
         : name == "shared-spmm"     ? batchedSpmm(builder, true)
         : name == "row-normalize"   ? rowNormalize(builder)
         : name == "total"           ? total(builder)
         : name == "item-length"     ? itemLength(builder)
         : name == "solve"           ? solve(builder, false)
         : name == "batched-solve"   ? solve(builder, true)
         : name == "keep-triangle"   ? keepTriangle(builder)
                                     : Manifest();
}

FakeObject::FakeObject(Manifest given, const Types &types)
    : manifest(std::move(given)), bytes(manifest.serialize()) {
  for (const Stage &stage : manifest.stages) {
    if (!stage.isKernel())
      continue;
    ElementType index = types.index;
    if (!stage.arguments.empty() && stage.arguments[0].layout >= 0)
      index = manifest.layouts[stage.arguments[0].layout].indexType;
    kernels.push_back(types.value == ElementType::F32
                          ? kernelNamed<float>(stage.name, index)
                          : kernelNamed<double>(stage.name, index));
  }
  compiled = {};
  compiled.manifest = bytes.data();
  compiled.manifest_size = bytes.size();
  compiled.kernel_count = kernels.size();
  compiled.kernels = kernels.data();
}

} // namespace tsgu::test
