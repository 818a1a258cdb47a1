//===- SelectResult.cpp - One result of a program -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "programs/Simplify.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Transforms/Passes.h"

namespace tsgu {
#define GEN_PASS_DEF_SELECTRESULT
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;

namespace {

struct SelectResult : tsgu::impl::SelectResultBase<SelectResult> {
  using SelectResultBase::SelectResultBase;

  void runOnOperation() override {
    FailureOr<func::FuncOp> program = getProgram(getOperation());
    if (failed(program) ||
        failed(verifyProgram(*program, /*severalResults=*/true)) ||
        failed(select(*program)))
      signalPassFailure();
  }

  LogicalResult select(func::FuncOp program) {
    const unsigned results = program.getNumResults();
    if (result >= results)
      return program.emitError("has no result ")
             << result.getValue() << ": it has " << results
             << ", counted from 0";
    Operation *end = program.getBody().front().getTerminator();
    end->setOperands(end->getOperand(result));
    BitVector others(results, true);
    others.reset(result);
    (void)program.eraseResults(others);
    simplifyProgram(program);
    program.setName(
        (program.getName() + "_result" + llvm::Twine(result)).str());
    return success();
  }
};

} // namespace
