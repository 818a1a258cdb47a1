//===- IndexArrays.cpp - The index tensors of a sparse operand --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexArrays.h"
#include "Errors.h"
#include "Queue.h"

#include <cstring>

using namespace tsgu::torch_plugin;

void IndexArrays::inspect() {
  positionsView = torch_plugin::inspect(
      positions, isCOO() ? "the index tensor" : "the positions tensor", -1);
  coordinatesView =
      isCOO()
          ? positionsView
          : torch_plugin::inspect(coordinates, "the coordinates tensor", -1);
  if (isFloat(positionsView.type) || positionsView.type != coordinatesView.type)
    fail(ErrorKind::Type, "positions and coordinates must both be int32 or "
                          "both be int64");
  requireSame(coordinatesView.place, "the coordinates tensor", -1, place());
  auto stride = [](const TensorView &view, int32_t d) {
    return d < view.rank ? view.strides[d] : 0;
  };
  key = {reinterpret_cast<intptr_t>(positionsView.data),
         reinterpret_cast<intptr_t>(coordinatesView.data),
         form * 16 + positionsView.type,
         place().cuda,
         items,
         rows,
         columns,
         positionsView.elements(),
         coordinatesView.elements(),
         positionsView.rank * 16 + coordinatesView.rank,
         stride(positionsView, 0),
         stride(positionsView, 1),
         stride(coordinatesView, 0),
         stride(coordinatesView, 1)};
}

int64_t IndexArrays::entries() const {
  return isCOO() ? positionsView.shape[1] : coordinatesView.elements();
}

static std::string text(int64_t value) { return std::to_string(value); }

static void checkCOOLengths(const IndexArrays &arrays) {
  const TensorView &indices = arrays.positionsView;
  if (indices.rank != 2 || indices.shape[0] != arrays.rank())
    fail(ErrorKind::Pattern, "the indices of a COO pattern must have shape (" +
                                 text(arrays.rank()) +
                                 ", entries), one row per dimension");
}

static void checkCSRLengths(const IndexArrays &arrays) {
  const TensorView &positions = arrays.positionsView;
  const TensorView &coordinates = arrays.coordinatesView;
  int32_t rank = arrays.rank() - 1;
  if (positions.rank != rank || coordinates.rank != rank)
    fail(ErrorKind::Pattern,
         rank == 1 ? "positions and coordinates must be one-dimensional"
                   : "positions and coordinates of a batch must be "
                     "two-dimensional, one row per item");
  if (positions.shape[rank - 1] != arrays.rows + 1)
    fail(ErrorKind::Pattern, "positions have " +
                                 text(positions.shape[rank - 1]) +
                                 " elements, but " + text(arrays.rows) +
                                 " rows need " + text(arrays.rows + 1));
  if (rank == 2 && (positions.shape[0] != arrays.items ||
                    coordinates.shape[0] != arrays.items))
    fail(ErrorKind::Pattern, "positions and coordinates must have one row for "
                             "each of the " +
                                 text(arrays.items) + " items");
}

void IndexArrays::checkLengths() const {
  if (items < -1 || rows < 0 || columns < 0)
    fail(ErrorKind::Pattern, "a pattern cannot have a negative size");
  isCOO() ? checkCOOLengths(*this) : checkCSRLengths(*this);
}

//===-- Content
//------------------------------------------------------------===//

IndexSource::IndexSource(const IndexArrays &given)
    : type(given.positionsView.type),
      shape{given.form, given.items, given.rows, given.columns},
      place(given.place()) {
  auto keep = [&](AtenTensorHandle tensor, const TensorView &view) {
    // The given tensor too: the cache knows it by its address.
    tensors.push_back(TensorHandle::share(tensor));
    if (!view.contiguous())
      tensors.push_back(contiguous(tensor));
    contiguousTensors.push_back(tensors.back().get());
    bytes += view.elements() * elementSize(type);
    return inspect(tensors.back().get(), "an index tensor", -1);
  };
  TensorView first = keep(given.positions, given.positionsView);
  if (!given.isCOO()) {
    TensorView second = keep(given.coordinates, given.coordinatesView);
    arrays = {first.data, second.data};
    lengths = {first.elements(), second.elements()};
    return;
  }
  int64_t entries = given.entries();
  for (int32_t d = 0; d < given.rank(); ++d) {
    arrays.push_back(static_cast<const char *>(first.data) +
                     d * entries * elementSize(type));
    lengths.push_back(entries);
  }
}

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

/// Four independent lanes, so that the multiplications overlap.
static uint64_t hashBytes(const void *data, int64_t bytes, uint64_t seed) {
  const char *at = static_cast<const char *>(data);
  uint64_t lanes[4] = {seed, seed + 1, seed + 2, seed + 3};
  int64_t k = 0;
  for (; k + 32 <= bytes; k += 32)
    for (int lane = 0; lane < 4; ++lane) {
      uint64_t word;
      std::memcpy(&word, at + k + 8 * lane, 8);
      lanes[lane] = mix(lanes[lane], word);
    }
  for (; k + 4 <= bytes; k += 4) {
    uint32_t word;
    std::memcpy(&word, at + k, 4);
    lanes[0] = mix(lanes[0], word);
  }
  return mix(mix(lanes[0], lanes[1]), mix(lanes[2], lanes[3]));
}

uint64_t IndexSource::fingerprint() const {
  uint64_t hash = mix(type, 0);
  for (int64_t extent : shape)
    hash = mix(hash, static_cast<uint64_t>(extent));
  for (size_t k = 0; k < arrays.size(); ++k)
    hash = hashBytes(arrays[k], lengths[k] * elementSize(type),
                     mix(hash, static_cast<uint64_t>(lengths[k])));
  return hash;
}

