//===- ManifestBytes.h - Manifests as bytes ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_MANIFESTBYTES_H
#define TSGU_SRC_PROGRAM_MANIFESTBYTES_H

#include "tsgu/Manifest.h"

namespace tsgu::runtime {

/// Reads what `serialize` wrote, whatever its numbers refer to. Throws
/// CompileFailed where the bytes are no manifest of this version.
Manifest readManifest(const void *data, size_t size);

/// The bytes, of at most `size`, that a manifest at their beginning takes by
/// its own account.
size_t manifestLength(const void *data, size_t size);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_MANIFESTBYTES_H
