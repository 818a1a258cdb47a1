//===- ParseProgram.cpp - From text to a program --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/ParseProgram.h"

#include "tsgu/Dialect/Program.h"
#include "tsgu/Engine/Diagnostics.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Parser/Parser.h"

using namespace mlir;

llvm::Expected<OwningOpRef<ModuleOp>>
tsgu::parseProgram(StringRef name, StringRef text, MLIRContext &context) {
  Diagnostics diagnostics(context);
  auto module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return diagnostics.error("'" + name + "' is not MLIR");
  FailureOr<func::FuncOp> function = getProgram(*module);
  if (failed(function) ||
      failed(verifyProgram(*function, /*severalResults=*/true)))
    return diagnostics.error("'" + name + "' is not a program");
  if (isa<ComplexType>(getElementTypeOrSelf(function->getResultTypes()[0])))
    return llvm::createStringError(
        "'" + name +
        "' is written for complex numbers; write it for f64, "
        "the operands of a call make it complex");
  function->setName(name);
  return module;
}
