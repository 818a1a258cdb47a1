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
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Engine/CodeGen.h"
#include "tsgu/Engine/Context.h"
#include "tsgu/Engine/Diagnostics.h"
#include "tsgu/Engine/Interrupt.h"
#include "tsgu/Engine/PTX.h"
#include "tsgu/Engine/ParseProgram.h"
#include "tsgu/Pipelines/Pipelines.h"
#include "tsgu/Programs/ProgramLibrary.h"
#include "tsgu/Transforms/Passes.h"
#include "tsgu/tsgu.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

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

Expected<Target> Target::named(StringRef cpu) {
  Target target;
  target.triple = llvm::sys::getDefaultTargetTriple();
  target.cpu = cpu.str();
  if (llvm::X86::parseArchX86(cpu, /*Only64Bit=*/true) == llvm::X86::CK_None)
    return llvm::createStringError(
        "there is no CPU '" + cpu +
        "'; among those that there are: x86-64, x86-64-v2, x86-64-v3 (AVX2), "
        "x86-64-v4 (AVX-512), skylake, sapphirerapids, znver4, znver5");
  SmallVector<StringRef> features; // Not those that others imply.
  llvm::X86::getFeaturesForCPU(cpu, features);
  target.features = features.empty() ? "" : "+" + llvm::join(features, ",+");
  auto has = [&](StringRef prefix) {
    return llvm::any_of(features, [&](StringRef feature) {
      return feature.starts_with(prefix);
    });
  };
  target.vectorBits = has("avx512") ? 512 : has("avx") ? 256 : 128;
  return target;
}

struct Compiler::State {
  std::unique_ptr<MLIRContext> context = createContext();
  llvm::StringMap<std::string> programs;

  Expected<OwningOpRef<ModuleOp>> parse(StringRef name);
  Expected<OwningOpRef<ModuleOp>> derive(StringRef path,
                                         bool complexValues = false);
  Error selectResult(ModuleOp module, StringRef path,
                     ArrayRef<StringRef> &derivations);
  Error complexify(ModuleOp module, StringRef name);
  Error apply(ModuleOp module, StringRef path, StringRef derivation);
  Expected<OwningOpRef<ModuleOp>>
  makeKernels(StringRef path, const tsgu_specialization &specialization,
              const Target &target);
  Expected<OwningOpRef<ModuleOp>>
  parseDeviceLibrary(StringRef path, const tsgu_specialization &specialization);
  Error lower(ModuleOp module, StringRef path, tsgu_target target);
};

static LogicalResult run(PassManager &passes, ModuleOp module) {
  return failure(failed(passes.run(module)) || wasInterrupted());
}

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
  } else if (derivation == "transpose") {
    pm.addPass(createTranspose());
  } else if (auto options = parseDerivative(derivation)) {
    pm.addPass(createDifferentiate(*options));
  } else {
    return llvm::createStringError("'" + path + "': no derivation '" +
                                   derivation +
                                   "'; there are batch, transpose, "
                                   "jvp<operand>, vjp<operand> and "
                                   "vjp<operand>given<operand>");
  }
  Diagnostics diagnostics(*context);
  if (failed(run(pm, module)))
    return diagnostics.error("'" + path + "' cannot be derived");
  return Error::success();
}

/// Before any derivation: derivatives of complex programs are conjugated.
Error Compiler::State::complexify(ModuleOp module, StringRef name) {
  PassManager pm(context.get());
  pm.addPass(createComplexify());
  Diagnostics diagnostics(*context);
  if (failed(run(pm, module)))
    return diagnostics.error("'" + name + "' has no complex form");
  return Error::success();
}

Expected<OwningOpRef<ModuleOp>> Compiler::State::parse(StringRef name) {
  auto program = programs.find(name);
  if (program == programs.end())
    return llvm::createStringError("there is no program '" + name + "'");
  return parseProgram(name, program->second, *context);
}

/// Leaves one result, that which the first derivation of the path names.
Error Compiler::State::selectResult(ModuleOp module, StringRef path,
                                    ArrayRef<StringRef> &derivations) {
  SelectResultOptions options;
  StringRef number = derivations.empty() ? StringRef() : derivations.front();
  if (!number.consume_front("result") ||
      number.getAsInteger(10, options.result)) {
    auto results = (*getProgram(module)).getNumResults();
    if (results == 1)
      return Error::success();
    StringRef name = path.split('/').first;
    return llvm::createStringError(
        "'" + path + "': '" + name + "' has " + llvm::Twine(results) +
        " results; take one of them, as in '" + name + "/result0'");
  }
  derivations = derivations.drop_front();
  PassManager pm(context.get());
  pm.addPass(createSelectResult(options));
  Diagnostics diagnostics(*context);
  if (failed(run(pm, module)))
    return diagnostics.error("'" + path + "' cannot be derived");
  return Error::success();
}

