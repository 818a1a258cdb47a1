//===- DiskCache.h - Object files kept between processes -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_DISKCACHE_H
#define TSGU_ENGINE_DISKCACHE_H

#include "llvm/Support/MemoryBuffer.h"

#include <array>
#include <memory>
#include <string>

namespace tsgu {

/// One file per entry in a directory of the user's own. A file is believed only
/// if nobody else could have written it and its hash is right; otherwise, and
/// whenever anything fails, the entry is not there. Safe for many processes:
/// entries are written under another name and renamed.
class DiskCache {
public:
  using Key = std::array<uint8_t, 32>;

  /// Empty: the cache is off.
  explicit DiskCache(std::string directory);

  /// $TSGU_CACHE_DIR, or tsgu in $XDG_CACHE_HOME or ~/.cache; empty when
  /// TSGU_CACHE_DIR is set to the empty string or there is no home.
  static std::string defaultDirectory();

  std::unique_ptr<llvm::MemoryBuffer> load(const Key &key) const;
  void store(const Key &key, llvm::StringRef object) const;

private:
  std::string pathOf(const Key &key) const;

  std::string directory;
};

} // namespace tsgu

#endif // TSGU_ENGINE_DISKCACHE_H
