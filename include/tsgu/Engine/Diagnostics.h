//===- Diagnostics.h - What MLIR reports, as errors ------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_DIAGNOSTICS_H
#define TSGU_ENGINE_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Error.h"

#include <string>

namespace tsgu {

/// Turns what is reported while it lives into the message of an error.
class Diagnostics {
public:
  explicit Diagnostics(mlir::MLIRContext &context);

  llvm::Error error(const llvm::Twine &what);

private:
  std::string text;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace tsgu

#endif // TSGU_ENGINE_DIAGNOSTICS_H
