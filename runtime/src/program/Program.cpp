//===- Program.cpp - A program and its compiled specialisations -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Program.h"
#include "base/CompilerLibrary.h"
#include "base/Parallel.h"
#include "base/Scratch.h"
#include "program/DeviceLaunch.h"
#include "program/Launch.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>

namespace tsgu::runtime {
namespace {

/// All programs; guarded by processLock() and never destroyed.
struct Table {
  std::map<std::string, Program *> byPath;
  std::vector<Program *> fromObjects; // So that they count as in use.
};

Table &table() {
  static Table &programs = *new Table;
  return programs;
}

using Lock = std::lock_guard<std::recursive_mutex>;

/// Instructions that this processor lacks would end the process.
void requireProcessorFor([[maybe_unused]] const Manifest &manifest) {
#if defined(__x86_64__)
  const std::string &target = manifest.target;
  auto require = [&](const char *feature, bool supported, const char *name) {
    if (!supported && target.find(feature) != std::string::npos)
      fail(Status::CompileFailed, manifest.program, " was compiled for ",
           target.substr(0, target.find(' ')), ", and this processor has no ",
           name, ": compile it for another one, such as x86-64-v2");
  };
  require("+avx512", __builtin_cpu_supports("avx512f"), "AVX-512");
  require("+avx2", __builtin_cpu_supports("avx2"), "AVX2");
  require("+avx", __builtin_cpu_supports("avx"), "AVX");
#endif
}

} // namespace

Program::Program(std::string itsPath, Manifest manifest)
    : path(std::move(itsPath)), signature(std::move(manifest)),
      json(signature.manifest().signatureJSON()) {}

Program::Program(const tsgu_object &compiled)
    : Program("", Manifest::parse(compiled.manifest, compiled.manifest_size)) {
  object = std::make_unique<Plan>(compiled);
}

Program &Program::open(const std::string &path) {
  Lock lock(processLock());
  auto known = table().byPath.find(path);
  if (known != table().byPath.end())
    return *known->second;
  std::unique_ptr<Program> program(new Program(path, signatureOf(path)));
  table().byPath.emplace(path, program.get());
  return *program.release();
}

Program &Program::fromObject(const tsgu_object &object) {
  std::unique_ptr<Program> program(new Program(object));
  requireProcessorFor(program->signature.manifest());
  Lock lock(processLock());
  table().fromObjects.push_back(program.get());
  return *program.release();
}

Program::Key Program::keyOf(const Binding &binding) const {
  Key key;
  key.valueType = binding.valueType;
  key.indexType = binding.indexType;
  key.derivedIndexType = binding.derivedIndexType;
  key.hollow = binding.hollow;
  key.blocks = binding.blocks;
  size_t i = 0;
  for (int32_t symbol : signature.widths()) {
    int64_t width = binding.sizes[symbol];
    key.widths[i++] = static_cast<uint16_t>(width <= maxExactWidth ? width : 0);
  }
  return key;
}

Program::Key Program::keyOf(const tsgu_specialization &specialization) const {
  const Manifest &m = signature.manifest();
  auto isIndex = [](uint8_t type) {
    return type == TSGU_I32 || type == TSGU_I64;
  };
  auto isValue = [](uint8_t type) {
    return isFloat(static_cast<ElementType>(type));
  };
  if (!isValue(specialization.value_type) ||
      !isIndex(specialization.index_type) ||
      !isIndex(specialization.derived_index_type))
    fail(Status::InvalidArgument, "a specialisation has a value type ",
         valueTypes, " and index types i32 or i64");
  if (specialization.width_count != m.symbols.size() ||
      (specialization.width_count > 0 && !specialization.widths))
    fail(Status::InvalidArgument, m.program, " has ", m.symbols.size(),
         " sizes, but ", specialization.width_count, " widths are given");
  Key key;
  key.valueType = static_cast<ElementType>(specialization.value_type);
  key.indexType = static_cast<ElementType>(specialization.index_type);
  key.derivedIndexType =
      static_cast<ElementType>(specialization.derived_index_type);
  key.target = specialization.target;
  key.alignment = specialization.alignment;
  std::ranges::copy(specialization.hollow, key.hollow.begin());
  std::ranges::copy(specialization.blocks, key.blocks.begin());
  size_t i = 0;
  for (int32_t symbol : signature.widths()) {
    const int64_t width = specialization.widths[symbol];
    if (width < 0 || width > maxExactWidth)
      fail(Status::InvalidArgument, "width ", width, " of ",
           m.symbols[symbol].name, " is not 0 (dynamic) to ", maxExactWidth);
    key.widths[i++] = static_cast<uint16_t>(width);
  }
  return key;
}

bool Program::equal(const Key &a, const Key &b) const {
  return a.target == b.target && a.alignment == b.alignment &&
         a.valueType == b.valueType && a.indexType == b.indexType &&
         a.derivedIndexType == b.derivedIndexType && a.hollow == b.hollow &&
         a.blocks == b.blocks &&
         std::equal(a.widths.begin(),
                    a.widths.begin() + signature.widths().size(),
                    b.widths.begin());
}

Program::Bucket &Program::bucketOf(const Key &key) {
  uint64_t hash = static_cast<uint64_t>(key.valueType) * 4 +
                  static_cast<uint64_t>(key.indexType) * 2 +
                  static_cast<uint64_t>(key.derivedIndexType);
  hash = hash * 128 + key.target + key.alignment;
  hash ^= std::bit_cast<uint64_t>(key.hollow) * 0x9E3779B97F4A7C15u;
  for (uint16_t block : key.blocks)
    hash = (hash ^ block) * 0x9E3779B97F4A7C15u;
  for (size_t i = 0; i < signature.widths().size(); ++i)
    hash = (hash ^ key.widths[i]) * 0x9E3779B97F4A7C15u;
  return buckets[(hash >> 32) % buckets.size()];
}

const Plan *Program::find(const Key &key, const Bucket &bucket) const {
  for (const Entry *entry = bucket.load(std::memory_order_acquire); entry;
       entry = entry->next.get())
    if (equal(entry->key, key))
      return &entry->plan;
  return nullptr;
}

const Plan &Program::planFor(const Key &key) {
  Bucket &bucket = bucketOf(key);
  if (const Plan *ready = find(key, bucket))
    return *ready;
  Lock lock(processLock());
  if (const Plan *ready = find(key, bucket)) // Compiled while we waited.
    return *ready;

  const Manifest &m = signature.manifest();
  int64_t widths[maxSymbols] = {};
  size_t i = 0;
  for (int32_t symbol : signature.widths())
    widths[symbol] = key.widths[i++];
  tsgu_specialization specialization{static_cast<uint8_t>(key.valueType),
                                     static_cast<uint8_t>(key.indexType),
                                     static_cast<uint8_t>(key.derivedIndexType),
                                     widths,
                                     static_cast<uint32_t>(m.symbols.size()),
                                     key.target,
                                     key.alignment,
                                     {},
                                     {}};
  std::ranges::copy(key.hollow, specialization.hollow);
  std::ranges::copy(key.blocks, specialization.blocks);
  auto entry = std::make_unique<Entry>(key, compile(path, specialization));
  entry->plan.checkSignature(m);
  entry->next.reset(bucket.load());
  bucket.store(entry.get(), std::memory_order_release);
  return entry.release()->plan;
}

int32_t Program::infer(const Arguments &arguments, int64_t *shape) const {
  return signature.resultShape(signature.bind(arguments), shape);
}

/// Whether TSGU_DEVICE=emulator asks for the emulator in place of the CPU.
static bool emulates() {
  // No initialisation that another thread may be in while this one forks.
  static std::atomic<int> known{-1};
  int wanted = known.load(std::memory_order_relaxed);
  if (wanted < 0) {
    const char *device = secure_getenv("TSGU_DEVICE");
    wanted = device && std::strcmp(device, "emulator") == 0;
    known.store(wanted, std::memory_order_relaxed);
  }
  return wanted;
}

/// Ahead-of-time kernels are the CPU's.
bool Program::runsOnDevices() const {
  return !object && !signature.manifest().onHost;
}

/// Whether a pattern keeps no rows, which the layouts of devices have.
static bool keepsNoRows(const Binding &binding) {
  constexpr uint8_t paired = 1 << 7; // See Pattern::hollow.
  return std::ranges::any_of(binding.hollow,
                             [](uint8_t sets) { return sets & paired; });
}

static bool isReal(ElementType type) {
  return type == ElementType::F32 || type == ElementType::F64;
}

void Program::launchAt(const Place &place, const Binding &binding,
                       const Arguments &arguments, const tsgu_tensor &result) {
  Key key = keyOf(binding);
  key.target = static_cast<uint8_t>(place.device.target());
  key.alignment = alignmentOf(signature, binding, arguments, result);
  key.blocks = {};
  const Plan &plan = planFor(key);
  if (!plan.isForDevice())
    fail(Status::CompileFailed, "the compiler gave no device kernels for ",
         path);
  launchOn(place, plan, binding, arguments, result);
}

/// On the emulator, whose work is done when it is put on the stream.
static void *allocateOnHost(void *context, int64_t bytes) {
  auto &scratch = *static_cast<std::optional<Scratch> *>(context);
  try {
    return scratch.emplace(bytes).data();
  } catch (const Error &) {
    return nullptr;
  }
}

void Program::runOn(const Arguments &arguments, const tsgu_tensor &result,
                    const tsgu_queue &queue) {
  const Binding binding = signature.bind(arguments);
  signature.checkMemory(binding, arguments, result);
  if (elementsOf(result) == 0)
    return;
  if (!runsOnDevices())
    fail(Status::InvalidArgument, signature.manifest().program,
         object ? " was compiled ahead of time for the CPU"
                : " has steps, such as solvers, that run on the CPU",
         ": move its operands there");
  if (!isReal(binding.valueType))
    fail(Status::InvalidArgument, signature.manifest().program,
         " has no form for ", elementName(binding.valueType),
         " on a device: values there are f32 or f64");
  launchAt({Device::cuda(queue.device), queue}, binding, arguments, result);
}

void Program::run(const Arguments &arguments, const tsgu_tensor &result,
                  const tsgu_executor *executor) {
  const Binding binding = signature.bind(arguments);
  signature.checkMemory(binding, arguments, result);
  if (elementsOf(result) == 0)
    return;
  if (emulates() && runsOnDevices() && isReal(binding.valueType) &&
      !keepsNoRows(binding)) {
    std::optional<Scratch> scratch;
    const tsgu_queue queue{0, nullptr, allocateOnHost, &scratch};
    launchAt({Device::emulator(), queue}, binding, arguments, result);
    return;
  }
  const Plan &plan = object ? *object : planFor(keyOf(binding));
  launch(plan, binding, arguments, result, executorOr(executor));
}

std::string Program::printManifest(const tsgu_specialization *specialization) {
  if (object)
    return object->manifest().print();
  if (!specialization)
    fail(Status::InvalidArgument, "specialization is NULL");
  return planFor(keyOf(*specialization)).manifest().print();
}

std::vector<uint8_t> Program::emit(const tsgu_specialization &specialization,
                                   const char *cpu) const {
  if (object)
    fail(Status::InvalidArgument, signature.manifest().program,
         " was compiled ahead of time");
  keyOf(specialization); // Checks it.
  const std::span<const int32_t> widths = signature.widths();
  for (uint32_t i = 0; i < specialization.width_count; ++i)
    if (specialization.widths[i] != 0 &&
        std::ranges::find(widths, static_cast<int32_t>(i)) == widths.end())
      fail(Status::InvalidArgument, "size ",
           signature.manifest().symbols[i].name, " of ", path,
           " cannot be fixed");
  return runtime::emit(path, specialization, cpu);
}

} // namespace tsgu::runtime
