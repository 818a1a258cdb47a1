//===- Modules.h - Images loaded into contexts ------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DEVICE_MODULES_H
#define TSGU_SRC_DEVICE_MODULES_H

#include "device/Driver.h"
#include "tsgu/CompilerInterface.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace tsgu::runtime {

/// The functions of an object's kernels in one context, in their order.
struct LoadedModule {
  uint64_t context;
  const void *image;
  std::vector<CudaFunction> functions;
};

/// The modules of one device. They stay loaded; finding one takes no lock.
class Modules {
public:
  explicit Modules(const Driver &driver);
  ~Modules();

  /// Of the object in the current context, which has this id; NULL before it is
  /// loaded.
  const LoadedModule *find(const tsgu_object &object, uint64_t context) const;

  /// Loads it unless another thread has done so meanwhile. Throws Device with
  /// the words of the driver's assembler.
  const LoadedModule &load(const tsgu_object &object, uint64_t context);

private:
  struct Table;
  const void *imageOf(const tsgu_object &object) const;
  /// A table with room for one more.
  Table &roomyTable();

  const Driver &driver;
  std::atomic<Table *> current;
  /// Also those outgrown, which other threads may be reading.
  std::vector<std::unique_ptr<Table>> tables;
  std::vector<std::unique_ptr<const LoadedModule>> modules;
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_DEVICE_MODULES_H
