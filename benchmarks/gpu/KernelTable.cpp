//===- KernelTable.cpp - Kernels compiled before, in the compiler's place -===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library with the interface of libtsgu-compiler that needs no LLVM: it
// answers from a table of programs, which make_bundle.py writes into
// KernelTable.inc and links with it.
//
//===----------------------------------------------------------------------===//

#include "tsgu/CompilerInterface.h"

#include <atomic>
#include <cstdio>
#include <cstring>

namespace {

/// What `signature` gives.
struct ProgramSignature {
  const char *path;
  const unsigned char *bytes;
  uint64_t size;
};

/// A program compiled for one specialisation.
struct Compiled {
  const char *path;
  tsgu_specialization specialization;
  const tsgu_object *object;
};

#include "KernelTable.inc"

std::atomic<uint64_t> found{0};

using Report = void (*)(void *context, const char *message);

/// Of devices, later ones run what was compiled for earlier ones.
bool runsOn(uint8_t compiledFor, uint8_t target) {
  return compiledFor == target ||
         (compiledFor >= TSGU_TARGET_SM80 && target > compiledFor);
}

/// Whether kernels for `compiled` compute what is `wanted`: a width that was
/// left dynamic is any width, and alignment may be better than assumed.
bool serves(const tsgu_specialization &compiled,
            const tsgu_specialization &wanted) {
  if (compiled.value_type != wanted.value_type ||
      compiled.index_type != wanted.index_type ||
      compiled.derived_index_type != wanted.derived_index_type ||
      compiled.width_count != wanted.width_count ||
      compiled.alignment > wanted.alignment ||
      !runsOn(compiled.target, wanted.target))
    return false;
  for (uint32_t k = 0; k < wanted.width_count; ++k)
    if (compiled.widths[k] != 0 && compiled.widths[k] != wanted.widths[k])
      return false;
  return true;
}

/// How much of what is known the kernels know: the more, the faster.
uint32_t precision(const tsgu_specialization &compiled) {
  uint32_t known = 0;
  for (uint32_t k = 0; k < compiled.width_count; ++k)
    known += compiled.widths[k] != 0;
  return known << 16 | static_cast<uint32_t>(compiled.target) << 8 |
         compiled.alignment;
}

void reportMissing(const char *path, const tsgu_specialization &wanted,
                   void *context, Report report) {
  char text[512];
  int length = std::snprintf(
      text, sizeof(text),
      "no kernel of %.200s is in this table for value type %u, index types %u "
      "and %u, target %u, alignment %u, widths",
      path, wanted.value_type, wanted.index_type, wanted.derived_index_type,
      wanted.target, wanted.alignment);
  for (uint32_t k = 0; k < wanted.width_count && length < 450; ++k)
    length += std::snprintf(text + length, sizeof(text) - length, " %lld",
                            static_cast<long long>(wanted.widths[k]));
  std::snprintf(text + length, sizeof(text) - length,
                "; libtsgu-compiler would compile it");
  report(context, text);
}

int addProgram(const char *, const char *, void *context, Report report) {
  report(context, "this is a table of kernels: programs of your own need "
                  "libtsgu-compiler");
  return 1;
}

int signature(const char *path, void *context,
              void (*take)(void *context, const void *data, uint64_t size),
              Report report) {
  for (const ProgramSignature &known : signatures)
    if (std::strcmp(known.path, path) == 0) {
      take(context, known.bytes, known.size);
      return 0;
    }
  report(context, "this table of kernels has no such program; "
                  "libtsgu-compiler would have");
  return 1;
}

int compile(const char *path, const tsgu_specialization *wanted,
            const tsgu_object **object, void *context, Report report) {
  const Compiled *best = nullptr;
  for (const Compiled &known : compiledPrograms)
    if (std::strcmp(known.path, path) == 0 &&
        serves(known.specialization, *wanted) &&
        (!best ||
         precision(known.specialization) > precision(best->specialization)))
      best = &known;
  if (!best) {
    reportMissing(path, *wanted, context, report);
    return 1;
  }
  ++found;
  *object = best->object;
  return 0;
}

void counters(uint64_t *compiled, uint64_t *loaded) {
  *compiled = 0;
  *loaded = found.load();
}

/// Nothing here takes long enough to be given up.
void setInterrupted(int (*)(void)) {}

constexpr tsgu_compiler table = {TSGU_COMPILER_ABI, addProgram, signature,
                                 compile,           counters,   setInterrupted,
                                 nullptr,           nullptr,    "none"};

} // namespace

extern "C" __attribute__((visibility("default"))) const tsgu_compiler *
tsgu_compiler_interface(void) {
  return &table;
}
