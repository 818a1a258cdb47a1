//===- RegisterTile.cpp - Accumulators in vector registers ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {
#define GEN_PASS_DEF_REGISTERTILE
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;

namespace {
struct RegisterTile : tsgu::impl::RegisterTileBase<RegisterTile> {
  using RegisterTileBase::RegisterTileBase;
  void runOnOperation() override {}
};
} // namespace
