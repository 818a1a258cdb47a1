//===- IndexContent.cpp - What index tensors say ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Content may change while it is looked at, if others write to it: nothing read
// from it is an address before it has been checked.
//
//===----------------------------------------------------------------------===//

#include "IndexContent.h"
#include "Errors.h"

#include <algorithm>
#include <cstring>

using namespace tsgu::torch_plugin;

IndexContent::IndexContent(const IndexArrays &given)
    : shape{given.form, given.items, given.rows, given.columns},
      place(given.place()) {
  auto read = [&](int at, AtenTensorHandle tensor, const TensorView &view) {
    tensors[at] = tensor;
    views[at] = view;
    if (view.contiguous())
      return;
    own.push_back(contiguous(tensor, view));
    tensors[at] = own.back().get();
    views[at] = inspect(tensors[at], "an index tensor", -1);
  };
  read(0, given.positions, given.positionsView);
  if (!given.isCOO()) {
    read(1, given.coordinates, given.coordinatesView);
    for (const TensorView &view : views)
      arrays.push_back({view.data, view.type, view.elements()});
    return;
  }
  const int64_t entries = given.entries();
  for (int32_t d = 0; d < given.rank(); ++d)
    arrays.push_back({static_cast<const char *>(views[0].data) +
                          d * entries * elementSize(views[0].type),
                      views[0].type, entries});
}

/// Calls `body` with a null pointer of the type of the elements.
template <typename Body>
static auto withElements(const void *data, tsgu_type type, Body body) {
  return type == TSGU_I32 ? body(static_cast<const int32_t *>(data))
                          : body(static_cast<const int64_t *>(data));
}

//===-- Fingerprints ------------------------------------------------------===//

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

/// The low halves of two elements.
template <typename I> static uint64_t wordOf(const I *elements) {
  if constexpr (sizeof(I) == 4) {
    uint64_t word;
    std::memcpy(&word, elements, 8);
    return word;
  } else {
    return static_cast<uint32_t>(elements[0]) |
           static_cast<uint64_t>(elements[1]) << 32;
  }
}

/// Four independent lanes, so that the multiplications overlap.
template <typename I>
static uint64_t hashElements(const I *elements, int64_t count, uint64_t seed) {
  uint64_t lanes[4] = {seed, seed + 1, seed + 2, seed + 3};
  int64_t k = 0;
  for (; k + 8 <= count; k += 8)
    for (int lane = 0; lane < 4; ++lane)
      lanes[lane] = mix(lanes[lane], wordOf(elements + k + 2 * lane));
  for (; k < count; ++k)
    lanes[0] = mix(lanes[0], static_cast<uint32_t>(elements[k]));
  return mix(mix(lanes[0], lanes[1]), mix(lanes[2], lanes[3]));
}

uint64_t IndexContent::fingerprint() const {
  uint64_t hash = 0;
  for (int64_t extent : shape)
    hash = mix(hash, static_cast<uint64_t>(extent));
  for (const Array &array : arrays) {
    const uint64_t seed = mix(hash, static_cast<uint64_t>(array.length));
    hash = withElements(array.data, array.type, [&](auto *elements) {
      return hashElements(elements, array.length, seed);
    });
  }
  return hash;
}

//===-- Comparison with a pattern -----------------------------------------===//

namespace {
/// The pattern's own layout.
template <typename O> struct Own {
  const O *positions, *coordinates;
  const int64_t *map;
  int64_t items, rows, columns;

  /// Whether entry `k` is this element.
  bool has(int64_t k, int64_t item, int64_t row, int64_t column) const {
    if (item < 0 || item >= items || row < 0 || row >= rows)
      return false;
    const int64_t at = map ? map[k] : k;
    const O *begin = positions + item * rows + row;
    return begin[0] <= at && at < begin[1] && coordinates[at] == column;
  }
};
} // namespace

