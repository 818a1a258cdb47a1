//===- CheckAnswer.h - What tsgu-check says ---------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_CHECKANSWER_H
#define TSGU_ENGINE_CHECKANSWER_H

namespace tsgu {

/// What its answer begins with; after a refusal follows the reason.
inline constexpr char programAccepted[] = "tsgu: a program\n";
inline constexpr char programRefused[] = "tsgu: no program\n";

} // namespace tsgu

#endif // TSGU_ENGINE_CHECKANSWER_H
