//===- Compiler.cpp - Programs to object files ----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/Compiler.h"

#include "tsgu/Dialect/ManifestAttr.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/ProgramSymbols.h"
#include "tsgu/Engine/CodeGen.h"
#include "tsgu/Engine/Context.h"
#include "tsgu/Pipelines/Pipelines.h"
#include "tsgu/Programs/ProgramLibrary.h"
#include "tsgu/Transforms/Passes.h"
#include "tsgu/tsgu.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace tsgu {

Target Target::host() {
  Target target;
  target.triple = llvm::sys::getDefaultTargetTriple();
  target.cpu = llvm::sys::getHostCPUName().str();
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  std::vector<std::string> enabled;
  for (const auto &feature : features)
    enabled.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(enabled);
  target.features = llvm::join(enabled, ",");
  if (features.lookup("avx512f"))
    target.vectorBits = 512;
  else if (features.lookup("avx"))
    target.vectorBits = 256;
  return target;
}

struct Compiler::State {
  std::unique_ptr<MLIRContext> context = createContext();
  llvm::StringMap<std::string> programs;

  Expected<OwningOpRef<ModuleOp>> derive(StringRef path,
                                         bool complexValues = false);
  Error complexify(ModuleOp module, StringRef name);
  Error apply(ModuleOp module, StringRef path, StringRef derivation);
};

/// Turns what is reported while it lives into the message of an error.
class Diagnostics {
public:
  explicit Diagnostics(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
            return;
          llvm::raw_string_ostream stream(text);
          if (!text.empty())
            stream << "; ";
          if (auto location = dyn_cast<FileLineColLoc>(
                  LocationAttr(diagnostic.getLocation())))
            stream << "line " << location.getLine() << ", column "
                   << location.getColumn() << ": ";
          stream << diagnostic.str();
        }) {}

  Error error(const llvm::Twine &what) {
    return llvm::createStringError(what + ": " +
                                   (text.empty() ? "no reason given" : text));
  }

private:
  std::string text;
  ScopedDiagnosticHandler handler;
};

Compiler::Compiler() : state(std::make_unique<State>()) {
  for (const LibraryProgram &program : getProgramLibrary())
    state->programs[program.name] = program.text.str();
}

Compiler::~Compiler() = default;

std::string Compiler::getSymbol(StringRef path) {
  std::string symbol = path.str();
  std::replace(symbol.begin(), symbol.end(), '/', '_');
  return symbol;
}

/// "vjp1", "jvp0", "vjp1given4given2".
static std::optional<DifferentiateOptions>
parseDerivative(StringRef derivation) {
  DifferentiateOptions options;
  options.mode = derivation.starts_with("vjp") ? "reverse" : "forward";
  if (!derivation.consume_front("vjp") && !derivation.consume_front("jvp"))
    return std::nullopt;
  SmallVector<StringRef> numbers;
  derivation.split(numbers, "given");
  SmallVector<unsigned> operands;
  for (StringRef number : numbers)
    if (number.getAsInteger(10, operands.emplace_back()))
      return std::nullopt;
  options.wrt = {operands[0]};
  options.given.assign(operands.begin() + 1, operands.end());
  return options;
}

Error Compiler::State::apply(ModuleOp module, StringRef path,
                             StringRef derivation) {
  PassManager pm(context.get());
  if (derivation == "batch") {
    pm.addPass(createBatch());
  } else if (auto options = parseDerivative(derivation)) {
    pm.addPass(createDifferentiate(*options));
  } else {
    return llvm::createStringError("'" + path + "': no derivation '" +
                                   derivation +
                                   "'; there are batch, jvp<operand>, "
                                   "vjp<operand> and "
                                   "vjp<operand>given<operand>");
  }
  Diagnostics diagnostics(*context);
  if (failed(pm.run(module)))
    return diagnostics.error("'" + path + "' cannot be derived");
  return Error::success();
}

/// Before any derivation: derivatives of complex programs are conjugated.
Error Compiler::State::complexify(ModuleOp module, StringRef name) {
  PassManager pm(context.get());
  pm.addPass(createComplexify());
  Diagnostics diagnostics(*context);
  if (failed(pm.run(module)))
    return diagnostics.error("'" + name + "' has no complex form");
  return Error::success();
}

