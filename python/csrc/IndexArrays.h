//===- IndexArrays.h - The index tensors of a sparse operand ----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_INDEXARRAYS_H
#define TSGU_TORCH_INDEXARRAYS_H

#include "Tensors.h"

#include <array>
#include <memory>
#include <vector>

namespace tsgu::torch_plugin {

/// How index tensors describe a pattern; `tsgu._patterns.pattern` has the same
/// values.
enum Form : int64_t {
  CSR = 0,        ///< positions and coordinates
  COO = 1,        ///< both tensors are the (rank, entries) indices
  Transposed = 2, ///< flag: the pattern of the transposed matrix
  FormCount = 4
};

/// The index tensors as they came with a call. Borrows.
struct IndexArrays {
  AtenTensorHandle positions = nullptr;
  AtenTensorHandle coordinates = nullptr;
  int64_t form = CSR;
  int64_t items = -1; ///< -1: one matrix, otherwise a batch of so many
  int64_t rows = 0;   ///< of the matrix as stored, not transposed
  int64_t columns = 0;
  /// Changes when torch writes to the tensors; negative where it does not
  /// count.
  int64_t version = 0;
  /// Whether torch counts all writes that it sees; for new memory.
  bool counted = false;

  /// Identifies the memory and how it is read.
  using Key = std::array<int64_t, 14>;
  Key key;

  bool isCOO() const { return form & COO; }
  bool isTransposed() const { return form & Transposed; }
  int32_t rank() const { return items < 0 ? 2 : 3; }

  /// Reads the tensors and fills `key`. Fails with a TypeError for an index
  /// type other than int32 and int64, which may differ, and for tensors in
  /// different places.
  void inspect();

  /// Call after `inspect`.
  Place place() const { return positionsView.place; }

  /// Fails with a PatternError unless the tensors have the lengths that the
  /// form and shape ask for, and their storages what they name. Call after
  /// `inspect`, and before the elements are read.
  void checkLengths() const;

  /// Whether a tensor that was kept is still where the key says: its storage
  /// may have been exchanged, and its memory then be another tensor's.
  bool isAt(AtenTensorHandle keptPositions,
            AtenTensorHandle keptCoordinates) const;

  /// Whether torch allocated the memory. Others write to what it borrows (of
  /// NumPy, by DLPack) and torch does not count that. Asks Python.
  bool isTorchs() const;

  TensorView positionsView, coordinatesView;
  int64_t entries() const;
};

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_INDEXARRAYS_H
