//===- StandInCuda.h - What tests ask of the stand-in libcuda ---*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The stand-in has the symbols and rules of the driver, memory of the host, and
// kernels that are recorded, and run by whoever asks to.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_STANDINCUDA_H
#define TSGU_TEST_STANDINCUDA_H

#include <cstdint>
#include <string>
#include <vector>

namespace tsgu::test {

struct StandInLaunch {
  std::string kernel;
  unsigned grid[3], block[3];
  std::vector<uint64_t> words;
  void *stream, *context;
  const void *image; ///< Where the module was loaded from.
};

struct StandInBooks {
  size_t memory, modules; ///< Allocations and modules that are alive.
  int retained;           ///< How often primary contexts are held.
};

/// All but `current` and `setCurrent`, which are of the thread, are of the
/// process.
struct StandIn {
  /// Has the k-th call from now fail with a CUresult; 0: none.
  void (*failAt)(int k, int result);
  /// Calls since then; those that describe errors do not count.
  int (*calls)();
  /// Their names, in order.
  std::vector<std::string> (*callNames)();
  /// The name of the call that failed; empty where none did.
  std::string (*failed)();
  StandInBooks (*books)();
  std::vector<StandInLaunch> (*launches)();
  /// What runs a kernel when it is launched; NULL: nothing.
  void (*setRunner)(void (*runner)(const StandInLaunch &launch));
  void (*setVersion)(int version);
  void (*setCapability)(int major, int minor);
  /// All streams record, or none does.
  void (*setCapturing)(bool capturing);
  void *(*makeContext)(int device);
  void (*destroyContext)(void *context);
  void (*setCurrent)(void *context);
  void *(*current)();

  /// As a driver is found at first.
  void reset() const {
    failAt(0, 0);
    setCapturing(false);
    setCurrent(nullptr);
    setRunner(nullptr);
    setVersion(13000);
    setCapability(9, 0);
  }
};

/// Whether memory is freed with this call, so that nobody is told if it fails.
inline bool isOfFreeing(const std::string &call) {
  return call == "cuMemFree" || call.starts_with("cuCtx") ||
         call == "cuThreadExchangeStreamCaptureMode";
}

} // namespace tsgu::test

/// The one symbol that the driver does not have.
extern "C" const tsgu::test::StandIn *tsguStandIn();

#endif // TSGU_TEST_STANDINCUDA_H
