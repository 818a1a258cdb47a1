//===- IndexArrays.cpp - The index tensors of a sparse operand --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexArrays.h"
#include "Errors.h"

#include <torch/csrc/stable/ops.h>

using namespace tsgu::torch_plugin;

void IndexArrays::inspect() {
  positionsView = torch_plugin::inspect(
      positions, isCOO() ? "the index tensor" : "the positions tensor", -1);
  coordinatesView =
      isCOO()
          ? positionsView
          : torch_plugin::inspect(coordinates, "the coordinates tensor", -1);
  if (isFloat(positionsView.type) || isFloat(coordinatesView.type))
    fail(ErrorKind::Type, isCOO()
                              ? "indices must be int32 or int64"
                              : "positions and coordinates must be int32 or "
                                "int64");
  requireSame(coordinatesView.place, "the coordinates tensor", -1, place());
  auto stride = [](const TensorView &view, int32_t d) {
    return d < view.rank ? view.strides[d] : 0;
  };
  key = {reinterpret_cast<intptr_t>(positionsView.data),
         reinterpret_cast<intptr_t>(coordinatesView.data),
         (form * 16 + positionsView.type) * 16 + coordinatesView.type,
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

/// A storage may have been shrunk under its tensor.
static void checkStorage(AtenTensorHandle tensor, const TensorView &view) {
  int64_t last = 0, offset = 0, bytes = 0;
  for (int32_t d = 0; d < view.rank; ++d) {
    if (view.shape[d] == 0)
      return;
    last += (view.shape[d] - 1) * view.strides[d];
  }
  checkTorch(aoti_torch_get_storage_offset(tensor, &offset), "read an offset");
  checkTorch(aoti_torch_get_storage_size(tensor, &bytes), "read a size");
  if ((offset + last + 1) * elementSize(view.type) > bytes)
    fail(ErrorKind::Pattern,
         "an index tensor needs " +
             text((offset + last + 1) * elementSize(view.type)) +
             " bytes of its storage, which has " + text(bytes) +
             ": it was resized");
}

void IndexArrays::checkLengths() const {
  if (items < -1 || rows < 0 || columns < 0)
    fail(ErrorKind::Pattern, "a pattern cannot have a negative size");
  isCOO() ? checkCOOLengths(*this) : checkCSRLengths(*this);
  checkStorage(positions, positionsView);
  if (!isCOO())
    checkStorage(coordinates, coordinatesView);
}

bool IndexArrays::isAt(AtenTensorHandle keptPositions,
                       AtenTensorHandle keptCoordinates) const {
  auto address = [](AtenTensorHandle tensor) {
    void *data = nullptr;
    checkTorch(aoti_torch_get_data_ptr(tensor, &data), "read a pointer");
    return reinterpret_cast<intptr_t>(data);
  };
  return address(keptPositions) == key[0] && address(keptCoordinates) == key[1];
}

bool IndexArrays::isTorchs() const {
  StableIValue stack[] = {
      torch::stable::detail::from(TensorHandle::share(positions).release()),
      torch::stable::detail::from(TensorHandle::share(coordinates).release())};
  return torch_call_dispatcher("tsgu::owned_by_torch", "", stack,
                               TORCH_ABI_VERSION) == 0 &&
         torch::stable::detail::to<bool>(stack[0]);
}