template <typename A, typename B>
static bool equalArrays(const A *a, const B *b, int64_t count) {
  if constexpr (sizeof(A) == sizeof(B))
    return count == 0 ||
           std::memcmp(a, b, sizeof(A) * static_cast<size_t>(count)) == 0;
  constexpr int64_t block = 4096;
  for (int64_t begin = 0; begin < count; begin += block) {
    const int64_t end = std::min(begin + block, count);
    int64_t different = 0;
    for (int64_t k = begin; k < end; ++k)
      different |= int64_t(a[k]) ^ int64_t(b[k]);
    if (different)
      return false;
  }
  return true;
}

template <typename O, typename P, typename C>
static bool equalCSR(const Own<O> &own, bool transposed, const P *positions,
                     const C *coordinates, int64_t entries) {
  if (!transposed && !own.map && own.items == 1)
    return equalArrays(own.positions, positions, own.rows + 1) &&
           equalArrays(own.coordinates, coordinates, entries);
  const int64_t rows = transposed ? own.columns : own.rows;
  const int64_t perItem = own.items ? entries / own.items : 0;
  int64_t k = 0;
  for (int64_t item = 0; item < own.items; ++item, positions += rows + 1) {
    if (positions[0] != 0)
      return false;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t end = positions[row + 1];
      if (end > perItem)
        return false;
      for (; k < item * perItem + end; ++k)
        if (transposed ? !own.has(k, item, coordinates[k], row)
                       : !own.has(k, item, row, coordinates[k]))
          return false;
      if (k != item * perItem + end) // Positions that decrease.
        return false;
    }
    if (k != (item + 1) * perItem)
      return false;
  }
  return true;
}

template <typename O, typename C>
static bool equalCOO(const Own<O> &own, bool transposed, const C *items,
                     const C *rows, const C *columns, int64_t entries) {
  if (transposed)
    std::swap(rows, columns);
  for (int64_t k = 0; k < entries; ++k)
    if (!own.has(k, items ? items[k] : 0, rows[k], columns[k]))
      return false;
  return true;
}

bool IndexContent::isOf(const CachedPattern &pattern) const {
  if (shape != pattern.shape || entries() != pattern.entries)
    return false;
  tsgu_layout layout;
  check(tsgu_pattern_layout(pattern.pattern, nullptr, &layout));
  const bool transposed = shape[0] & Transposed;
  const int64_t items = shape[1] < 0 ? 1 : shape[1];
  auto [rows, columns] = std::pair(shape[2], shape[3]);
  if (transposed)
    std::swap(rows, columns);
  return withElements(layout.coordinates, layout.index_type, [&](auto *own) {
    const Own<std::decay_t<decltype(*own)>> mine{
        static_cast<decltype(own)>(layout.positions),
        own,
        pattern.entryMap,
        items,
        rows,
        columns};
    const Array &last = arrays.back();
    return withElements(last.data, last.type, [&](auto *column) {
      using C = decltype(column);
      if (isCOO())
        return equalCOO(mine, transposed,
                        arrays.size() == 3 ? static_cast<C>(arrays[0].data)
                                           : nullptr,
                        static_cast<C>(arrays[arrays.size() - 2].data), column,
                        last.length);
      return withElements(arrays[0].data, arrays[0].type, [&](auto *position) {
        return equalCSR(mine, transposed, position, column, last.length);
      });
    });
  });
}

//===-- Copies on devices -------------------------------------------------===//

IndexCopies::IndexCopies(const IndexContent &content) {
  for (int32_t k = 0; k < content.tensorCount(); ++k) {
    AtenTensorHandle copy = nullptr;
    checkTorch(aoti_torch_clone(content.tensors[k], &copy),
               "copy an index tensor");
    copies.emplace_back(copy);
    size += content.views[k].elements() * elementSize(content.views[k].type);
  }
}

bool IndexCopies::equal(const IndexContent &later) const {
  for (size_t k = 0; k < copies.size(); ++k)
    if (!torch_plugin::equal(copies[k].get(), later.tensors[k]))
      return false;
  return true;
}
