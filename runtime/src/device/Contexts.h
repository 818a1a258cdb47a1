//===- Contexts.h - The CUDA contexts of a device ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DEVICE_CONTEXTS_H
#define TSGU_SRC_DEVICE_CONTEXTS_H

#include "device/Driver.h"

#include <atomic>
#include <cstdint>

namespace tsgu::runtime {

/// Work is done in the caller's current context if it is one of this device,
/// otherwise in the device's primary context, as torch does.
class Contexts {
public:
  Contexts(const Driver &driver, int device) : driver(driver), device(device) {}

  /// Calls body(id) in such a context. No other context ever has the same id
  /// (where drivers before CUDA 12 tell only handles: none that exists).
  template <typename F> void inside(F &&body) {
    CudaContext before = nullptr;
    check(driver, driver.cuCtxGetCurrent(&before), "cuCtxGetCurrent");
    if (before) {
      const uint64_t id = idOf(before);
      if (isOurs(id))
        return body(id);
    }
    CudaContext own = primary();
    const uint64_t id = idOf(own);
    check(driver, driver.cuCtxSetCurrent(own), "cuCtxSetCurrent");
    try {
      body(id);
    } catch (...) {
      driver.cuCtxSetCurrent(before);
      throw;
    }
    check(driver, driver.cuCtxSetCurrent(before), "cuCtxSetCurrent");
  }

  /// The same, and what allocates, frees or loads in the body neither fails
  /// nor spoils a graph because another stream records one.
  template <typename F> void insideUnrecorded(F &&body) {
    inside([&](uint64_t id) {
      int mode = CudaCaptureRelaxed;
      exchangeCaptureMode(mode);
      try {
        body(id);
      } catch (...) {
        driver.cuThreadExchangeStreamCaptureMode(&mode);
        throw;
      }
      exchangeCaptureMode(mode);
    });
  }

private:
  void exchangeCaptureMode(int &mode) {
    check(driver, driver.cuThreadExchangeStreamCaptureMode(&mode),
          "cuThreadExchangeStreamCaptureMode");
  }
  uint64_t idOf(CudaContext context) const;
  /// Whether the current context, which has this id, is one of the device.
  bool isOurs(uint64_t id);
  /// The device's own context, kept for as long as the process lives.
  CudaContext primary();

  static constexpr uint64_t none = ~uint64_t{0};
  const Driver &driver;
  const int device;
  std::atomic<uint64_t> lastOfOurs{none};
  std::atomic<CudaContext> retained{nullptr};
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_DEVICE_CONTEXTS_H
