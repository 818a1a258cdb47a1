//===- CompilerInterface.cpp - The engine behind a C table ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/CompilerInterface.h"

#include "tsgu/Engine/Context.h"
#include "tsgu/Engine/Engine.h"
#include "tsgu/Engine/Interrupt.h"
#include "tsgu/Engine/ParseProgram.h"

#include "llvm/Config/llvm-config.h"

using namespace tsgu;

/// Never destroyed: kernels may run until the process ends.
static Engine &getEngine() {
  static Engine *engine = new Engine();
  return *engine;
}

using Report = void (*)(void *context, const char *message);

/// Reports an error; gives what the C function returns.
static int finish(llvm::Error error, void *context, Report report) {
  if (wasInterrupted()) { // The caller waits for that answer, even too late.
    consumeError(std::move(error));
    return TSGU_COMPILER_INTERRUPTED;
  }
  if (!error)
    return 0;
  report(context, llvm::toString(std::move(error)).c_str());
  return 1;
}

static int addProgram(const char *name, const char *text, void *context,
                      Report report) {
  beginInterruptible();
  return finish(getEngine().addProgram(name, text), context, report);
}

static int getSignature(const char *path, void *context,
                        void (*take)(void *, const void *, uint64_t),
                        Report report) {
  beginInterruptible();
  llvm::Expected<Manifest> signature =
      getEngine().getCompiler().getSignature(path);
  if (!signature || wasInterrupted())
    return finish(signature.takeError(), context, report);
  std::vector<uint8_t> bytes = signature->serialize();
  take(context, bytes.data(), bytes.size());
  return 0;
}

static int compile(const char *path, const tsgu_specialization *specialization,
                   const tsgu_object **object, void *context, Report report) {
  beginInterruptible();
  llvm::Expected<const tsgu_object *> found =
      getEngine().get(path, *specialization);
  if (!found || wasInterrupted())
    return finish(found.takeError(), context, report);
  *object = *found;
  return 0;
}

static void getCounters(uint64_t *compiled, uint64_t *loaded) {
  *compiled = getEngine().getCompiled();
  *loaded = getEngine().getLoaded();
}

static int emit(const char *path, const tsgu_specialization *specialization,
                const char *cpu, void *context,
                void (*take)(void *, const void *, uint64_t), Report report) {
  beginInterruptible();
  llvm::Expected<Target> target = cpu ? Target::named(cpu) : Target::host();
  if (!target)
    return finish(target.takeError(), context, report);
  auto object =
      getEngine().getCompiler().compile(path, *specialization, *target);
  if (!object || wasInterrupted())
    return finish(object.takeError(), context, report);
  take(context, (*object)->getBufferStart(), (*object)->getBufferSize());
  return 0;
}

static int check(const char *name, const char *text, void *context,
                 Report report) {
  std::unique_ptr<mlir::MLIRContext> mlir = createContext();
  auto module = parseProgram(name, text, *mlir);
  return finish(module.takeError(), context, report);
}

extern "C" __attribute__((visibility("default"))) const tsgu_compiler *
tsgu_compiler_interface(void) {
  static const tsgu_compiler table = {
      TSGU_COMPILER_ABI,  addProgram,     getSignature, compile,
      getCounters,        setInterrupted, emit,         check,
      LLVM_VERSION_STRING};
  return &table;
}
