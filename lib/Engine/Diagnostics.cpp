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
        std::string told;
        llvm::raw_string_ostream stream(told);
        if (auto location = dyn_cast<FileLineColLoc>(
                LocationAttr(diagnostic.getLocation())))
          stream << "line " << location.getLine() << ", column "
                 << location.getColumn() << ": ";
        stream << diagnostic.str();
        // What is unrolled says the same many times.
        if (text.empty())
          text = told;
        else if (!StringRef(text).ends_with(told))
          text += "; " + told;
      }) {}

llvm::Error Diagnostics::error(const llvm::Twine &what) {
  return llvm::createStringError(what + ": " +
                                 (text.empty() ? "no reason given" : text));
}

} // namespace tsgu
