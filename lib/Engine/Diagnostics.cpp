//===- Diagnostics.cpp - What MLIR reports, as errors ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/Diagnostics.h"

using namespace mlir;

namespace tsgu {

Diagnostics::Diagnostics(MLIRContext &context)
    : handler(&context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return;
        llvm::raw_string_ostream stream(text);
        if (!text.empty())
          stream << "; ";
        if (auto location = dyn_cast<FileLineColLoc>(
                LocationAttr(diagnostic.getLocation())))
          stream << "line " << location.getLine() << ", column "
                 << location.getColumn() << ": ";
        stream << diagnostic.str();
      }) {}

llvm::Error Diagnostics::error(const llvm::Twine &what) {
  return llvm::createStringError(what + ": " +
                                 (text.empty() ? "no reason given" : text));
}

} // namespace tsgu