Expected<OwningOpRef<ModuleOp>> Compiler::State::derive(StringRef path,
                                                        bool complexValues) {
  auto [name, rest] = path.split('/');
  auto program = programs.find(name);
  if (program == programs.end())
    return llvm::createStringError("there is no program '" + name + "'");
  OwningOpRef<ModuleOp> module;
  {
    Diagnostics diagnostics(*context);
    module = parseSourceString<ModuleOp>(program->second, context.get());
    if (!module)
      return diagnostics.error("'" + name + "' is not MLIR");
    FailureOr<func::FuncOp> function = getProgram(*module);
    if (failed(function) || failed(verifyProgram(*function)))
      return diagnostics.error("'" + name + "' is not a program");
    if (isa<ComplexType>(getElementTypeOrSelf(function->getResultTypes()[0])))
      return llvm::createStringError(
          "'" + name +
          "' is written for complex numbers; write it for f64, "
          "the operands of a call make it complex");
    function->setName(name);
  }
  if (complexValues)
    if (Error error = complexify(*module, name))
      return error;
  SmallVector<StringRef> derivations;
  if (path.contains('/'))
    rest.split(derivations, '/');
  for (StringRef derivation : derivations)
    if (Error error = apply(*module, path, derivation))
      return error;
  return module;
}

Error Compiler::addProgram(StringRef name, StringRef text) {
  std::lock_guard lock(mutex);
  if (name.empty() ||
      !llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; }))
    return llvm::createStringError(
        "a program's name is made of letters, digits and '_', not '" + name +
        "'");
  auto [entry, inserted] = state->programs.try_emplace(name, text.str());
  if (!inserted)
    return entry->second == text
               ? Error::success()
               : llvm::createStringError("there is another program '" + name +
                                         "'");
  Expected<OwningOpRef<ModuleOp>> module = state->derive(name);
  if (module)
    return Error::success();
  state->programs.erase(name);
  return module.takeError();
}

Expected<std::string> Compiler::getText(StringRef path) {
  std::lock_guard lock(mutex);
  auto program = state->programs.find(path.split('/').first);
  if (program == state->programs.end())
    return llvm::createStringError("there is no program '" +
                                   path.split('/').first + "'");
  return program->second;
}

Expected<Manifest> Compiler::getSignature(StringRef path) {
  std::lock_guard lock(mutex);
  Expected<OwningOpRef<ModuleOp>> module = state->derive(path);
  if (!module)
    return module.takeError();
  Diagnostics diagnostics(*state->context);
  FailureOr<func::FuncOp> program = getProgram(**module);
  if (failed(program))
    return diagnostics.error("'" + path + "'");
  FailureOr<Manifest> signature = tsgu::getSignature(*program, path);
  if (failed(signature))
    return diagnostics.error("'" + path + "'");
  return std::move(*signature);
}

Expected<std::string> Compiler::getDerived(StringRef path) {
  std::lock_guard lock(mutex);
  Expected<OwningOpRef<ModuleOp>> module = state->derive(path);
  if (!module)
    return module.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream);
  return text;
}

static LoweringOptions getOptions(const tsgu_specialization &specialization,
                                  const Target &target) {
  LoweringOptions options;
  options.value = elementName(ElementType(specialization.value_type));
  options.index = specialization.index_type == TSGU_I32 ? 32 : 64;
  options.derivedIndex =
      specialization.derived_index_type == TSGU_I32 ? 32 : 64;
  options.widths.assign(specialization.widths,
                        specialization.widths + specialization.width_count);
  options.vectorBits = target.vectorBits;
  return options;
}

Expected<std::unique_ptr<llvm::MemoryBuffer>>
Compiler::compile(StringRef path, const tsgu_specialization &specialization,
                  const Target &target) {
  std::lock_guard lock(mutex);
  bool complexValues = specialization.value_type == TSGU_C64 ||
                       specialization.value_type == TSGU_C128;
  Expected<OwningOpRef<ModuleOp>> module = state->derive(path, complexValues);
  if (!module)
    return module.takeError();
  Diagnostics diagnostics(*state->context);
  LoweringOptions options = getOptions(specialization, target);
  PassManager kernels(state->context.get());
  addLowerToKernels(kernels, options);
  addOptimizeKernels(kernels, options);
  if (failed(kernels.run(**module)))
    return diagnostics.error("'" + path + "' cannot be lowered to kernels");
  FailureOr<Manifest> manifest = getManifest(**module);
  if (failed(manifest))
    return diagnostics.error("'" + path + "'");
  manifest->program = getSymbol(path);
  manifest->target = target.describe();
  setManifest(**module, *manifest);
  PassManager llvmDialect(state->context.get());
  addLowerToLLVM(llvmDialect);
  if (failed(llvmDialect.run(**module)))
    return diagnostics.error("'" + path + "' cannot be lowered to LLVM");
  return generateObject(**module, target);
}

} // namespace tsgu
