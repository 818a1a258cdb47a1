//===- ManifestPrint.h - Stages in words ------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_MANIFESTPRINT_H
#define TSGU_SRC_PROGRAM_MANIFESTPRINT_H

#include "tsgu/Manifest.h"

namespace tsgu::runtime {

/// "program", "stage", "layouts" and "partition" as fields of a JSON object.
std::string fieldsJSON(const Manifest &manifest, const Stage &stage);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_MANIFESTPRINT_H
