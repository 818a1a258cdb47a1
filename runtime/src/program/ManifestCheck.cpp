//===- ManifestCheck.cpp - Is a manifest consistent? ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/ManifestCheck.h"
#include "tsgu/Error.h"

#include <algorithm>
#include <cmath>

namespace tsgu::runtime {
namespace {

class Checker {
public:
  explicit Checker(const Manifest &manifest) : m(manifest) {}

  void run() {
    for (const Symbol &symbol : m.symbols) {
      require(symbol.storedOf == -1 || in(symbol.storedOf, m.patterns),
              "symbol ", symbol.name, " counts the entries of no pattern");
      require(isLayout(symbol.chunksOf) && isLayout(symbol.longRowsOf),
              "symbol ", symbol.name, " counts the rows of no layout");
      require(symbol.fixed >= 0, "symbol ", symbol.name, " is negative");
    }
    for (size_t p = 0; p < m.patterns.size(); ++p)
      pattern(static_cast<int32_t>(p));
    for (const LayoutInfo &layout : m.layouts)
      this->layout(layout);
    for (const TensorInfo &operand : m.operands)
      tensor(operand);
    tensor(m.result);
    for (const ScratchInfo &scratch : m.scratch)
      symbols(scratch.shape, "a scratch buffer");
    for (const Stage &stage : m.stages)
      this->stage(stage);
  }

private:
  void stage(const Stage &stage) {
    switch (stage.kind) {
    case Stage::Kernel:
      return kernel(stage);
    case Stage::PermuteValues:
      return permute(stage);
    case Stage::Solve:
      return solve(stage);
    case Stage::KeepTriangle:
      return keepTriangle(stage);
    }
  }

  template <typename... Parts>
  void require(bool condition, const Parts &...parts) {
    if (!condition)
      fail(Status::CompileFailed, "the manifest of ", m.program,
           " is inconsistent: ", parts...);
  }
  template <typename T> static bool in(int32_t index, const std::vector<T> &v) {
    return index >= 0 && static_cast<size_t>(index) < v.size();
  }
  bool isLayout(int32_t index) { return index == -1 || in(index, m.layouts); }
  void symbols(const std::vector<int32_t> &list, const std::string &user) {
    for (int32_t symbol : list)
      require(in(symbol, m.symbols), user, " refers to symbol ", symbol, " of ",
              m.symbols.size());
  }

  void pattern(int32_t index) {
    const PatternInfo &info = m.patterns[index];
    require(info.shape.size() == 2 || info.shape.size() == 3, "pattern ",
            info.name, " has rank ", info.shape.size());
    symbols(info.shape, "pattern " + info.name);
    require(in(info.stored, m.symbols) &&
                m.symbols[info.stored].storedOf == index,
            "pattern ", info.name, " has no symbol for its stored entries");
  }

  void layout(const LayoutInfo &info) {
    require(in(info.pattern, m.patterns), "a layout is of no pattern");
    const auto rank =
        static_cast<int32_t>(m.patterns[info.pattern].shape.size());
    using Order = std::vector<int32_t>;
    require(info.order == (rank == 2 ? Order{0, 1} : Order{0, 1, 2}) ||
                info.order == (rank == 2 ? Order{1, 0} : Order{0, 2, 1}),
            "a layout of pattern ", m.patterns[info.pattern].name,
            " has a level order that no layout has");
    require(info.indexType == ElementType::I32 ||
                info.indexType == ElementType::I64,
            "a layout has indices of type ", elementName(info.indexType));
  }

  void tensor(const TensorInfo &info) {
    symbols(info.shape, info.name);
    require(info.pattern == -1 || in(info.pattern, m.patterns), info.name,
            " is on no pattern");
    require(info.resultOf >= -1, info.name, " holds the result of nothing");
    require(!info.solver || (info.type == ElementType::I64 &&
                             info.pattern == -1 && info.shape.empty()),
            info.name, " is a solver with a shape");
  }

