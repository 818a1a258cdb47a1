//===- CompilerLibrary.cpp - libtsgu-compiler, opened when needed ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/CompilerLibrary.h"
#include "base/Callbacks.h"
#include "base/Parallel.h"
#include "base/SharedLibrary.h"
#include "tsgu/Error.h"

#include <atomic>
#include <cstdlib>
#include <exception>

#include <dlfcn.h>

namespace tsgu::runtime {
namespace {

std::atomic<const tsgu_compiler *> current{nullptr};

std::string &openedFrom() {
  static std::string &path = *new std::string;
  return path;
}

const tsgu_compiler *open(const std::string &library) {
  void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    fail(Status::CompileFailed, "the compiler could not be opened: ",
         reason ? reason : library.c_str(),
         "; install libtsgu-compiler beside libtsgu, or say where it is with "
         "tsgu_set_compiler() or TSGU_COMPILER");
  }
  auto interface = reinterpret_cast<decltype(&tsgu_compiler_interface)>(
      dlsym(handle, "tsgu_compiler_interface"));
  const tsgu_compiler *compiler = interface ? interface() : nullptr;
  if (!compiler || compiler->abi != TSGU_COMPILER_ABI) {
    std::string found =
        compiler ? "has interface " + std::to_string(compiler->abi) +
                       " instead of " + std::to_string(TSGU_COMPILER_ABI)
                 : "is no compiler of tsgu";
    dlclose(handle);
    fail(Status::CompileFailed, library, ' ', found);
  }
  compiler->set_interrupted([] { return int(isInterrupted()); });
  return compiler;
}

/// With processLock() held.
const tsgu_compiler &compiler() {
  if (const tsgu_compiler *open = current.load())
    return *open;
  const char *named = secure_getenv("TSGU_COMPILER");
  std::string library =
      named && *named ? named : besideThisLibrary("libtsgu-compiler.so");
  const tsgu_compiler *opened = open(library);
  openedFrom() = std::move(library);
  current.store(opened);
  return *opened;
}

/// What the compiler tells through its callbacks, across whose C frames nothing
/// may be thrown.
struct Answer {
  std::string message;
  std::vector<uint8_t> bytes;
  bool lost = false;

  static void report(void *context, const char *message) {
    auto &answer = *static_cast<Answer *>(context);
    try {
      if (!answer.message.empty())
        answer.message += '\n';
      answer.message += message ? message : "";
    } catch (...) {
      answer.lost = true;
    }
  }

  static void take(void *context, const void *data, uint64_t size) {
    auto &answer = *static_cast<Answer *>(context);
    try {
      const auto *bytes = static_cast<const uint8_t *>(data);
      answer.bytes.assign(bytes, bytes + size);
    } catch (...) {
      answer.lost = true;
    }
  }

  void check(int code, const char *what, const std::string &name) const {
    if (lost)
      fail(Status::OutOfMemory, "out of memory while ", what, ' ', name);
    if (code == TSGU_COMPILER_INTERRUPTED)
      fail(Status::Interrupted, what, ' ', name, " was interrupted");
    if (code != 0)
      fail(Status::CompileFailed, what, ' ', name, " failed: ",
           message.empty() ? "the compiler gave no reason" : message);
  }
};

using Lock = std::lock_guard<std::recursive_mutex>;

} // namespace

void openCompiler(const std::string &library) {
  Lock lock(processLock());
  if (current.load()) {
    if (openedFrom() != library)
      fail(Status::InvalidArgument, "the compiler ", openedFrom(),
           " is in use already; choose another one before the first program");
    return;
  }
  const tsgu_compiler *opened = open(library);
  openedFrom() = library;
  current.store(opened);
}

const char *llvmVersion() {
  Lock lock(processLock());
  return compiler().llvm;
}

void addProgram(const std::string &name, const std::string &text) {
  Lock lock(processLock());
  Answer answer;
  int code = compiler().add_program(name.c_str(), text.c_str(), &answer,
                                    Answer::report);
  answer.check(code, "adding program", name);
}

Manifest signatureOf(const std::string &path) {
  Lock lock(processLock());
  Answer answer;
  int code =
      compiler().signature(path.c_str(), &answer, Answer::take, Answer::report);
  answer.check(code, "opening program", path);
  return Manifest::parse(answer.bytes.data(), answer.bytes.size());
}

const tsgu_object &compile(const std::string &path,
                           const tsgu_specialization &specialization) {
  Lock lock(processLock());
  Answer answer;
  const tsgu_object *object = nullptr;
  int code = compiler().compile(path.c_str(), &specialization, &object, &answer,
                                Answer::report);
  answer.check(code, "compiling", path);
  if (!object)
    fail(Status::Internal, "the compiler gave no object for ", path);
  return *object;
}

std::vector<uint8_t> emit(const std::string &path,
                          const tsgu_specialization &specialization,
                          const char *cpu) {
  Lock lock(processLock());
  if (!compiler().emit)
    fail(Status::CompileFailed, openedFrom(), " makes no object files");
  Answer answer;
  int code = compiler().emit(path.c_str(), &specialization, cpu, &answer,
                             Answer::take, Answer::report);
  answer.check(code, "compiling", path);
  return std::move(answer.bytes);
}

void compilerCounters(uint64_t &compiled, uint64_t &loaded) {
  compiled = loaded = 0;
  if (const tsgu_compiler *open = current.load())
    open->counters(&compiled, &loaded);
}

} // namespace tsgu::runtime
