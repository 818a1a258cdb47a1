//===- Meetings.cpp - Which entries of two operands meet ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Meetings.h"
#include "PatternCache.h"
#include "Run.h"

#include <algorithm>
#include <memory>

using namespace tsgu::torch_plugin;

namespace {
struct Counted {
  Counted(tsgu_meeting kind, const CachedPattern &a, const CachedPattern &b,
          const tsgu_executor &executor) {
    tsgu_meetings *counted = nullptr;
    check(tsgu_meetings_count(kind, a.pattern, b.pattern, &executor, &counted,
                              &info));
    meetings.reset(counted);
  }
  std::unique_ptr<tsgu_meetings, void (*)(tsgu_meetings *)> meetings{
      nullptr, tsgu_meetings_free};
  tsgu_meetings_info info;
};
} // namespace

/// Writes item and row, or row, of the entries of flat rows.
static void expandRows(const int64_t *positions, int64_t flatRows,
                       int64_t rowsPerItem, int64_t *items, int64_t *rows) {
  for (int64_t row = 0; row < flatRows; ++row)
    for (int64_t k = positions[row]; k < positions[row + 1]; ++k) {
      if (items)
        items[k] = row / rowsPerItem;
      rows[k] = items ? row % rowsPerItem : row;
    }
}

static std::array<TensorHandle, 3> write(const Counted &counted, bool isCOO,
                                         bool wide, const IndexArrays &a,
                                         const tsgu_executor &executor) {
  const tsgu_meetings_info &info = counted.info;
  const tsgu_type type =
      isCOO || wide || info.index_type == TSGU_I64 ? TSGU_I64 : TSGU_I32;
  const int64_t positionCount = info.rows + 1;
  TensorView view;
  TensorHandle positions = allocate(Place(), type, 1, &positionCount, view);
  void *const positionData = view.data;
  const int32_t rank = isCOO ? a.rank() : 1;
  const int64_t shape[] = {rank, info.stored};
  TensorHandle coordinates =
      allocate(Place(), type, isCOO ? 2 : 1, isCOO ? shape : shape + 1, view);
  auto *coordinateData = static_cast<char *>(view.data) +
                         (rank - 1) * info.stored * elementSize(type);
  void *const indices = view.data;

  const int64_t entryShape[] = {info.width, info.count};
  TensorHandle entries =
      allocate(Place(), info.index_type, 2, entryShape, view);
  void *arrays[3] = {};
  for (int32_t k = 0; k < info.width; ++k)
    arrays[k] = static_cast<char *>(view.data) +
                k * info.count * elementSize(info.index_type);
  check(tsgu_meetings_write(counted.meetings.get(), type, positionData,
                            coordinateData, info.index_type, arrays,
                            &executor));
  if (!isCOO)
    return {std::move(positions), std::move(coordinates), std::move(entries)};
  auto *first = static_cast<int64_t *>(indices);
  expandRows(static_cast<const int64_t *>(positionData), info.rows,
             rank == 3 ? info.rows / std::max<int64_t>(a.items, 1) : info.rows,
             rank == 3 ? first : nullptr,
             rank == 3 ? first + info.stored : first);
  TensorHandle shared = TensorHandle::share(coordinates.get());
  return {std::move(shared), std::move(coordinates), std::move(entries)};
}

std::array<TensorHandle, 3>
tsgu::torch_plugin::meetingsOf(tsgu_meeting kind, bool isCOO, bool wide,
                               IndexArrays &a, IndexArrays &b) {
  PatternCache &cache = PatternCache::get();
  auto first = cache.find(a), second = cache.find(b);
  requireSame(b.place(), "the index tensors of pattern", 1, a.place());
  isCOO = isCOO || a.rank() == 3;
  const Met::Key key{kind, isCOO, wide};
  if (auto known = cache.findMet(*first, second, key))
    return std::move(*known);
  const tsgu_executor executor = torchExecutor();
  const Counted counted(kind, *first, *second, executor);
  requirePool(); // What it left uncounted would be written beyond its place.
  auto made = write(counted, isCOO, wide, a, executor);
  requirePool();
  return cache.keepMet(*first, second, key, std::move(made));
}
