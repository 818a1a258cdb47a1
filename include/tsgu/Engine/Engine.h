//===- Engine.h - Programs to kernels in this process ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_ENGINE_H
#define TSGU_ENGINE_ENGINE_H

#include "tsgu/Engine/CheckProgram.h"
#include "tsgu/Engine/Compiler.h"
#include "tsgu/Engine/DiskCache.h"
#include "tsgu/Engine/ObjectLoader.h"

#include <atomic>
#include <set>

namespace tsgu {

/// Compiler, disk cache and loader behind one memory cache. Every kernel is
/// compiled or loaded once, however many threads ask for it.
class Engine {
public:
  explicit Engine(std::string cacheDirectory = DiskCache::defaultDirectory(),
                  Checker checker = Checker::find());

  Compiler &getCompiler() { return compiler; }

  /// Compiler::addProgram for text of anybody's: a child process reads it
  /// first, unless one did before.
  llvm::Error addProgram(llvm::StringRef name, llvm::StringRef text);

  /// The kernels of a program; they live as long as the engine.
  llvm::Expected<const tsgu_object *>
  get(llvm::StringRef path, const tsgu_specialization &specialization);

  uint64_t getCompiled() const { return compiled; }
  uint64_t getLoaded() const { return fromDisk; }

private:
  llvm::Expected<DiskCache::Key>
  getKey(llvm::StringRef path, const tsgu_specialization &specialization);
  llvm::Expected<const tsgu_object *>
  find(const DiskCache::Key &key, llvm::StringRef path,
       const tsgu_specialization &specialization);

  Compiler compiler;
  DiskCache disk;
  Checker checker;
  ObjectLoader loader;
  Target target = Target::host();
  std::mutex mutex;
  llvm::StringMap<const tsgu_object *> objects;
  std::set<DiskCache::Key> checked; ///< texts that are programs
  std::atomic<uint64_t> compiled = 0, fromDisk = 0;
};

} // namespace tsgu

#endif // TSGU_ENGINE_ENGINE_H
