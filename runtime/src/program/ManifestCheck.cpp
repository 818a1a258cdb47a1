//===- ManifestCheck.cpp - Is a manifest consistent? ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/ManifestBytes.h"
#include "program/Step.h"
#include "tsgu/Error.h"
#include "tsgu/ManifestFields.h"

#include <algorithm>
#include <cmath>

namespace tsgu::runtime {
namespace {

template <typename T> bool in(int32_t index, const std::vector<T> &v) {
  return index >= 0 && static_cast<size_t>(index) < v.size();
}

/// Goes through all fields: what they refer to has to be there.
class References {
public:
  explicit References(const Manifest &manifest) : m(manifest) {
    fields(*this, m);
  }

  template <typename T>
  void operator()(const char *name, const T &field, FieldInfo about = {}) {
    const size_t outside = path.size();
    path += outside == 0 ? "" : ".";
    path += name;
    visit(field, about);
    path.resize(outside);
  }

private:
  void visit(int32_t index, FieldInfo about) {
    static constexpr const char *names[] = {"", "symbol", "pattern", "layout"};
    const size_t counts[] = {0, m.symbols.size(), m.patterns.size(),
                             m.layouts.size()};
    const size_t count = counts[about.refersTo];
    require(m,
            about.refersTo == FieldInfo::None ||
                (about.optional && index == about.absent) ||
                (index >= 0 && static_cast<size_t>(index) < count),
            path, " refers to ", names[about.refersTo], ' ', index, " of ",
            count);
  }
  void visit(const Buffer &buffer, FieldInfo) {
    bool exists = buffer.kind == Buffer::Operand ? in(buffer.index, m.operands)
                  : buffer.kind == Buffer::Scratch ? in(buffer.index, m.scratch)
                                                   : buffer.index == 0;
    require(m, exists, path, " refers to buffer ", buffer.index,
            " that does not exist");
  }
  void visit(const std::vector<int32_t> &list, FieldInfo about) {
    for (int32_t index : list)
      visit(index, about);
  }
  template <typename T>
  void visit(const std::vector<T> &list, FieldInfo about) {
    const size_t outside = path.size();
    for (size_t i = 0; i < list.size(); ++i) {
      path += '[' + std::to_string(i) + ']';
      visit(list[i], about);
      path.resize(outside);
    }
  }
  template <typename T> void visit(const T &value, FieldInfo) {
    if constexpr (requires { fields(*this, value); })
      fields(*this, value);
  }

  const Manifest &m;
  std::string path; ///< Of the field that is looked at.
};

class Checker {
public:
  explicit Checker(const Manifest &manifest) : m(manifest) {}

  void run() {
    for (const Symbol &symbol : m.symbols)
      require(symbol.fixed >= 0, "symbol ", symbol.name, " is negative");
    for (size_t p = 0; p < m.patterns.size(); ++p)
      pattern(static_cast<int32_t>(p));
    for (const LayoutInfo &layout : m.layouts)
      this->layout(layout);
    for (const Symbol &symbol : m.symbols)
      require(symbol.nodesOf < 0 ||
                  m.layouts[symbol.nodesOf].levels[0].kind == Level::Compressed,
              "symbol ", symbol.name, " counts nodes of a dense level");
    for (const TensorInfo &operand : m.operands)
      tensor(operand);
    tensor(m.result);
    for (const Stage &stage : m.stages)
      this->stage(stage);
  }

private:
  void stage(const Stage &stage) {
    if (stage.isKernel())
      return kernel(stage);
    require(stage.step.layout < 0 ||
                !hasBlocks(m.layouts[stage.step.layout].levels),
            stage.step.name, " has a layout of blocks");
    checkStep({m, stage.step});
  }

  template <typename... Parts>
  void require(bool condition, const Parts &...parts) {
    runtime::require(m, condition, parts...);
  }

  void pattern(int32_t index) {
    const PatternInfo &info = m.patterns[index];
    require(info.shape.size() == 2 || info.shape.size() == 3, "pattern ",
            info.name, " has rank ", info.shape.size());
    require(m.symbols[info.stored].storedOf == index, "pattern ", info.name,
            " has no symbol for its stored entries");
  }

  void layout(const LayoutInfo &info) {
    const std::string &name = m.patterns[info.pattern].name;
    const size_t rank = m.patterns[info.pattern].shape.size();
    require(info.levels.size() == rank, "a layout of pattern ", name, " has ",
            info.levels.size(), " levels for ", rank, " dimensions");
    std::vector<bool> named(rank);
    for (const Level &level : info.levels) {
      require(in(level.dimension, named) && !named[level.dimension],
              "a layout of pattern ", name, " has levels {",
              tsgu::print(info.levels), "} that are not its dimensions");
      named[level.dimension] = true;
    }
    auto isDense = [](const Level &l) { return l.kind == Level::Dense; };
    require(!isDense(info.levels.back()) &&
                std::ranges::is_partitioned(info.levels, isDense),
            "a layout of pattern ", name, " has a dense level, {",
            tsgu::print(info.levels),
            "}, after a compressed one or at its end");
    for (size_t level = 0; level < rank; ++level) {
      const int32_t block = info.levels[level].block;
      require(block > 0 && (block == 1 || (level + 2 >= rank &&
                                           isDense(info.levels[rank - 2]))),
              "a layout of pattern ", name, " has blocks, {",
              tsgu::print(info.levels), "}, other than of rows and columns");
      require(info.levels[level].kind != Level::Diagonal ||
                  (level + 1 == rank && block == 1 &&
                   info.levels[level - 1].block > 1),
              "a layout of pattern ", name, " has diagonals, {",
              tsgu::print(info.levels), "}, of no blocks");
    }
    require(info.indexType == ElementType::I32 ||
                info.indexType == ElementType::I64,
            "a layout has indices of type ", elementName(info.indexType));
  }

