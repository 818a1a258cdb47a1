//===- RowNest.h - Kernels that go through rows ----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_ROWNEST_H
#define TSGU_TRANSFORMS_KERNELS_ROWNEST_H

#include "kernels/KernelLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace tsgu {

/// Marks the loop through the stored entries of a row, whatever its bounds
/// have become.
inline constexpr llvm::StringLiteral entriesAttr = "tsgu.entries";

/// A kernel's partitioned loops, perfectly nested but for pure ops, and the
/// loop through the stored entries of each row, if there is one.
struct RowNest {
  llvm::SmallVector<mlir::scf::ForOp, 2> rows; ///< Outermost first.
  mlir::scf::ForOp entries;                    ///< Null: there is none.

  mlir::Block *body() { return rows.back().getBody(); }

  /// Nullopt where the kernel does not begin with so many loops from 0.
  static std::optional<RowNest> find(mlir::func::FuncOp kernel, unsigned loops);
};

/// Whether the value is item * rows + row, or row where there are no items.
bool isFlatRow(RowNest &nest, mlir::Value value);

/// The loads of where a row's entries begin and end.
struct RowBounds {
  mlir::memref::LoadOp begin, end;
};

/// The bounds of the loop in the body of the nest that runs from
/// positions[row] to positions[row + 1], where `row` counts the iterations of
/// the partitioned loops; nullopt unless there is one such loop.
std::optional<std::pair<mlir::scf::ForOp, RowBounds>>
findEntries(RowNest &nest);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_ROWNEST_H
