//===- EmulatorLibrary.cpp - libtsgu-emulator, opened when asked for ------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/EmulatorLibrary.h"
#include "base/Parallel.h"
#include "base/SharedLibrary.h"
#include "tsgu/Error.h"

#include <atomic>

#include <dlfcn.h>

namespace tsgu::runtime {

static constexpr const char *fileName = "libtsgu-emulator.so";

static const EmulatorLibrary &open() {
  void *handle =
      dlopen(besideThisLibrary(fileName).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) // Where a program is linked with it.
    handle = dlopen(fileName, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    fail(Status::Device, "the emulator could not be opened: ", dlerror(),
         "; install libtsgu-emulator beside libtsgu");
  using Get = const EmulatorLibrary *();
  auto get = reinterpret_cast<Get *>(dlsym(handle, "tsgu_emulator"));
  const EmulatorLibrary *library = get ? get() : nullptr;
  if (!library || library->abi != EmulatorLibrary::currentAbi) {
    dlclose(handle);
    fail(Status::Device, fileName, " is of another version than libtsgu: ",
         "install both from one build");
  }
  return *library;
}

const EmulatorLibrary &emulatorLibrary() {
  static std::atomic<const EmulatorLibrary *> opened{nullptr};
  if (const EmulatorLibrary *found = opened.load(std::memory_order_acquire))
    return *found;
  std::lock_guard<std::recursive_mutex> lock(processLock());
  if (!opened.load())
    opened.store(&open(), std::memory_order_release);
  return *opened.load();
}

} // namespace tsgu::runtime