  void buffer(const Buffer &buffer, const std::string &user) {
    bool exists = buffer.kind == Buffer::Operand ? in(buffer.index, m.operands)
                  : buffer.kind == Buffer::Scratch ? in(buffer.index, m.scratch)
                                                   : buffer.index == 0;
    require(exists, user, " refers to buffer ", buffer.index,
            " that does not exist");
  }

  void argument(const Argument &argument, const Stage &stage) {
    if (argument.role != Argument::Values && argument.role != Argument::Dense) {
      require(in(argument.layout, m.layouts), stage.name,
              " refers to a layout that does not exist");
      require(!argument.written, stage.name, " writes to a pattern");
      return;
    }
    buffer(argument.buffer, stage.name);
    require(!argument.written || argument.buffer.kind != Buffer::Operand,
            stage.name, " writes to an operand");
    if (argument.role == Argument::Values)
      return;
    symbols(argument.shape, stage.name);
    const std::vector<int32_t> &slice = argument.slice;
    require(slice.empty() || slice.size() == stage.partition.loops.size(),
            stage.name, " has an argument sliced by loops that do not exist");
    for (int32_t dim : slice)
      require(dim == -1 || in(dim, argument.shape), stage.name,
              " has an argument sliced along dimension ", dim,
              " that does not exist");
  }

  void size(const SizeRef &size, const Stage &stage) {
    const std::vector<Argument> &arguments = stage.arguments;
    auto exists = [&] {
      switch (size.kind) {
      case SizeRef::Extent:
        return in(size.index, m.symbols);
      case SizeRef::Range:
        return in(size.index, stage.partition.loops);
      case SizeRef::Stride:
        return in(size.index, arguments) &&
               arguments[size.index].role == Argument::Dense &&
               in(size.dim, arguments[size.index].shape);
      case SizeRef::EntryLanes:
        return stage.device.blockThreads > 0;
      case SizeRef::SplitLength:
        return in(size.index, m.layouts);
      }
      return false;
    };
    require(exists(), stage.name, " has a size that refers to nothing");
  }

  void device(const Stage &stage) {
    const DeviceMap &map = stage.device;
    if (map.blockThreads == 0)
      return;
    auto isPower = [](int32_t n) { return n > 0 && (n & (n - 1)) == 0; };
    require(map.blockThreads % 32 == 0 && map.blockThreads > 0 &&
                map.blockThreads <= 1024,
            stage.name, " has blocks of ", map.blockThreads, " threads");
    require(isPower(map.denseLanes) && isPower(map.entryLanes) &&
                map.denseLanes <= 32 && map.entryLanes <= 32 &&
                map.denseLanes * map.entryLanes <= 32,
            stage.name, " shares a row among ", map.denseLanes, " times ",
            map.entryLanes, " threads");
  }

  void cost(const std::vector<Cost::Term> &terms, const Stage &stage) {
    for (const Cost::Term &term : terms) {
      require(std::isfinite(term.factor) && term.factor >= 0, stage.name,
              " has a cost that is no number");
      symbols(term.symbols, stage.name);
    }
  }

  void kernel(const Stage &stage) {
    const Partition &partition = stage.partition;
    require(partition.loops.size() <= 2, stage.name, " partitions ",
            partition.loops.size(), " loops");
    symbols(partition.loops, stage.name);
    require(!partition.parallel || !partition.loops.empty(), stage.name,
            " is parallel in no loop");
    require(partition.weightLayout == -1 ||
                in(partition.weightLayout, m.layouts),
            stage.name, " weighs its work by a layout that does not exist");
    for (const Argument &argument : stage.arguments)
      this->argument(argument, stage);
    for (const SizeRef &size : stage.sizes)
      this->size(size, stage);
    device(stage);
    cost(stage.cost.flops, stage);
    cost(stage.cost.bytes, stage);
  }

