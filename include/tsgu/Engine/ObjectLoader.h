//===- ObjectLoader.h - Object files into the process ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_OBJECTLOADER_H
#define TSGU_ENGINE_OBJECTLOADER_H

#include "tsgu/CompilerInterface.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace llvm::orc {
class LLJIT;
}

namespace tsgu {

/// Links object files from memory (no file is mapped, so a cache on a volume
/// without execution rights works). What is loaded stays.
class ObjectLoader {
public:
  ObjectLoader();
  ~ObjectLoader();

  /// The program object that the file defines under `symbol`.
  llvm::Expected<const tsgu_object *>
  load(std::unique_ptr<llvm::MemoryBuffer> object, llvm::StringRef symbol);

private:
  std::unique_ptr<llvm::orc::LLJIT> jit;
  unsigned loaded = 0;
};

} // namespace tsgu

#endif // TSGU_ENGINE_OBJECTLOADER_H
