//===- ManifestCheck.h - Is a manifest consistent? --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_MANIFESTCHECK_H
#define TSGU_SRC_PROGRAM_MANIFESTCHECK_H

#include "tsgu/Manifest.h"

namespace tsgu::runtime {

/// Throws CompileFailed unless everything that the manifest refers to exists
/// and fits, so that nothing that reads it has to look again.
void checkManifest(const Manifest &manifest);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_MANIFESTCHECK_H
