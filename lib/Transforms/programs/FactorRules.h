//===- FactorRules.h - Derivatives of determinants -------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_PROGRAMS_FACTORRULES_H
#define TSGU_TRANSFORMS_PROGRAMS_FACTORRULES_H

#include "mlir/IR/DialectRegistry.h"

namespace tsgu {

/// The rules of the ops in FactorOps.td, which states them.
void registerFactorRules(mlir::DialectRegistry &registry);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_PROGRAMS_FACTORRULES_H