  void tensor(const TensorInfo &info) {
    require(info.resultOf >= -1, info.name, " holds the result of nothing");
    require(!info.solver || (info.type == ElementType::I64 &&
                             info.pattern == -1 && info.shape.empty()),
            info.name, " is a solver with a shape");
  }

  /// Dense levels have no arrays, and the first level no positions.
  void indices(const Argument &argument, const Stage &stage) {
    const Levels &levels = m.layouts[argument.layout].levels;
    require(in(argument.level, levels) &&
                levels[argument.level].kind != Level::Dense &&
                ((argument.level > 0 &&
                  levels[argument.level].kind != Level::Singleton) ||
                 argument.role == Argument::Coordinates),
            stage.name, " has indices of level ", argument.level, " of {",
            tsgu::print(levels), "}, which has none");
  }

  void argument(const Argument &argument, const Stage &stage) {
    if (argument.role != Argument::Values && argument.role != Argument::Dense) {
      require(argument.layout >= 0, stage.name,
              " has positions or coordinates of no layout");
      if (argument.role == Argument::Positions ||
          argument.role == Argument::Coordinates)
        indices(argument, stage);
      require(!argument.written, stage.name, " writes to a pattern");
      return;
    }
    require(!argument.written || argument.buffer.kind != Buffer::Operand,
            stage.name, " writes to an operand");
    if (argument.role == Argument::Values)
      return;
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
    for (const Cost::Term &term : terms)
      require(std::isfinite(term.factor) && term.factor >= 0, stage.name,
              " has a cost that is no number");
  }

  /// What a row is made of that is cut: the last argument is the output.
  void within(const Stage &stage) {
    const Partition &partition = stage.partition;
    if (partition.within == Partition::Whole)
      return;
    require(partition.parallel && partition.loops.size() == 1 &&
                partition.weightLayout >= 0 && !stage.arguments.empty() &&
                stage.arguments.back().written,
            stage.name, " cuts rows that are not its loop");
    const Argument &output = stage.arguments.back();
    const Levels &levels = m.layouts[partition.weightLayout].levels;
    const std::vector<int32_t> slice{levels[0].kind == Level::Dense ? 0 : -1};
    require(levels.size() == 2, stage.name, " cuts what are no rows");
    require(partition.within == Partition::Entries
                ? output.role == Argument::Values
                : output.role == Argument::Dense && !output.shape.empty() &&
                      output.shape.size() <= 2 && output.slice == slice &&
                      isSolverType(typeOf(m, output.buffer)),
            stage.name, " cuts rows of an output that has none");
  }

  /// Rows are weighed one by one, and computed by blocks of one height.
  void blocks(const Stage &stage) {
    const int32_t weights = stage.partition.weightLayout;
    require(weights < 0 || !hasBlocks(m.layouts[weights].levels), stage.name,
            " weighs its work by blocks");
    int32_t height = 1;
    for (const Argument &argument : stage.arguments)
      if (argument.role == Argument::Positions) {
        const Levels &levels = m.layouts[argument.layout].levels;
        const int32_t block = levels[argument.level - 1].block;
        require(height == 1 || block == 1 || block == height, stage.name,
                " goes through blocks of ", height, " and of ", block, " rows");
        height = std::max(height, block);
      }
  }

  void kernel(const Stage &stage) {
    const Partition &partition = stage.partition;
    require(partition.loops.size() <= 2, stage.name, " partitions ",
            partition.loops.size(), " loops");
    require(!partition.parallel || !partition.loops.empty(), stage.name,
            " is parallel in no loop");
    for (const Argument &argument : stage.arguments)
      this->argument(argument, stage);
    blocks(stage);
    within(stage);
    for (const SizeRef &size : stage.sizes)
      this->size(size, stage);
    device(stage);
    cost(stage.cost.flops, stage);
    cost(stage.cost.bytes, stage);
  }

  const Manifest &m;
};

} // namespace
} // namespace tsgu::runtime

namespace tsgu {

Manifest Manifest::parse(const void *data, size_t size) {
  Manifest manifest = runtime::readManifest(data, size);
  runtime::References{manifest};
  runtime::Checker(manifest).run();
  return manifest;
}

} // namespace tsgu
