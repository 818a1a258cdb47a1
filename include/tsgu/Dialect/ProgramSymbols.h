//===- ProgramSymbols.h - The sizes of a program ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_DIALECT_PROGRAMSYMBOLS_H
#define TSGU_DIALECT_PROGRAMSYMBOLS_H

#include "tsgu/Manifest.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/EquivalenceClasses.h"

namespace tsgu {

/// Which dimensions of a program's tensors are of equal extent, because a loop
/// runs over all of them or one was made from the other. Numbers the extents in
/// the order of the arguments' dimensions, so that a program and what it is
/// specialised to agree; then come the stored entries of each pattern.
class ProgramSymbols {
public:
  explicit ProgramSymbols(mlir::func::FuncOp program);

  /// The symbols of a tensor value's dimensions.
  llvm::ArrayRef<int32_t> of(mlir::Value tensor) const {
    return symbolsOf.find(tensor)->second;
  }
  /// The extent of a loop of an op.
  int32_t ofLoop(mlir::Operation *genericOp, unsigned loop) const;

  /// All symbols; `fixed` is set where a tensor type gives the extent.
  llvm::ArrayRef<Symbol> symbols() const { return table; }

  /// The patterns in order of first use, and the number of a sparse value's.
  llvm::ArrayRef<PatternInfo> patterns() const { return patternTable; }
  int32_t patternOf(mlir::Value sparse) const;

private:
  using Extent = unsigned;
  Extent addExtent() { return extentCount++; }
  void unite(Extent a, Extent b) { classes.unionSets(a, b); }
  void collect(mlir::func::FuncOp program);
  void number(mlir::func::FuncOp program);

  unsigned extentCount = 0;
  llvm::EquivalenceClasses<Extent> classes;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Extent>> extentsOf;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int32_t>> symbolsOf;
  llvm::SmallVector<mlir::Value> order; // of the tensors
  std::vector<Symbol> table;
  std::vector<PatternInfo> patternTable;
  llvm::SmallVector<mlir::FlatSymbolRefAttr> patternNames;
};

/// The manifest's name of a type, or of a tensor's elements.
ElementType getElementType(mlir::Type type);

/// The signature of a program: a manifest without stages.
mlir::FailureOr<Manifest> getSignature(mlir::func::FuncOp program,
                                       llvm::StringRef path);

} // namespace tsgu

#endif // TSGU_DIALECT_PROGRAMSYMBOLS_H
