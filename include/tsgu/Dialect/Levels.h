//===- Levels.h - Levels as encodings of sparse tensors --------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_DIALECT_LEVELS_H
#define TSGU_DIALECT_LEVELS_H

#include "tsgu/Level.h"

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"

namespace tsgu {

/// The encoding of a layout's levels, with indices of so many bits.
mlir::sparse_tensor::SparseTensorEncodingAttr
getEncoding(mlir::MLIRContext *context, llvm::ArrayRef<Level> levels,
            unsigned width = 0);

/// The levels of an encoding; none where it has others than a layout may have:
/// each dimension once, dense ones first, then compressed ones, of which there
/// is one at least.
Levels getLevels(mlir::sparse_tensor::SparseTensorEncodingAttr encoding);

} // namespace tsgu

#endif // TSGU_DIALECT_LEVELS_H