  /// Whether a buffer holds the values of a pattern.
  bool holdsValues(const Buffer &buffer, int32_t pattern) {
    if (buffer.kind == Buffer::Scratch)
      return m.scratch[buffer.index].shape ==
             std::vector<int32_t>{m.patterns[pattern].stored};
    const TensorInfo &info =
        buffer.kind == Buffer::Operand ? m.operands[buffer.index] : m.result;
    return info.pattern == pattern;
  }

  void permute(const Stage &stage) {
    require(in(stage.layout, m.layouts), "values are permuted for no layout");
    buffer(stage.source, "a permutation of values");
    buffer(stage.destination, "a permutation of values");
    int32_t pattern = m.layouts[stage.layout].pattern;
    require(stage.destination.kind != Buffer::Operand,
            "a permutation of values writes to an operand");
    require(holdsValues(stage.source, pattern) &&
                holdsValues(stage.destination, pattern) &&
                typeOf(m, stage.source) == typeOf(m, stage.destination) &&
                (stage.source.kind != stage.destination.kind ||
                 stage.source.index != stage.destination.index),
            "a permutation takes other than values of pattern ",
            m.patterns[pattern].name);
  }

  /// A solver and the CSR layout of the matrix that it works on.
  void solver(const Stage &stage, const char *user) {
    require(in(stage.solve.solver, m.operands) &&
                m.operands[stage.solve.solver].solver,
            user, " has no solver");
    require(in(stage.layout, m.layouts) &&
                std::is_sorted(m.layouts[stage.layout].order.begin(),
                               m.layouts[stage.layout].order.end()),
            user, " has no CSR layout");
    buffer(stage.source, user);
    buffer(stage.destination, user);
    require(stage.destination.kind != Buffer::Operand, user,
            " writes to an operand");
  }

  std::vector<int32_t> shapeOf(const Buffer &buffer) {
    return buffer.kind == Buffer::Scratch   ? m.scratch[buffer.index].shape
           : buffer.kind == Buffer::Operand ? m.operands[buffer.index].shape
                                            : m.result.shape;
  }

  bool isSparse(const Buffer &buffer) {
    return buffer.kind == Buffer::Operand
               ? m.operands[buffer.index].pattern >= 0
           : buffer.kind == Buffer::Result ? m.result.pattern >= 0
                                           : false;
  }

  void solve(const Stage &stage) {
    const SolveInfo &info = stage.solve;
    solver(stage, "a solve");
    buffer(info.values, "a solve");
    const int32_t pattern = m.layouts[stage.layout].pattern;
    require(holdsValues(info.values, pattern), "a solve with a matrix on ",
            "another pattern");
    require(in(info.columns, m.symbols), "a solve has no columns");
    // A has shape [items, rows, columns], b and x [items, ..., right-hand
    // sides].
    const std::vector<int32_t> &matrix = m.patterns[pattern].shape;
    const size_t lead = matrix.size() - 2;
    int32_t b = matrix[lead], x = matrix[lead + 1];
    if (info.mode != SolveInfo::N)
      std::swap(b, x);
    if (info.kind == SolveInfo::NormalEquations)
      b = x;
    auto fits = [&](const Buffer &buffer, int32_t length) {
      std::vector<int32_t> shape(matrix.begin(), matrix.begin() + lead);
      shape.push_back(length);
      shape.push_back(info.columns);
      return !isSparse(buffer) && shapeOf(buffer) == shape &&
             typeOf(m, buffer) == typeOf(m, info.values);
    };
    require(fits(stage.source, b) && fits(stage.destination, x),
            "a solve has vectors that do not fit its matrix");
  }

  void keepTriangle(const Stage &stage) {
    solver(stage, "the choice of a triangle");
    const int32_t pattern = m.layouts[stage.layout].pattern;
    require(holdsValues(stage.source, pattern) &&
                holdsValues(stage.destination, pattern) &&
                typeOf(m, stage.source) == typeOf(m, stage.destination),
            "a triangle is chosen from other than values of pattern ",
            m.patterns[pattern].name);
  }

  const Manifest &m;
};

} // namespace

void checkManifest(const Manifest &manifest) { Checker(manifest).run(); }

} // namespace tsgu::runtime