Expected<OwningOpRef<ModuleOp>> Compiler::State::derive(StringRef path,
                                                        bool complexValues) {
  auto [name, rest] = path.split('/');
  Expected<OwningOpRef<ModuleOp>> module = parse(name);
  if (!module)
    return module;
  SmallVector<StringRef> all;
  if (path.contains('/'))
    rest.split(all, '/');
  ArrayRef<StringRef> derivations = all;
  if (Error error = selectResult(**module, path, derivations))
    return error;
  if (complexValues)
    if (Error error = complexify(**module, name))
      return error;
  for (StringRef derivation : derivations)
    if (Error error = apply(**module, path, derivation))
      return error;
  return module;
}

/// The text of a path "device/<library>"; null if it is no such path.
static const LibraryProgram *findDeviceLibrary(StringRef path) {
  if (path.consume_front("device/"))
    for (const LibraryProgram &library : getDeviceLibraries())
      if (library.name == path)
        return &library;
  return nullptr;
}

Error Compiler::addProgram(StringRef name, StringRef text) {
  std::lock_guard lock(mutex);
  if (name == "device")
    return llvm::createStringError(
        "a program cannot be named 'device': paths that begin with it are "
        "libraries of device kernels");
  if (name.empty() ||
      !llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; }))
    return llvm::createStringError(
        "a program's name is made of letters, digits and '_', not '" + name +
        "'");
  auto [entry, inserted] = state->programs.try_emplace(name, text.str());
  if (!inserted)
    return entry->second == text
               ? Error::success()
               : llvm::createStringError("there is a program '" + name +
                                         "' with another text: add this one "
                                         "under another name");
  Expected<OwningOpRef<ModuleOp>> module = state->parse(name);
  if (module)
    return Error::success();
  state->programs.erase(name);
  return module.takeError();
}

Expected<std::string> Compiler::getText(StringRef path) {
  std::lock_guard lock(mutex);
  if (const LibraryProgram *library = findDeviceLibrary(path))
    return library->text.str();
  if (path.starts_with("device/"))
    return llvm::createStringError("there is no library of device kernels '" +
                                   path + "'");
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
  signature->onHost = !program->getOps<StepOpInterface>().empty();
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
  options.hollow.assign(std::begin(specialization.hollow),
                        std::end(specialization.hollow));
  options.blocks.assign(std::begin(specialization.blocks),
                        std::end(specialization.blocks));
  options.vectorBits = target.vectorBits;
  options.alignment = specialization.alignment;
  return options;
}

static std::string describe(tsgu_target target, const Target &host) {
  switch (target) {
  case TSGU_TARGET_CPU:
    return host.describe();
  case TSGU_TARGET_EMULATOR:
    return "emulator";
  case TSGU_TARGET_SM80:
  case TSGU_TARGET_SM90:
    return ("sm_" + llvm::Twine(unsigned(target))).str();
  }
  return "";
}

/// What cannot run on a device is refused, not left to the CPU: its operands
/// are not there.
static Error checkDeviceStages(StringRef path, const Manifest &manifest) {
  for (const Stage &stage : manifest.stages) {
    if (!stage.isKernel() && stage.step.name != StepInfo::permuteValues &&
        stage.step.name != StepInfo::fill)
      return llvm::createStringError(
          "'" + path + "' has the step " + stage.step.name +
          ", which has no code for devices yet; move its operands to the CPU");
    if (stage.isKernel() && stage.device.blockThreads == 0)
      return llvm::createStringError("'" + path +
                                     "' has no kernels for devices");
  }
  return Error::success();
}

