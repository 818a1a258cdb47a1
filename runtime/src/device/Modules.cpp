//===- Modules.cpp - Images loaded into contexts --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/Modules.h"
#include "base/Parallel.h"

#include <cstring>

namespace tsgu::runtime {

/// Open addressing; at most half full, and nothing is ever removed.
struct Modules::Table {
  explicit Table(size_t capacity) : slots(capacity) {}

  /// The slot of this key, or the empty one where it belongs.
  std::atomic<const LoadedModule *> &slot(uint64_t context, const void *image) {
    uint64_t hash = (reinterpret_cast<uintptr_t>(image) ^ context * 31) *
                    uint64_t{0x9e3779b97f4a7c15};
    for (size_t i = hash >> 32;; ++i) {
      auto &slot = slots[i & (slots.size() - 1)];
      const LoadedModule *found = slot.load(std::memory_order_acquire);
      if (!found || (found->image == image && found->context == context))
        return slot;
    }
  }

  std::vector<std::atomic<const LoadedModule *>> slots;
};

Modules::Modules(const Driver &driver) : driver(driver) {
  tables.push_back(std::make_unique<Table>(64));
  current.store(tables.back().get());
}

Modules::~Modules() = default;

const void *Modules::imageOf(const tsgu_object &object) const {
  return driver.isEmulator ? static_cast<const void *>(&object) : object.image;
}

const LoadedModule *Modules::find(const tsgu_object &object,
                                  uint64_t context) const {
  return current.load(std::memory_order_acquire)
      ->slot(context, imageOf(object))
      .load(std::memory_order_relaxed);
}

Modules::Table &Modules::roomyTable() {
  Table *table = current.load();
  if (2 * (modules.size() + 1) <= table->slots.size())
    return *table;
  tables.push_back(std::make_unique<Table>(2 * table->slots.size()));
  table = tables.back().get();
  for (const auto &module : modules)
    table->slot(module->context, module->image).store(module.get());
  current.store(table, std::memory_order_release);
  return *table;
}

static CudaModule loadImage(const Driver &driver, const void *image) {
  char log[4096] = "";
  int keys[] = {CudaErrorLog, CudaErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  CudaModule module = nullptr;
  const int result = driver.cuModuleLoadDataEx(&module, image, 2, keys, values);
  if (result != CudaSuccess) {
    log[sizeof(log) - 1] = '\0';
    failCall(driver, result, "cuModuleLoadDataEx",
             *log ? std::string("(") + log + ")" : std::string());
  }
  return module;
}

/// Complete, so that nothing is loaded when it is first launched, which may be
/// while a graph is recorded.
static CudaFunction loadFunction(const Driver &driver, CudaModule module,
                                 const char *name) {
  CudaFunction function = nullptr;
  if (int result = driver.cuModuleGetFunction(&function, module, name))
    failCall(driver, result, "cuModuleGetFunction",
             std::string("of kernel ") + name);
  if (driver.cuFuncLoad)
    if (int result = driver.cuFuncLoad(function))
      failCall(driver, result, "cuFuncLoad", std::string("of kernel ") + name);
  return function;
}

const LoadedModule &Modules::load(const tsgu_object &object, uint64_t context) {
  std::lock_guard<std::recursive_mutex> lock(processLock());
  if (const LoadedModule *loaded = find(object, context))
    return *loaded;
  // All that may fail for lack of memory comes before the module is loaded.
  auto loaded = std::make_unique<LoadedModule>(
      LoadedModule{context, imageOf(object), {}});
  loaded->functions.reserve(object.kernel_count);
  modules.reserve(modules.size() + 1);
  Table &table = roomyTable();
  CudaModule module = loadImage(driver, loaded->image);
  try {
    for (uint64_t k = 0; k < object.kernel_count; ++k)
      loaded->functions.push_back(
          loadFunction(driver, module, object.device_kernels[k].name));
  } catch (...) {
    driver.cuModuleUnload(module);
    throw;
  }
  table.slot(context, loaded->image)
      .store(loaded.get(), std::memory_order_release);
  modules.push_back(std::move(loaded));
  return *modules.back();
}

} // namespace tsgu::runtime
