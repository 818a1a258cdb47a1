//===- Pipelines.h - Passes in their tested order --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_PIPELINES_PIPELINES_H
#define TSGU_PIPELINES_PIPELINES_H

namespace tsgu {

/// Makes the pipelines known to tools by name.
void registerPipelines();

} // namespace tsgu

#endif // TSGU_PIPELINES_PIPELINES_H