Expected<OwningOpRef<ModuleOp>>
Compiler::State::makeKernels(StringRef path,
                             const tsgu_specialization &specialization,
                             const Target &host) {
  auto target = static_cast<tsgu_target>(specialization.target);
  bool onDevice = target != TSGU_TARGET_CPU;
  bool complexValues = isComplexType(ElementType(specialization.value_type));
  if (onDevice && complexValues)
    return llvm::createStringError(
        "'" + path +
        "': complex numbers have no code for devices yet; move the operands to "
        "the CPU");
  Expected<OwningOpRef<ModuleOp>> module = derive(path, complexValues);
  if (!module)
    return module.takeError();
  Diagnostics diagnostics(*context);
  LoweringOptions options = getOptions(specialization, host);
  PassManager kernels(context.get());
  addLowerToKernels(kernels, options);
  if (onDevice)
    addMapToGPU(kernels, options);
  else
    addOptimizeKernels(kernels, options);
  if (failed(run(kernels, **module)))
    return diagnostics.error("'" + path + "' cannot be lowered to kernels");
  FailureOr<Manifest> manifest = getManifest(**module);
  if (failed(manifest))
    return diagnostics.error("'" + path + "'");
  if (onDevice)
    if (Error error = checkDeviceStages(path, *manifest))
      return std::move(error);
  manifest->program = getSymbol(path);
  manifest->target = describe(target, host);
  setManifest(**module, *manifest);
  return module;
}

/// Sets an index type where a library of device kernels names it.
static void retype(std::string &text, StringRef name, uint8_t type) {
  std::string definition = (name + " = i32\n").str();
  size_t at = text.find(definition);
  if (at != std::string::npos && type == TSGU_I64)
    text.replace(at, definition.size(), (name + " = i64\n").str());
}

Expected<OwningOpRef<ModuleOp>>
Compiler::State::parseDeviceLibrary(StringRef path,
                                    const tsgu_specialization &specialization) {
  if (specialization.target == TSGU_TARGET_CPU)
    return llvm::createStringError("'" + path +
                                   "' is a library of device kernels, and has "
                                   "no code for the CPU");
  std::string text = findDeviceLibrary(path)->text.str();
  retype(text, "!index", specialization.index_type);
  retype(text, "!derived", specialization.derived_index_type);
  Diagnostics diagnostics(*context);
  auto module = parseSourceString<ModuleOp>(text, context.get());
  if (!module)
    return diagnostics.error("'" + path + "' is not MLIR");
  module->setName(getSymbol(path));
  return module;
}

/// Generates the image and puts it in the place of the device module.
static Error embedImage(ModuleOp module, tsgu_target target) {
  for (auto device :
       llvm::make_early_inc_range(module.getOps<gpu::GPUModuleOp>())) {
    Expected<std::string> image = generatePTX(device, target);
    if (!image)
      return image.takeError();
    module->setAttr(imageAttr, StringAttr::get(module.getContext(), *image));
    device.erase();
  }
  return Error::success();
}

/// To the LLVM dialect of the host, with the object.
Error Compiler::State::lower(ModuleOp module, StringRef path,
                             tsgu_target target) {
  Diagnostics diagnostics(*context);
  PassManager lowering(context.get()), object(context.get());
  if (target == TSGU_TARGET_CPU)
    addLowerToLLVM(lowering);
  else if (target == TSGU_TARGET_EMULATOR)
    addLowerToEmulator(lowering);
  else
    addLowerToNVVM(lowering);
  if (failed(run(lowering, module)))
    return diagnostics.error("'" + path + "' cannot be lowered to LLVM");
  if (target == TSGU_TARGET_CPU || target == TSGU_TARGET_EMULATOR)
    return Error::success();
  if (Error error = embedImage(module, target))
    return llvm::createStringError(
        "'" + path +
        "' cannot be compiled to PTX: " + llvm::toString(std::move(error)));
  object.addPass(createEmitObject());
  if (failed(run(object, module)))
    return diagnostics.error("'" + path + "'");
  return Error::success();
}

Expected<std::unique_ptr<llvm::MemoryBuffer>>
Compiler::compile(StringRef path, const tsgu_specialization &specialization,
                  const Target &host) {
  std::lock_guard lock(mutex);
  auto target = static_cast<tsgu_target>(specialization.target);
  if (describe(target, host).empty())
    return llvm::createStringError(
        "there is no target " + llvm::Twine(unsigned(target)) +
        "; there are the CPU (0), the emulator (1), sm_80 (80) and sm_90 (90)");
  Expected<OwningOpRef<ModuleOp>> module =
      findDeviceLibrary(path) ? state->parseDeviceLibrary(path, specialization)
                              : state->makeKernels(path, specialization, host);
  if (!module)
    return module.takeError();
  if (Error error = state->lower(**module, path, target))
    return std::move(error);
  return generateObject(**module, host);
}

} // namespace tsgu
