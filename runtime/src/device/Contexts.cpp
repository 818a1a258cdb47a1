//===- Contexts.cpp - The CUDA contexts of a device -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "device/Contexts.h"
#include "base/Parallel.h"

namespace tsgu::runtime {

uint64_t Contexts::idOf(CudaContext context) const {
  if (!driver.cuCtxGetId)
    return reinterpret_cast<uintptr_t>(context);
  unsigned long long id = 0;
  check(driver, driver.cuCtxGetId(context, &id), "cuCtxGetId");
  return id;
}

bool Contexts::isOurs(uint64_t id) {
  if (id == lastOfOurs.load(std::memory_order_relaxed))
    return true;
  int itsDevice = -1;
  check(driver, driver.cuCtxGetDevice(&itsDevice), "cuCtxGetDevice");
  if (itsDevice != device)
    return false;
  // A handle may come to mean a context of another device.
  if (driver.cuCtxGetId)
    lastOfOurs.store(id, std::memory_order_relaxed);
  return true;
}

CudaContext Contexts::primary() {
  if (CudaContext known = retained.load(std::memory_order_acquire))
    return known;
  std::lock_guard<std::recursive_mutex> lock(processLock());
  CudaContext context = retained.load();
  if (!context) {
    check(driver, driver.cuDevicePrimaryCtxRetain(&context, device),
          "cuDevicePrimaryCtxRetain");
    retained.store(context, std::memory_order_release);
  }
  return context;
}

} // namespace tsgu::runtime
