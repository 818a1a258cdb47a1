//===- StageBuffers.h - Where stages keep their data ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_STAGEBUFFERS_H
#define TSGU_TRANSFORMS_KERNELS_STAGEBUFFERS_H

#include "tsgu/Dialect/ProgramSymbols.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tsgu {

/// Gives the values of a program buffers, and sparse ones layouts, while its
/// stages are written in their order. Adds to the manifest's layouts and
/// scratch, and the steps that permute values to its stages.
class StageBuffers {
public:
  StageBuffers(mlir::func::FuncOp program, const ProgramSymbols &symbols,
               Manifest &manifest);

  /// The number in the manifest of the layout in which an op reads or writes a
  /// sparse value, and of its CSR.
  int32_t layoutOf(mlir::linalg::GenericOp op, mlir::Value sparse);
  int32_t csrOf(mlir::Value sparse);
  /// The symbol that counts the nodes of a layout's first level.
  int32_t nodesOf(int32_t layout);

  Buffer of(mlir::Value tensor);
  /// The buffer with the values in the order of another layout, and the step
  /// that fills it, added once.
  Buffer permuted(mlir::Value source, int32_t layout);

  /// After the last stage that reads them, buffers may hold other values.
  void releaseAfter(mlir::Operation *op);

private:
  int32_t addLayout(Levels levels, mlir::Value sparse);
  Buffer takeScratch(ScratchInfo info);

  mlir::func::FuncOp program;
  const ProgramSymbols &symbols;
  Manifest &manifest;
  llvm::DenseMap<mlir::Value, Buffer> buffers;
  /// Values in the order of another layout, and the buffers that hold them.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<std::pair<int32_t, Buffer>>>
      permutations;
  llvm::DenseMap<mlir::Value, mlir::Operation *> lastReader;
  /// Whose values nobody reads any more.
  llvm::SmallVector<int32_t> freeScratch;
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_STAGEBUFFERS_H
