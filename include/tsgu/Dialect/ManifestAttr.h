//===- ManifestAttr.h - The manifest in the IR -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_DIALECT_MANIFESTATTR_H
#define TSGU_DIALECT_MANIFESTATTR_H

#include "tsgu/Manifest.h"

#include "mlir/IR/BuiltinOps.h"

namespace tsgu {

/// Puts the manifest on the module as its attribute tsgu.manifest.
void setManifest(mlir::ModuleOp module, const Manifest &manifest);

/// Reads it back; emits an error where there is none or a field is missing.
mlir::FailureOr<Manifest> getManifest(mlir::ModuleOp module);

} // namespace tsgu

#endif // TSGU_DIALECT_MANIFESTATTR_H
