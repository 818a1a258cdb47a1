//===- DiagonalBody.h - What rows along diagonals do -------- -*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_CPU_DIAGONALBODY_H
#define TSGU_TRANSFORMS_CPU_DIAGONALBODY_H

#include "cpu/BlockRows.h"
#include "kernels/VectorBody.h"

namespace tsgu {

/// What a loop over rows does with its row, known to be computable for all rows
/// of a block of diagonals at once: from row to row, dense operands are read
/// and written one further, and values a row's entries further.
class DiagonalBody {
public:
  /// On failure `whyNot` says what stands in the way.
  static std::optional<DiagonalBody> analyze(const BlockRows &rows,
                                             RowNest nest, std::string &whyNot);

  /// What an index is of that is another one in each row.
  enum Kind { Row, Column, Entry };
  std::optional<Kind> kindOf(mlir::Value index) const {
    auto found = indices.find(index);
    return found == indices.end() ? std::nullopt : std::optional(found->second);
  }
  bool isVarying(mlir::Value value) const {
    return indices.contains(value) || varying.contains(value);
  }
  /// The dimension in which an access moves with the row.
  unsigned getMoving(mlir::ValueRange indices) const;
  /// The loads of bounds and columns, and casts of these.
  bool isIndexing(mlir::Operation &op) const { return indexing.contains(&op); }

  /// Whether dense operands move by one element from row to row, before the
  /// nest's innermost loop; null: they do.
  mlir::Value buildCondition(mlir::OpBuilder &builder) const;

  RowNest nest;
  VectorBody entries;                             ///< Of a row.
  llvm::SmallVector<mlir::Value, 1> columnsOf;    ///< Indices that are columns.
  llvm::SmallVector<mlir::memref::LoadOp> values; ///< Loads by entries.

private:
  DiagonalBody(const BlockRows &rows, RowNest nest, const VectorBody &entries);

  mlir::LogicalResult visit(mlir::Block &block);
  bool visit(mlir::Operation &op);
  bool visitAccess(mlir::Value memref, mlir::ValueRange indices);
  bool visitLoad(mlir::memref::LoadOp load);

  Kernel kernel;
  mlir::BlockArgument coordinates;
  llvm::DenseMap<mlir::Value, Kind> indices;
  llvm::DenseSet<mlir::Value> varying;
  llvm::DenseSet<mlir::Operation *> indexing;
  /// Operands, and the dimensions in which the next row's element is next to
  /// this one's where the stride is 1.
  llvm::SmallVector<std::pair<mlir::Value, unsigned>> strided;
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_CPU_DIAGONALBODY_H
