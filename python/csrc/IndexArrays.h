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

/// How index tensors describe a pattern; `tsgu._pattern` has the same values.
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
  int64_t version = 0; ///< changes when the tensors are written in place

  /// Identifies the storage: while the tensors are kept alive, equal keys and
  /// an equal version mean equal patterns.
  using Key = std::array<int64_t, 14>;
  Key key;

  bool isCOO() const { return form & COO; }
  bool isTransposed() const { return form & Transposed; }
  int32_t rank() const { return items < 0 ? 2 : 3; }

  /// Reads the tensors and fills `key`. Fails with a TypeError for an index
  /// type other than int32 and int64, and for tensors in different places.
  void inspect();

  /// Call after `inspect`.
  Place place() const { return positionsView.place; }

  /// Fails with a PatternError unless the tensors have the lengths that the
  /// form and shape ask for. Call after `inspect`.
  void checkLengths() const;

  TensorView positionsView, coordinatesView;
  int64_t entries() const;
};

/// Contiguous index arrays, owned: what a Pattern shares and what later content
/// is compared with.
struct IndexSource {
  explicit IndexSource(const IndexArrays &arrays);

  std::vector<TensorHandle> tensors;
  std::vector<AtenTensorHandle>
      contiguousTensors;            ///< those of `tensors` in use
  std::vector<const void *> arrays; ///< positions, coordinates; or coordinates
                                    ///< by dimension
  std::vector<int64_t> lengths;     ///< elements of each array
  tsgu_type type = TSGU_I64;
  std::vector<TensorHandle> copies; ///< see keepCopies
  std::array<int64_t, 4> shape;     ///< form, items, rows, columns
  Place place;
  int64_t bytes = 0;

  /// Of content on the CPU; devices have none that could be read.
  uint64_t fingerprint() const;
  bool sameContent(const IndexSource &other) const;

  /// Copies the arrays, so that `kept` can compare later ones with them;
  /// without copies none are equal.
  void keepCopies();
  bool kept(const IndexSource &later) const;
};

/// Validates and builds the pattern; `source` lives as long as it needs it.
tsgu_pattern *buildPattern(const std::shared_ptr<IndexSource> &source);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_INDEXARRAYS_H
