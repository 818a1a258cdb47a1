//===- Joined.cpp - Index tensors of block diagonal matrices --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Joined.h"
#include "Errors.h"
#include "Tensors.h"
#include "Threads.h"

#include <algorithm>
#include <atomic>

using namespace tsgu::torch_plugin;

namespace {
/// Some indices, and where they go.
struct Piece {
  const void *from;
  tsgu_type type;
  int64_t count, step;
  int64_t to;     ///< The place of the first one in the result.
  int64_t raise;  ///< What is added to each.
  int64_t extent; ///< They must be below it, and not negative.
};
} // namespace

/// Returns whether all indices are within the extent.
template <typename From, typename To>
static bool raiseInto(const Piece &piece, To *to) {
  const From *from = static_cast<const From *>(piece.from);
  to += piece.to;
  const auto most = static_cast<uint64_t>(piece.extent) - 1;
  const auto raise = static_cast<uint64_t>(piece.raise);
  uint64_t wrong = 0; // the highest bit, if one is
  auto run = [&](int64_t step) {
    for (int64_t k = 0; k < piece.count; ++k) {
      const auto index = static_cast<uint64_t>(int64_t{from[k * step]});
      wrong |= index | (most - index);
      to[k] = static_cast<To>(index + raise);
    }
  };
  if (piece.step == 1)
    run(1);
  else
    run(piece.step);
  return wrong >> 63 == 0;
}

template <typename To> static bool raiseInto(const Piece &piece, void *data) {
  To *to = static_cast<To *>(data);
  return piece.type == TSGU_I32 ? raiseInto<int32_t, To>(piece, to)
                                : raiseInto<int64_t, To>(piece, to);
}

/// Writes all pieces. Fails where an index is outside of its extent.
static void write(const std::vector<Piece> &pieces, const TensorView &to) {
  constexpr int64_t worthwhile = int64_t(1) << 20; // for a thread
  const auto count = static_cast<int64_t>(pieces.size());
  const int64_t mean = to.elements() / std::max<int64_t>(count, 1) + 1;
  std::atomic<bool> valid{true};
  onThreads(count, worthwhile / mean + 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const Piece &piece = pieces[static_cast<size_t>(k)];
      if (!(to.type == TSGU_I32 ? raiseInto<int32_t>(piece, to.data)
                                : raiseInto<int64_t>(piece, to.data)))
        valid.store(false, std::memory_order_relaxed);
    }
  });
  if (!valid)
    fail(ErrorKind::Pattern, "an index of a block is outside of its extent");
}

static TensorView indexView(const torch::stable::Tensor &tensor, int index) {
  const TensorView view = inspect(tensor.get(), "piece", index);
  requireSame(view.place, "piece", index, Place());
  if (view.type != TSGU_I32 && view.type != TSGU_I64)
    fail(ErrorKind::Type, "pieces must be index tensors, int32 or int64");
  return view;
}

static void requireNumbers(bool fits) {
  if (!fits)
    fail(ErrorKind::Value,
         "pieces of one rank, 1 or 2, of as many levels each, "
         "and a number for each piece and level");
}

/// A tensor of indices, (count,) or (levels, count).
static TensorHandle allocateIndices(bool wide, int32_t rank, int64_t levels,
                                    int64_t count, TensorView &view) {
  const int64_t shape[] = {levels, count};
  return allocate(Place(), wide ? TSGU_I64 : TSGU_I32, rank, shape + 2 - rank,
                  view);
}

torch::stable::Tensor
tsgu::torch_plugin::joinCoordinates(std::vector<torch::stable::Tensor> tensors,
                                    std::vector<int64_t> extents, bool wide) {
  std::vector<TensorView> views;
  for (const auto &tensor : tensors)
    views.push_back(indexView(tensor, static_cast<int>(views.size())));
  const int32_t rank = views.empty() ? 1 : views[0].rank;
  const int64_t levels = rank == 2 ? views[0].shape[0] : 1;
  requireNumbers((rank == 1 || rank == 2) &&
                 extents.size() == views.size() * static_cast<size_t>(levels));
  int64_t total = 0;
  for (const TensorView &view : views) {
    requireNumbers(view.rank == rank && (rank == 1 || view.shape[0] == levels));
    total += view.shape[rank - 1];
  }
  std::vector<Piece> pieces;
  for (int64_t level = 0, at = 0; level < levels; ++level) {
    int64_t raise = 0;
    for (const TensorView &view : views) {
      const int64_t extent = extents[pieces.size()];
      const int64_t start = rank == 2 ? level * view.strides[0] : 0;
      pieces.push_back({static_cast<const char *>(view.data) +
                            start * elementSize(view.type),
                        view.type, view.shape[rank - 1], view.strides[rank - 1],
                        at, raise, extent});
      at += view.shape[rank - 1], raise += extent;
    }
  }
  TensorView view;
  TensorHandle joined = allocateIndices(wide, rank, levels, total, view);
  write(pieces, view);
  return torch::stable::Tensor(joined.release());
}

/// Its first and its last element.
static bool isWhole(const TensorView &positions, int64_t entries) {
  auto at = [&](int64_t place) -> int64_t {
    place *= positions.strides[0];
    return positions.type == TSGU_I32
               ? static_cast<const int32_t *>(positions.data)[place]
               : static_cast<const int64_t *>(positions.data)[place];
  };
  return at(0) == 0 && at(positions.shape[0] - 1) == entries;
}

torch::stable::Tensor
tsgu::torch_plugin::joinPositions(std::vector<torch::stable::Tensor> tensors,
                                  std::vector<int64_t> entries, bool wide) {
  requireNumbers(tensors.size() == entries.size());
  std::vector<Piece> pieces;
  int64_t rows = 0, raise = 0;
  for (const auto &tensor : tensors) {
    const TensorView view = indexView(tensor, static_cast<int>(pieces.size()));
    const int64_t count = entries[pieces.size()];
    requireNumbers(view.rank == 1 && view.shape[0] > 0);
    if (!isWhole(view, count))
      fail(ErrorKind::Pattern,
           "positions of a block do not begin at 0 and end with its entries");
    pieces.push_back({static_cast<const char *>(view.data) +
                          view.strides[0] * elementSize(view.type),
                      view.type, view.shape[0] - 1, view.strides[0], rows + 1,
                      raise, count + 1});
    rows += view.shape[0] - 1, raise += count;
  }
  TensorView view;
  TensorHandle joined = allocateIndices(wide, 1, 1, rows + 1, view);
  if (wide)
    *static_cast<int64_t *>(view.data) = 0;
  else
    *static_cast<int32_t *>(view.data) = 0;
  write(pieces, view);
  return torch::stable::Tensor(joined.release());
}
