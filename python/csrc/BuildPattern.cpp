//===- BuildPattern.cpp - Patterns from index tensors -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Errors.h"
#include "IndexContent.h"
#include "Queue.h"

using namespace tsgu::torch_plugin;

static tsgu_pattern *fromCOO(const IndexContent &content, tsgu_type type,
                             std::vector<const void *> coordinates) {
  const Queue queue(content.place);
  auto [form, items, rows, columns] = content.shape;
  const size_t rank = coordinates.size();
  std::vector<int64_t> shape{rows, columns};
  if (form & Transposed) {
    std::swap(coordinates[rank - 2], coordinates[rank - 1]);
    std::swap(shape[0], shape[1]);
  }
  if (rank == 3)
    shape.insert(shape.begin(), items);
  tsgu_pattern *pattern = nullptr;
  auto build = [&](auto function, auto... last) {
    check(function(static_cast<int32_t>(rank), shape.data(), type,
                   coordinates.data(), content.entries(), last..., &pattern));
  };
  if (queue.get())
    build(tsgu_pattern_from_coo_on, queue.get());
  else
    build(tsgu_pattern_from_coo);
  return pattern;
}

static tsgu_pattern *fromCSR(const IndexContent &content, tsgu_type type,
                             const void *positions, const void *coordinates) {
  const Queue queue(content.place);
  auto [form, items, rows, columns] = content.shape;
  const int64_t shape[] = {items, rows, columns};
  const bool batched = items >= 0;
  tsgu_pattern *pattern = nullptr;
  auto build = [&](auto function, auto... last) {
    check(function(batched ? 3 : 2, batched ? shape : shape + 1, type,
                   positions, coordinates, content.entries(), last...,
                   &pattern));
  };
  if (queue.get())
    build(tsgu_pattern_from_csr_on, queue.get());
  else
    build(tsgu_pattern_from_csr);
  return pattern;
}

/// Writes the row (and item) of every stored entry. The positions are valid.
template <typename Index>
static void expandPositions(const IndexContent &content, const void *from,
                            void *itemsOut, void *rowsOut) {
  const int64_t rows = content.shape[2];
  const int64_t matrices = content.shape[1] < 0 ? 1 : content.shape[1];
  const Index *positions = static_cast<const Index *>(from);
  Index *item = static_cast<Index *>(itemsOut);
  Index *row = static_cast<Index *>(rowsOut);
  int64_t k = 0;
  for (int64_t b = 0; b < matrices; ++b, positions += rows + 1)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t n = positions[i + 1] - positions[i]; n > 0; --n, ++k) {
        item[k] = static_cast<Index>(b);
        row[k] = static_cast<Index>(i);
      }
}

namespace {
/// The items and rows of CSR entries, which COO has.
struct Rows {
  TensorHandle items, rows;
  TensorView itemsView, rowsView;
};
} // namespace

/// Worked out on the CPU once in a pattern's life, wherever it is.
static Rows expandRows(const IndexContent &content, tsgu_type type,
                       AtenTensorHandle positions) {
  TensorView view = inspect(positions, "positions", -1);
  TensorHandle onCPU;
  if (!content.place.isCPU()) {
    onCPU = copiedTo(Place(), positions, view);
    view = inspect(onCPU.get(), "positions", -1);
  }
  const int64_t entries = content.entries();
  Rows made;
  made.items = allocate(Place(), type, 1, &entries, made.itemsView);
  made.rows = allocate(Place(), type, 1, &entries, made.rowsView);
  auto expand =
      type == TSGU_I32 ? expandPositions<int32_t> : expandPositions<int64_t>;
  expand(content, view.data, made.itemsView.data, made.rowsView.data);
  if (!content.place.isCPU()) {
    made.items = copiedTo(content.place, made.items.get(), made.itemsView);
    made.rows = copiedTo(content.place, made.rows.get(), made.rowsView);
    made.itemsView = inspect(made.items.get(), "items", -1);
    made.rowsView = inspect(made.rows.get(), "rows", -1);
  }
  return made;
}

tsgu_pattern *tsgu::torch_plugin::buildPattern(const IndexContent &content) {
  std::vector<const void *> arrays;
  for (const IndexContent::Array &array : content.arrays)
    arrays.push_back(array.data);
  tsgu_type type = content.arrays.back().type;
  if (content.isCOO())
    return fromCOO(content, type, std::move(arrays));

  // The runtime takes arrays of one type.
  TensorHandle wide[2];
  const tsgu_type positionType = content.arrays[0].type;
  if (positionType != type) {
    const int narrow = type == TSGU_I32;
    TensorView view = content.views[narrow];
    view.type = type = TSGU_I64;
    wide[narrow] = copiedTo(content.place, content.tensors[narrow], view);
    arrays[static_cast<size_t>(narrow)] =
        inspect(wide[narrow].get(), "an index tensor", -1).data;
  }
  if (!(content.shape[0] & Transposed))
    return fromCSR(content, type, arrays[0], arrays[1]);

  // Corrupt positions would be followed anywhere, and those of the caller might
  // become so at any time: a copy is validated and expanded.
  TensorView view = content.views[0];
  view.type = type;
  const TensorHandle positions = copiedTo(
      content.place, wide[0] ? wide[0].get() : content.tensors[0], view);
  tsgu_pattern_release(fromCSR(content, type,
                               inspect(positions.get(), "positions", -1).data,
                               arrays[1]));
  const Rows rows = expandRows(content, type, positions.get());
  std::vector<const void *> coordinates{rows.rowsView.data, arrays[1]};
  if (content.shape[1] >= 0)
    coordinates.insert(coordinates.begin(), rows.itemsView.data);
  return fromCOO(content, type, std::move(coordinates));
}