bool IndexSource::sameContent(const IndexSource &other) const {
  if (type != other.type || shape != other.shape || lengths != other.lengths)
    return false;
  for (size_t k = 0; k < arrays.size(); ++k)
    if (arrays[k] != other.arrays[k] && lengths[k] > 0 &&
        std::memcmp(arrays[k], other.arrays[k],
                    static_cast<size_t>(lengths[k] * elementSize(type))) != 0)
      return false;
  return true;
}

void IndexSource::keepCopies() {
  for (AtenTensorHandle tensor : contiguousTensors) {
    AtenTensorHandle copy = nullptr;
    checkTorch(aoti_torch_clone(tensor, &copy), "copy an index tensor");
    copies.emplace_back(copy);
  }
  bytes *= 2;
}

bool IndexSource::kept(const IndexSource &later) const {
  if (copies.empty())
    return false;
  for (size_t k = 0; k < copies.size(); ++k)
    if (!equal(copies[k].get(), later.contiguousTensors[k]))
      return false;
  return true;
}

//===-- Patterns
//-----------------------------------------------------------===//

namespace {
/// What a pattern keeps alive: the source, and arrays made from it.
struct Owner {
  std::shared_ptr<IndexSource> source;
  TensorHandle items, rows;
};
} // namespace

static void releaseOwner(void *owner) { delete static_cast<Owner *>(owner); }

static tsgu_pattern *fromCOO(std::unique_ptr<Owner> owner,
                             const std::vector<const void *> &coordinates,
                             bool transposed) {
  const IndexSource &source = *owner->source;
  const Queue queue(source.place);
  auto [form, items, rows, columns] = source.shape;
  std::vector<const void *> order = coordinates;
  size_t rank = order.size();
  std::vector<int64_t> shape{rows, columns};
  if (transposed) {
    std::swap(order[rank - 2], order[rank - 1]);
    std::swap(shape[0], shape[1]);
  }
  if (rank == 3)
    shape.insert(shape.begin(), items);
  tsgu_pattern *pattern = nullptr;
  auto build = [&](auto function, auto... last) {
    check(function(static_cast<int32_t>(rank), shape.data(), source.type,
                   order.data(), source.lengths.back(), releaseOwner,
                   owner.release(), last..., &pattern));
  };
  if (queue.get())
    build(tsgu_pattern_from_coo_on, queue.get());
  else
    build(tsgu_pattern_from_coo);
  return pattern;
}

static tsgu_pattern *fromCSR(std::unique_ptr<Owner> owner) {
  const IndexSource &source = *owner->source;
  const Queue queue(source.place);
  auto [form, items, rows, columns] = source.shape;
  int64_t shape[] = {items, rows, columns};
  bool batched = items >= 0;
  tsgu_pattern *pattern = nullptr;
  auto build = [&](auto function, auto... last) {
    check(function(batched ? 3 : 2, batched ? shape : shape + 1, source.type,
                   source.arrays[0], source.arrays[1], source.lengths[1],
                   releaseOwner, owner.release(), last..., &pattern));
  };
  if (queue.get())
    build(tsgu_pattern_from_csr_on, queue.get());
  else
    build(tsgu_pattern_from_csr);
  return pattern;
}

/// Writes the row (and item) of every stored entry. The positions are valid.
template <typename Index>
static void expandPositions(const IndexSource &source, const void *from,
                            void *itemsOut, void *rowsOut) {
  int64_t rows = source.shape[2];
  int64_t matrices = source.shape[1] < 0 ? 1 : source.shape[1];
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

/// The rows (and items) of CSR entries, which COO has. Worked out on the CPU
/// once in a pattern's life, wherever it is.
static std::vector<const void *> expandRows(Owner &owner) {
  const IndexSource &source = *owner.source;
  TensorView view = inspect(source.contiguousTensors[0], "positions", -1);
  TensorHandle positions;
  if (!source.place.isCPU()) {
    positions = copiedTo(Place(), source.contiguousTensors[0], view);
    view = inspect(positions.get(), "positions", -1);
  }
  TensorView items, rows;
  owner.items = allocate(Place(), source.type, 1, &source.lengths[1], items);
  owner.rows = allocate(Place(), source.type, 1, &source.lengths[1], rows);
  auto expand = source.type == TSGU_I32 ? expandPositions<int32_t>
                                        : expandPositions<int64_t>;
  expand(source, view.data, items.data, rows.data);
  if (!source.place.isCPU()) {
    owner.items = copiedTo(source.place, owner.items.get(), items);
    owner.rows = copiedTo(source.place, owner.rows.get(), rows);
    items = inspect(owner.items.get(), "items", -1);
    rows = inspect(owner.rows.get(), "rows", -1);
  }
  std::vector<const void *> coordinates{rows.data, source.arrays[1]};
  if (source.shape[1] >= 0)
    coordinates.insert(coordinates.begin(), items.data);
  return coordinates;
}

tsgu_pattern *
tsgu::torch_plugin::buildPattern(const std::shared_ptr<IndexSource> &source) {
  auto owner = std::make_unique<Owner>();
  owner->source = source;
  bool transposed = source->shape[0] & Transposed;
  if (source->shape[0] & COO)
    return fromCOO(std::move(owner), source->arrays, transposed);
  if (!transposed)
    return fromCSR(std::move(owner));

  // Validated first: expanding corrupt positions would write anywhere.
  auto checked = std::make_unique<Owner>();
  checked->source = source;
  tsgu_pattern_release(fromCSR(std::move(checked)));
  const std::vector<const void *> coordinates = expandRows(*owner);
  return fromCOO(std::move(owner), coordinates, transposed);
}
