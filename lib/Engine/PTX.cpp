//===- PTX.cpp - Device modules to the assembly of NVIDIA GPUs ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM ends the process where its NVPTX code generator meets what it does not
// expect. So the module is verified, and its calls resolved, before it gets
// there; what it then still reports is collected, not printed.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/PTX.h"

#include "tsgu/Engine/Optimize.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

namespace {

/// The errors of one context, which would end the process by default.
class Errors : public DiagnosticHandler {
public:
  explicit Errors(std::string &text) : text(text) {}

  bool handleDiagnostics(const DiagnosticInfo &info) override {
    if (info.getSeverity() == DS_Error) {
      raw_string_ostream stream(text);
      DiagnosticPrinterRawOStream printer(stream);
      stream << (text.empty() ? "" : "; ");
      info.print(printer);
    }
    return true;
  }

private:
  std::string &text;
};

/// Leaves out LLVM's loop strength reduction, in one context. It replaces each
/// address by a pointer of its own that is stepped along: of the loads of an
/// unrolled loop, that takes more registers and instructions than it saves.
class NoStrengthReduction : public OptPassGate {
public:
  bool isEnabled() const override { return true; }
  bool shouldRunPass(StringRef pass, StringRef) const override {
    return pass != "Loop Strength Reduction";
  }
};

} // namespace

static Expected<std::unique_ptr<TargetMachine>>
createMachine(tsgu_target target) {
  static bool initialized = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
  std::string message;
  Triple triple("nvptx64-nvidia-cuda");
  const Target *backend = TargetRegistry::lookupTarget(triple, message);
  if (!backend)
    return createStringError(message);
  // The oldest versions of PTX that know the GPU, or have all we use.
  StringRef version = target == TSGU_TARGET_SM80 ? "+ptx70" : "+ptx80";
  TargetOptions options;
  // Where sums and products say that they may be contracted, and nowhere else.
  options.AllowFPOpFusion = FPOpFusion::Standard;
  std::unique_ptr<TargetMachine> machine(backend->createTargetMachine(
      triple, ("sm_" + Twine(unsigned(target))).str(), version, options,
      std::nullopt, std::nullopt, CodeGenOptLevel::Aggressive));
  if (!machine)
    return createStringError("no code generator for " + triple.str());
  return std::move(machine);
}

static Error verify(const Module &module) {
  std::string text;
  raw_string_ostream stream(text);
  if (verifyModule(module, &stream))
    return createStringError("the LLVM module is wrong: " + text);
  for (const Function &function : module)
    if (function.isDeclaration() && !function.isIntrinsic())
      return createStringError("it calls '" + function.getName() +
                               "', which has no code for devices");
  return Error::success();
}

static Expected<std::string> assemble(Module &module, TargetMachine &machine) {
  SmallString<0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr,
                                  CodeGenFileType::AssemblyFile))
    return createStringError("no assembly can be written for the device");
  passes.run(module);
  return std::string(text);
}

Expected<std::string> tsgu::generatePTX(mlir::gpu::GPUModuleOp device,
                                        tsgu_target target) {
  if (target != TSGU_TARGET_SM80 && target != TSGU_TARGET_SM90)
    return createStringError("there is no GPU sm_" + Twine(unsigned(target)) +
                             " to compile for; there are sm_80 and sm_90");
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  std::string errors;
  context.setDiagnosticHandler(std::make_unique<Errors>(errors));
  NoStrengthReduction gate;
  context.setOptPassGate(gate);
  // Before the translation: by it, accesses get their alignment. (Without a
  // layout, LLVM takes 64-bit integers to be aligned to 4 bytes.)
  device->setAttr(
      mlir::LLVM::LLVMDialect::getDataLayoutAttrName(),
      mlir::StringAttr::get(
          device.getContext(),
          (*machine)->createDataLayout().getStringRepresentation()));
  std::unique_ptr<Module> module =
      mlir::translateModuleToLLVMIR(device, context);
  if (!module)
    return createStringError("the module cannot be translated to LLVM IR");
  module->setTargetTriple((*machine)->getTargetTriple());
  if (Error error = verify(*module))
    return std::move(error);
  tsgu::optimize(*module, **machine, OptimizationLevel::O3,
                 /*unrollLoops=*/true);
  if (Error error = verify(*module))
    return std::move(error);
  Expected<std::string> text = assemble(*module, **machine);
  if (text && !errors.empty())
    return createStringError(errors);
  return text;
}

namespace {

struct PrintPTX : mlir::PassWrapper<PrintPTX, mlir::OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PrintPTX)
  PrintPTX() = default;
  PrintPTX(const PrintPTX &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "tsgu-print-ptx"; }
  StringRef getDescription() const override {
    return "print the PTX of each gpu.module";
  }

  void getDependentDialects(mlir::DialectRegistry &registry) const override {
    mlir::registerBuiltinDialectTranslation(registry);
    mlir::registerGPUDialectTranslation(registry);
    mlir::registerLLVMDialectTranslation(registry);
    mlir::registerNVVMDialectTranslation(registry);
  }

  void runOnOperation() override {
    getOperation()->walk([&](mlir::gpu::GPUModuleOp device) {
      auto text =
          tsgu::generatePTX(device, static_cast<tsgu_target>(sm.getValue()));
      if (text) {
        outs() << *text;
      } else {
        device.emitError(toString(text.takeError()));
        signalPassFailure();
      }
    });
  }

  Option<unsigned> sm{*this, "sm", cl::init(90),
                      cl::desc("compute capability, 80 or 90")};
};

} // namespace

void tsgu::registerPrintPTX() { mlir::PassRegistration<PrintPTX>(); }
