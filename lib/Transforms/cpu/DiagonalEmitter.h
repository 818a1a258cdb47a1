//===- DiagonalEmitter.h - Rows in the lanes of vectors ----- -*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_CPU_DIAGONALEMITTER_H
#define TSGU_TRANSFORMS_CPU_DIAGONALEMITTER_H

#include "cpu/DiagonalBody.h"

#include "mlir/IR/IRMapping.h"

namespace tsgu {

/// Writes what all rows of a full block of diagonals do, each in its lane. Sums
/// are made of the parts, and combined in the order, of single rows.
class DiagonalEmitter {
public:
  /// `columns`: of a block's diagonals, in its first row. Single rows are
  /// summed in `chunk` parts if they are long.
  DiagonalEmitter(const DiagonalBody &body, const BlockRows::Bounds &block,
                  mlir::Value columns, int64_t lanes, int64_t chunk,
                  mlir::OpBuilder &builder)
      : body(body), loop(body.entries.getLoop()), block(block),
        columns(columns), lanes(lanes), chunk(chunk), builder(builder),
        loc(columns.getLoc()) {}

  void emit();

  /// How far ahead values are asked for.
  static int64_t getAhead(mlir::Value values);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(builder, loc, value);
  }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return mlir::arith::AddIOp::create(builder, loc, a, b);
  }

  mlir::Value widen(mlir::Value value);
  void emit(mlir::Operation &op);
  std::pair<mlir::Value, mlir::Value> getLine(mlir::Value memref,
                                              mlir::ValueRange indices);
  mlir::Value loadPart(mlir::memref::LoadOp load, mlir::Value from, int64_t row,
                       int64_t count);
  mlir::Value shuffle(mlir::Value a, mlir::Value b,
                      mlir::ArrayRef<int64_t> mask);
  mlir::Value loadRows(mlir::memref::LoadOp load, mlir::Value from,
                       int64_t first, int64_t step, int64_t count);
  mlir::Value locate(int64_t row);
  Values transpose(mlir::ArrayRef<mlir::Value> from);
  Values loadTile(mlir::memref::LoadOp load, mlir::Value from, int64_t count);
  void storeTile(mlir::memref::StoreOp store, mlir::Value from,
                 mlir::ArrayRef<mlir::Value> entries);
  void prefetch(mlir::Value values, mlir::Value from, int64_t count,
                bool isWrite);
  Values loadEntries(mlir::memref::LoadOp load, mlir::Value from,
                     int64_t count);
  Values emitEntries(mlir::Value from, int64_t count,
                     mlir::ArrayRef<mlir::Value> sums);
  Values emitChunks(mlir::Value from, mlir::Value end, int64_t count,
                    mlir::ArrayRef<mlir::Value> sums);
  Values emitRest(mlir::Value from, mlir::Value rest,
                  mlir::ArrayRef<mlir::Value> sums);
  Values emitSums(int64_t parts, bool restInParts);
  Values combine(Values sums);
  mlir::Value buildIsLong();
  void emitStored();

  const DiagonalBody &body;
  mlir::scf::ForOp loop; ///< Through the entries of a row.
  const BlockRows::Bounds block;
  const mlir::Value columns;
  const int64_t lanes, chunk;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::IRMapping scalars; ///< Indices are the first row's.
  llvm::DenseMap<mlir::Value, mlir::Value> vectors;
  llvm::SmallMapVector<mlir::Operation *, Values, 1> stored; ///< Entries.
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_CPU_DIAGONALEMITTER_H
