//===- CodeGen.cpp - LLVM dialect to object bytes -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/CodeGen.h"

#include "tsgu/Engine/Interrupt.h"
#include "tsgu/Engine/Optimize.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/CompileUtils.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

/// A machine for the target; registers the host's code generator once.
static Expected<std::unique_ptr<TargetMachine>>
createMachine(const tsgu::Target &target) {
  static bool initialized = [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  std::string message;
  Triple triple(target.triple);
  const llvm::Target *backend = TargetRegistry::lookupTarget(triple, message);
  if (!backend)
    return createStringError(message);
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Standard;
  std::unique_ptr<TargetMachine> machine(backend->createTargetMachine(
      triple, target.cpu, target.features, options, Reloc::PIC_, std::nullopt,
      CodeGenOptLevel::Default));
  if (!machine)
    return createStringError("no code generator for " + target.triple);
  return std::move(machine);
}

static void setTargetAttributes(Module &module, const tsgu::Target &target) {
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
    function.addFnAttr("prefer-vector-width",
                       std::to_string(target.vectorBits));
    function.addFnAttr(Attribute::NoUnwind);
  }
}

Expected<std::unique_ptr<MemoryBuffer>>
tsgu::generateObject(mlir::ModuleOp module, const Target &target) {
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  std::unique_ptr<Module> translated =
      mlir::translateModuleToLLVMIR(module, context);
  if (!translated)
    return createStringError("the module cannot be translated to LLVM IR");
  if (isInterrupted())
    return createStringError("interrupted");
  translated->setDataLayout((*machine)->createDataLayout());
  translated->setTargetTriple((*machine)->getTargetTriple());
  setTargetAttributes(*translated, target);
  tsgu::optimize(*translated, **machine, OptimizationLevel::O2,
                 /*unrollLoops=*/false);
  if (isInterrupted())
    return createStringError("interrupted");
  return orc::SimpleCompiler(**machine)(*translated);
}
