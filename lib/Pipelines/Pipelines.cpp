//===- Pipelines.cpp - Passes in their tested order -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Pipelines/Pipelines.h"

void tsgu::registerPipelines() {}
