//===- FakeCompiler.cpp - A libtsgu-compiler that compiles nothing --------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Serves the hand-written programs. Some names misbehave as a broken compiler
// might: see `disturb`.
//
//===----------------------------------------------------------------------===//

#include "FakePrograms.h"

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>

using namespace tsgu;
using namespace tsgu::test;

static std::atomic<uint64_t> compiled{0};

using Report = void (*)(void *, const char *);

static int addProgram(const char *name, const char *text, void *context,
                      Report report) {
  static std::set<std::pair<std::string, std::string>> added;
  for (auto &[known, itsText] : added)
    if (known == name && itsText != text) {
      report(context, "another program has this name");
      return 1;
    }
  added.emplace(name, text);
  return 0;
}

static int signature(const char *path, void *context,
                     void (*take)(void *, const void *, uint64_t),
                     Report report) {
  std::string name = path;
  if (name == "garbage") {
    take(context, "nonsense", 8);
    return 0;
  }
  if (name == "silent")
    return 1;
  Manifest manifest = fakeManifest(name.substr(0, name.find('!')), {});
  if (manifest.program.empty() || manifest.operands.empty()) {
    report(context, "no program has this name");
    report(context, "the library has: spmm");
    return 1;
  }
  manifest.program = name;
  manifest.stages.clear();
  manifest.layouts.clear();
  manifest.scratch.clear();
  auto bytes = manifest.serialize();
  take(context, bytes.data(), bytes.size());
  return 0;
}

/// "spmm!fewer": less kernels than stages, and so on.
static void disturb(const std::string &how, Manifest &manifest,
                    tsgu_object &object) {
  if (how == "fewer")
    object.kernel_count = 0;
  if (how == "null")
    object.kernels = nullptr;
  if (how == "cut")
    object.manifest_size -= 1;
  if (how == "swapped")
    std::swap(manifest.operands[0], manifest.operands[1]);
  if (how == "weights")
    manifest.stages[0].partition.loops = {1};
  if (how == "rank")
    manifest.stages[0].arguments[3].shape.pop_back();
}

static int compile(const char *path, const tsgu_specialization *wanted,
                   const tsgu_object **result, void *context, Report report) {
  const std::string name = path;
  const size_t mark = name.find('!');
  const std::string how =
      mark == std::string::npos ? "" : name.substr(mark + 1);
  ++compiled;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (how == "fails") {
    report(context, "this cannot be compiled");
    return 7;
  }
  if (how == "nothing")
    return 0;
  const Types types{static_cast<ElementType>(wanted->value_type),
                    static_cast<ElementType>(wanted->index_type),
                    static_cast<ElementType>(wanted->derived_index_type)};
  Manifest manifest = fakeManifest(name.substr(0, mark), types);
  manifest.program = name;
  for (uint32_t i = 0; i < wanted->width_count; ++i)
    manifest.symbols[i].fixed = wanted->widths[i];
  tsgu_object unused{};
  disturb(how, manifest, unused);
  // As real objects, these live as long as the process.
  auto *made = new FakeObject(std::move(manifest), types);
  auto *object = new tsgu_object(made->object());
  disturb(how, made->manifest, *object);
  static std::set<const void *> &kept = *new std::set<const void *>;
  kept.insert({made, object});
  *result = object;
  return 0;
}

static void counters(uint64_t *howMany, uint64_t *loaded) {
  *howMany = compiled;
  *loaded = 0;
}

extern "C" __attribute__((visibility("default"))) const tsgu_compiler *
tsgu_compiler_interface(void) {
  static const tsgu_compiler table{
#ifdef TSGU_TEST_OLD_COMPILER
      TSGU_COMPILER_ABI + 41,
#else
      TSGU_COMPILER_ABI,
#endif
      addProgram,
      signature,
      compile,
      counters,
      [](int (*)()) {},
      nullptr,
      nullptr,
      "none"};
  return &table;
}
