//===- tsgu-opt.cpp - Run passes over programs ----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A child does the work: MLIR's parser and passes may end their process over a
// text that is no program, and then this one says so.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Engine/PTX.h"
#include "tsgu/Pipelines/Pipelines.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

#include <csignal>
#include <cstring>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;

/// What MlirOptMain() does, but for its handlers, which dump the stack.
static LogicalResult optimize(int argc, char **argv) {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registry.insert<tsgu::TsguDialect>();
  registerAllPasses();
  tsgu::registerTsguPasses();
  tsgu::registerPipelines();
  tsgu::registerPrintPTX();
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "tsgu: differentiable sparse tensor programs\n", registry);
  auto config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return MlirOptMain(argc, argv, input, output, registry);
  std::string message;
  auto text = openInputFile(input, &message);
  auto result = text ? openOutputFile(output, &message) : nullptr;
  if (!result) {
    llvm::errs() << message << "\n";
    return failure();
  }
  if (failed(MlirOptMain(result->os(), std::move(text), registry, config)))
    return failure();
  result->keep();
  return success();
}

int main(int argc, char **argv) {
  pid_t parent = getpid(), child = fork();
  if (child <= 0) { // Or no process is left to be had.
    if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
      return EXIT_FAILURE;
    return asMainReturnCode(optimize(argc, argv));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  llvm::errs() << "tsgu-opt: error: the process that read the text and ran the "
                  "passes was ended by signal "
               << WTERMSIG(status) << " (" << strsignal(WTERMSIG(status))
               << "); is the text a program (--tsgu-verify-program)?\n";
  return EXIT_FAILURE;
}
