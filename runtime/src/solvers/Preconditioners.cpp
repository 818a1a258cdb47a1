//===- Preconditioners.cpp - Approximate inverses -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Preconditioners.h"

namespace tsgu::runtime {

uint64_t preconditionerSetups() { return 0; }

} // namespace tsgu::runtime
