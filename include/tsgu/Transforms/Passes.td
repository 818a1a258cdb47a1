//===- Passes.td - The passes of tsgu ----------------------*- tablegen -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In the order in which a program meets them. Programs: functions over tensors.
// Kernels: functions over memrefs, after Stage and Sparsify.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_PASSES_TD
#define TSGU_PASSES_TD

include "mlir/Pass/PassBase.td"

//===-- Kernels ----------------------------------------------------------===//

def RegisterTile : Pass<"tsgu-register-tile", "::mlir::func::FuncOp"> {
  let summary = "vectorise the dense loops and keep accumulators in registers";
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512",
                        "bits of a vector register">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

#endif // TSGU_PASSES_TD
