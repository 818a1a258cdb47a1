//===- BlockEmitter.h - The rows of a full block side by side --*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_CPU_BLOCKEMITTER_H
#define TSGU_TRANSFORMS_CPU_BLOCKEMITTER_H

#include "cpu/BlockRows.h"
#include "cpu/RowBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

namespace tsgu {

/// Writes the rows of a full block, or some of them, side by side.
class BlockEmitter {
public:
  BlockEmitter(RowBody &body, int64_t blockColumns, mlir::Value columns,
               const BlockRows::Bounds &bounds, mlir::OpBuilder &builder)
      : body(body), blockColumns(blockColumns), columns(columns),
        bounds(bounds), builder(builder), loc(columns.getLoc()) {}

  void emit(int64_t first, int64_t count);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(builder, loc, value);
  }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return mlir::arith::AddIOp::create(builder, loc, a, b);
  }
  mlir::Value multiply(mlir::Value a, mlir::Value b) {
    return mlir::arith::MulIOp::create(builder, loc, a, b);
  }

  void emit(mlir::Block &block);
  void emit(mlir::scf::ForOp loop);
  void emit(mlir::scf::IfOp branch);
  void emitColumns(mlir::scf::ForOp loop, int64_t step, mlir::scf::ForOp copy);
  void setEntry(mlir::Value iterator, mlir::Value entry);
  void takeResults(mlir::Block &block, mlir::ValueRange targets,
                   mlir::scf::ForOp copy);

  RowBody &body;
  const int64_t blockColumns;
  const mlir::Value columns; ///< Coordinates of blocks.
  const BlockRows::Bounds bounds;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  llvm::SmallVector<mlir::IRMapping> rows;
  Values shifts; ///< Entries from those of the first row here to each row's.
  llvm::DenseSet<mlir::Operation *>
      known; ///< In a block: what would load columns.
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_CPU_BLOCKEMITTER_H
