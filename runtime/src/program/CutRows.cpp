//===- CutRows.cpp - Kernels with rows that are shared out ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/CutRows.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "pattern/LongRows.h"
#include "pattern/Ranges.h"
#include "program/Buffers.h"
#include "program/CombineRows.h"

#include <algorithm>

namespace tsgu::runtime {
namespace {

/// Computes long rows in chunks, and the rows between them. Tasks of about the
/// same work are handed out together; each is a part of the rows between two
/// long ones, or some chunks.
class CutRun {
public:
  CutRun(const KernelCall &call, Partition::Within within, ElementType type,
         const LongRows &cut, const Layout &layout, int64_t rowElements,
         int64_t outputStride)
      : call(call), cut(cut), layout(layout), within(within), type(type),
        rowElements(rowElements),
        rowBytes(multiply(rowElements, elementSize(type))),
        outputStride(outputStride), combines(within != Partition::Entries),
        results(combines ? multiply(rowBytes, chunks()) : 0) {}

  void run(const tsgu_executor &executor, int64_t parts) const {
    std::vector<Task> tasks = tasksOf(parts);
    parallelFor(executor, static_cast<int64_t>(tasks.size()),
                [&](int64_t first, int64_t last) {
                  for (; first < last; ++first)
                    runTask(tasks[static_cast<size_t>(first)]);
                });
    for (size_t i = 0; combines && i < cut.rows.size(); ++i)
      combineRows(within, type, rowElements,
                  moved(call.output(), offsetOf(cut.rows[i])),
                  results.data() + cut.firsts[i] * rowBytes,
                  cut.firsts[i + 1] - cut.firsts[i]);
  }

private:
  struct Task {
    bool isChunks;
    int64_t begin, end; ///< Rows or chunks.
  };
  int64_t chunks() const { return static_cast<int64_t>(cut.chunks.size()); }

  /// Of a row in the output.
  int64_t offsetOf(int64_t row) const {
    return layout.coordinateOf(row) * outputStride;
  }

  std::vector<Task> tasksOf(int64_t parts) const {
    std::vector<Task> tasks;
    const int64_t work =
        std::max<int64_t>((layout.stored + layout.rows) / parts, 1);
    auto addRows = [&](int64_t begin, int64_t end) {
      if (begin == end)
        return;
      const int64_t entries = layout.position(end) - layout.position(begin);
      const int64_t count =
          std::min((entries + end - begin) / work + 1, end - begin);
      const Ranges ranges(layout, begin, end, count);
      for (int64_t part = 0; part < count; ++part)
        tasks.push_back(
            {false, ranges.boundary(part), ranges.boundary(part + 1)});
    };
    int64_t row = 0;
    for (int64_t next : cut.rows) {
      addRows(row, next);
      row = next + 1;
    }
    addRows(row, layout.rows);
    const int64_t count = std::min(parts, chunks());
    for (int64_t part = 0; part < count; ++part)
      tasks.push_back(
          {true, chunks() * part / count, chunks() * (part + 1) / count});
    return tasks;
  }

  void runTask(const Task &task) const {
    if (!task.isChunks)
      return call.runRange(task.begin, task.end);
    for (int64_t chunk = task.begin; chunk < task.end; ++chunk)
      runChunk(chunk);
  }

  void runChunk(int64_t chunk) const {
    const int64_t row = cut.chunks[static_cast<size_t>(chunk)].row;
    char *result = nullptr;
    if (combines) {
      result = results.data() + chunk * rowBytes;
      // By the row's coordinate, where rows are not cut out of the output.
      if (layout.upper[0].isCompressed())
        result = moved(result, -offsetOf(row));
    }
    call.runChunk(row, cut.positionsOf(chunk, layout.indexType), result);
  }

  const KernelCall &call;
  const LongRows &cut;
  const Layout &layout;
  const Partition::Within within;
  const ElementType type;
  const int64_t rowElements, rowBytes;
  const int64_t outputStride; ///< Bytes from one row to the next.
  const bool combines;
  const Scratch results;
};

} // namespace

bool runCutRows(const Manifest &manifest, const Stage &stage,
                const KernelCall &call, const Frame &frame,
                const Binding &binding, const tsgu_executor &executor,
                int64_t parts) {
  const Partition &partition = stage.partition;
  if (partition.within == Partition::Whole)
    return false;
  const Layout &layout = frame.layout(partition.weightLayout);
  if (layout.rows != call.iterations())
    return false; // Of a batch, one item.
  const std::shared_ptr<const LongRows> cut =
      longRowsOf(frame.pattern(partition.weightLayout), layout);
  if (!cut)
    return false;
  const Argument &output = stage.arguments.back();
  const int64_t elements =
      output.shape.size() > 1 ? binding.sizes[output.shape[1]] : 1;
  const ElementType type = typeOf(manifest, output.buffer);
  const int64_t stride =
      output.role == Argument::Dense
          ? frame.strides(slotOf(manifest, output.buffer))[0] *
                elementSize(type)
          : 0;
  CutRun(call, partition.within, type, *cut, layout, elements, stride)
      .run(executor, parts);
  return true;
}

} // namespace tsgu::runtime
