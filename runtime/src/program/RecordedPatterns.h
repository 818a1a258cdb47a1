//===- RecordedPatterns.h - Patterns that graphs read -----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_RECORDEDPATTERNS_H
#define TSGU_SRC_PROGRAM_RECORDEDPATTERNS_H

#include "pattern/Pattern.h"
#include "program/DeviceLaunch.h"

#include <span>

namespace tsgu::runtime {

/// Call before kernels that read the patterns. If the stream records a graph,
/// they are kept for as long as the process lives: the graph reads their memory
/// whenever it is replayed, and nobody says when it is gone.
void keepRecorded(const Place &place, std::span<Pattern *const> patterns);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_RECORDEDPATTERNS_H
