//===- RowBody.h - What a loop over rows does with its row -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_CPU_ROWBODY_H
#define TSGU_TRANSFORMS_CPU_ROWBODY_H

#include "kernels/RowNest.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <optional>
#include <string>

namespace tsgu {

bool isStore(mlir::Operation *op);

/// What leads from a load to the index that it is for.
struct LoadedIndex {
  mlir::SmallVector<mlir::Operation *, 3> ops; ///< The load and casts.
  mlir::Value index; ///< Null: the load is used otherwise.

  explicit LoadedIndex(mlir::memref::LoadOp load);
};

/// What the body of a loop over rows does with the row it is for.
class RowBody {
public:
  /// The positions and coordinates are arguments of the kernel.
  RowBody(Kernel kernel, RowNest nest, mlir::BlockArgument positions,
          mlir::BlockArgument coordinates)
      : kernel(kernel), nest(nest), positions(positions),
        coordinates(coordinates) {}

  mlir::LogicalResult analyze(std::string &whyNot);

  /// Of all rows of a full block.
  enum Kind {
    Shared, ///< The same.
    Shifts, ///< Moved by the entries of a row from one to the next.
    Own
  };
  Kind kindOf(mlir::Value value) const {
    auto known = kinds.find(value);
    return known == kinds.end() ? Shared : known->second;
  }

  /// If the loop runs over all entries of the row, in steps that end with those
  /// of a block, where it loads the columns of which ones, from its own on.
  std::optional<int64_t> getStep(mlir::scf::ForOp loop,
                                 int64_t blockColumns) const;
  /// The entry after the loop's own of which this loads the column.
  std::optional<int64_t> getOffset(mlir::scf::ForOp loop,
                                   mlir::memref::LoadOp load) const;

  bool isColumn(mlir::Operation *op) const {
    auto load = mlir::dyn_cast<mlir::memref::LoadOp>(op);
    return load && load.getMemRef() == coordinates;
  }
  /// Loads of where the row's entries begin and end, and casts of these.
  bool isBound(mlir::Operation *op) const { return bounds.contains(op); }

  Kernel kernel;
  RowNest nest;
  mlir::BlockArgument positions, coordinates;
  mlir::Value begin, end; ///< Of the row's entries.
  int64_t carried = 0;    ///< At most, by a loop, for a row.
  /// The first loop over entries that carries nothing.
  mlir::scf::ForOp storing;
  int64_t held = 0; ///< Vectors of a row that are loaded before its loops.

private:
  mlir::LogicalResult findBounds();
  mlir::LogicalResult visit(mlir::Block &block);
  mlir::LogicalResult visit(mlir::scf::ForOp loop);
  Kind classify(mlir::Operation &op) const;

  llvm::DenseMap<mlir::Value, Kind> kinds;
  llvm::DenseSet<mlir::Operation *> bounds;
  bool readsColumns = false;
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_CPU_ROWBODY_H
