//===- tsgu-opt.cpp - Run passes over programs ----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Engine/PTX.h"
#include "tsgu/Pipelines/Pipelines.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<tsgu::TsguDialect>();
  mlir::registerAllPasses();
  tsgu::registerTsguPasses();
  tsgu::registerPipelines();
  tsgu::registerPrintPTX();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "tsgu: differentiable sparse tensor programs\n", registry));
}
