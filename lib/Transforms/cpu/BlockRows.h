//===- BlockRows.h - Kernels whose rows make blocks ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_CPU_BLOCKROWS_H
#define TSGU_TRANSFORMS_CPU_BLOCKROWS_H

#include "kernels/RowNest.h"
#include "tsgu/Dialect/ManifestAttr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <string>

namespace tsgu {

/// An element of positions or coordinates, none of which is negative.
mlir::Value loadIndex(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value indices, mlir::Value at);

/// A kernel that is marked as going through rows of blocks, and its stage,
/// which is completed as arguments are added.
class BlockRows {
public:
  BlockRows(Kernel kernel, Stage &stage, Manifest &manifest,
            mlir::DenseI64ArrayAttr blocks, ElementType index)
      : kernel(kernel), stage(stage), rows(blocks[0]), columns(blocks[1]),
        manifest(manifest), index(index) {}

  /// What is known of a block of rows, at the builder's place.
  struct Bounds {
    mlir::Value row, begin, length; ///< Of the first row; its entries.
    mlir::Value stop, end;          ///< The row behind it; its first entry.
    mlir::Value first, last;        ///< The nodes of its blocks.
    mlir::Value isFull;
  };
  /// The loop over blocks of rows, in which full ones have the branch's first
  /// block, still empty, and others are gone through row by row.
  struct Split {
    mlir::scf::ForOp loop;
    mlir::scf::IfOp branch;
    Bounds block;
  };

  bool isOfDiagonals() const { return columns == 0; }
  Levels getLevels() const;
  /// The nest of loops over rows, where these have positions and columns.
  std::optional<RowNest> findNest();
  /// The last level's indices of the layout by rows; null: not read.
  mlir::BlockArgument find(Argument::Role role) const;
  /// Lets the loop over rows of the nest be one over blocks of them, and, if a
  /// condition is given, go through all of them row by row unless it holds.
  Split split(RowNest &nest, mlir::OpBuilder &builder,
              mlir::Value condition = {});
  /// The block of rows of a number, once the nest is split.
  Bounds locate(RowNest &nest, mlir::Value number, mlir::OpBuilder &builder);
  /// Asks for what an argument has from one index to another.
  static void prefetch(mlir::OpBuilder &builder, mlir::Value memory,
                       mlir::Value begin, mlir::Value end,
                       bool isWrite = false);

  Kernel kernel;
  Stage &stage;
  const int64_t rows, columns; ///< Of a block; none: it is one of diagonals.
  mlir::BlockArgument nodePositions, nodeColumns; ///< Once it is split.
  mlir::Value count, blocks; ///< Of rows, and of them; likewise.

private:
  void addArguments();

  Manifest &manifest;
  const ElementType index;
};

/// Rewrites the kernels of a module that are marked with blocks, of diagonals
/// or dense ones, and says of each what was done or why not.
mlir::LogicalResult rewriteBlocks(
    mlir::ModuleOp module, bool ofDiagonals, unsigned indexBits,
    llvm::StringRef pass, llvm::StringRef done,
    llvm::function_ref<mlir::LogicalResult(BlockRows &, std::string &whyNot)>
        rewrite);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_CPU_BLOCKROWS_H
